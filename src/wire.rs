//! A packet as the bytes of the network layer, for captures and for sending it (RFC 791, RFC 8200).
//!
//! The model knows the fields that decide where a packet goes; the rest is made up, the same each time: a time to live of
//! 64, no options, and a payload of eight bytes that says who made it. Of a fragment, only the part that it is.

use crate::header::{Fragment, Packet, proto, tcp_flags};
use etherparse::{
    IpFragOffset, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6FragmentHeader, Ipv6Header, PacketBuilder,
    TcpHeader,
};
use std::net::IpAddr;

const TIME_TO_LIVE: u8 = 64;
const PAYLOAD: &[u8] = b"isoaudit";

/// Bytes of the first part of a datagram of two; a multiple of eight.
const FIRST_PART: usize = 24;

/// The bytes of a packet from the IP header on. `None` if its addresses are of two families.
pub fn bytes(packet: &Packet) -> Option<Vec<u8>> {
    let datagram = transport(packet)?;
    match packet.fragment {
        Fragment::Whole => headed(packet, &datagram, 0, false),
        Fragment::First => headed(packet, datagram.get(..FIRST_PART)?, 0, true),
        Fragment::Later => headed(packet, datagram.get(FIRST_PART..)?, FIRST_PART, false),
    }
}

/// The transport header with its checksum, and the payload; of a datagram that goes in two parts, enough for both.
fn transport(packet: &Packet) -> Option<Vec<u8>> {
    let payload = match packet.fragment {
        Fragment::Whole => PAYLOAD.to_vec(),
        Fragment::First | Fragment::Later => PAYLOAD.repeat(FIRST_PART / PAYLOAD.len() + 1),
    };
    let builder = match (packet.src, packet.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => PacketBuilder::ipv4(src.octets(), dst.octets(), TIME_TO_LIVE),
        (IpAddr::V6(src), IpAddr::V6(dst)) => PacketBuilder::ipv6(src.octets(), dst.octets(), TIME_TO_LIVE),
        _ => return None,
    };
    let (kind, code) = (packet.icmp_type, packet.icmp_code);
    let mut whole = Vec::new();
    match packet.proto {
        proto::TCP => builder.tcp_header(tcp(packet)).write(&mut whole, &payload).ok()?,
        proto::UDP => builder.udp(packet.sport, packet.dport).write(&mut whole, &payload).ok()?,
        proto::ICMP if packet.src.is_ipv4() => {
            builder.icmpv4_raw(kind, code, [0, 1, 0, 1]).write(&mut whole, &payload).ok()?
        }
        proto::ICMPV6 if packet.src.is_ipv6() => {
            builder.icmpv6_raw(kind, code, [0, 1, 0, 1]).write(&mut whole, &payload).ok()?
        }
        other => {
            // Of the other protocols with ports, these come first; the rest of the header is not made up.
            let ports = [packet.sport.to_be_bytes(), packet.dport.to_be_bytes()].concat();
            let bytes = if proto::has_ports(other) { [ports, payload].concat() } else { payload };
            return Some(bytes);
        }
    }
    let header = if packet.src.is_ipv4() { Ipv4Header::MIN_LEN } else { Ipv6Header::LEN };
    Some(whole.split_off(header))
}

fn tcp(packet: &Packet) -> TcpHeader {
    let set = |bit: u8| packet.flags & bit != 0;
    let mut tcp = TcpHeader::new(packet.sport, packet.dport, 1000, 1024);
    (tcp.fin, tcp.syn, tcp.rst) = (set(tcp_flags::FIN), set(tcp_flags::SYN), set(tcp_flags::RST));
    (tcp.psh, tcp.ack, tcp.urg) = (set(tcp_flags::PSH), set(tcp_flags::ACK), set(tcp_flags::URG));
    (tcp.ece, tcp.cwr) = (set(tcp_flags::ECE), set(tcp_flags::CWR));
    tcp
}

/// A part of a datagram behind its network header.
fn headed(packet: &Packet, part: &[u8], offset: usize, more: bool) -> Option<Vec<u8>> {
    let offset = IpFragOffset::try_new(u16::try_from(offset / 8).ok()?).ok()?;
    let is_part = packet.fragment != Fragment::Whole;
    let length = u16::try_from(part.len()).ok()?;
    let mut bytes = Vec::new();
    match (packet.src, packet.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let next = IpNumber(packet.proto);
            let mut header = Ipv4Header::new(length, TIME_TO_LIVE, next, src.octets(), dst.octets()).ok()?;
            (header.identification, header.dont_fragment) = (1, false);
            (header.more_fragments, header.fragment_offset) = (more, offset);
            header.write(&mut bytes).ok()?;
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let extension = if is_part { Ipv6FragmentHeader::LEN } else { 0 };
            let header = Ipv6Header {
                traffic_class: 0,
                flow_label: Ipv6FlowLabel::ZERO,
                payload_length: length.checked_add(u16::try_from(extension).ok()?)?,
                next_header: if is_part {
                    IpNumber::IPV6_FRAGMENTATION_HEADER
                } else {
                    IpNumber(packet.proto)
                },
                hop_limit: TIME_TO_LIVE,
                source: src.octets(),
                destination: dst.octets(),
            };
            header.write(&mut bytes).ok()?;
            if is_part {
                let fragment = Ipv6FragmentHeader::new(IpNumber(packet.proto), offset, more, 1);
                fragment.write(&mut bytes).ok()?;
            }
        }
        _ => return None,
    }
    bytes.extend(part);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};

    fn packet(src: &str, dst: &str, proto: u8) -> Packet {
        let (src, dst) = (src.parse().unwrap(), dst.parse().unwrap());
        let (sport, dport) = if proto::has_ports(proto) { (40_000, 443) } else { (0, 0) };
        let (icmp_type, icmp_code, flags, fragment) = (0, 0, 0, Fragment::Whole);
        Packet { src, dst, proto, sport, dport, icmp_type, icmp_code, flags, fragment }
    }

    /// Source, destination, last protocol and payload of what was made.
    fn read(bytes: &[u8]) -> (IpAddr, IpAddr, u8, Vec<u8>) {
        let sliced = SlicedPacket::from_ip(bytes).unwrap();
        let net = sliced.net.unwrap();
        let payload = net.ip_payload_ref().unwrap();
        let (src, dst): (IpAddr, IpAddr) = match &net {
            NetSlice::Ipv4(slice) => {
                (slice.header().source_addr().into(), slice.header().destination_addr().into())
            }
            NetSlice::Ipv6(slice) => {
                (slice.header().source_addr().into(), slice.header().destination_addr().into())
            }
            NetSlice::Arp(_) => panic!("a packet of IP is none of ARP"),
        };
        (src, dst, payload.ip_number.0, payload.payload.to_vec())
    }

    #[test]
    fn what_the_model_knows_is_in_the_bytes() {
        let ends = [("10.0.0.1", "192.0.2.9"), ("fd00::1", "2001:db8::9")];
        let protos =
            [proto::TCP, proto::UDP, proto::ICMP, proto::ICMPV6, proto::SCTP, proto::GRE, proto::OSPF];
        for ((src, dst), proto) in ends.into_iter().flat_map(|ends| protos.map(|proto| (ends, proto))) {
            let one = Packet { flags: 0b1010_0101, icmp_type: 3, icmp_code: 4, ..packet(src, dst, proto) };
            let bytes = bytes(&one).unwrap();
            let (found_src, found_dst, found_proto, _) = read(&bytes);
            assert_eq!((found_src, found_dst, found_proto), (one.src, one.dst, one.proto), "{one}");
            match SlicedPacket::from_ip(&bytes).unwrap().transport {
                Some(TransportSlice::Tcp(tcp)) => {
                    assert_eq!((tcp.source_port(), tcp.destination_port()), (40_000, 443));
                    assert_eq!(tcp.slice()[13], one.flags);
                }
                Some(TransportSlice::Udp(udp)) => {
                    assert_eq!((udp.source_port(), udp.destination_port()), (40_000, 443));
                }
                Some(TransportSlice::Icmpv4(icmp)) if one.src.is_ipv4() => {
                    assert_eq!((icmp.type_u8(), icmp.code_u8()), (3, 4))
                }
                Some(TransportSlice::Icmpv6(icmp)) if one.src.is_ipv6() => {
                    assert_eq!((icmp.type_u8(), icmp.code_u8()), (3, 4))
                }
                _ => assert!(![proto::TCP, proto::UDP].contains(&proto), "{one}"),
            }
        }
    }

    #[test]
    fn two_parts_make_a_datagram() {
        for (src, dst) in [("10.0.0.1", "192.0.2.9"), ("fd00::1", "2001:db8::9")] {
            let part = |fragment| bytes(&Packet { fragment, ..packet(src, dst, proto::UDP) }).unwrap();
            let parts = [part(Fragment::First), part(Fragment::Later)];
            let [first, later] = [0, 1].map(|index| read(&parts[index]));
            assert_eq!((first.2, later.2), (proto::UDP, proto::UDP));
            assert_eq!(first.3.len() % 8, 0);
            let [more, offset] =
                [&parts[0], &parts[1]].map(|bytes| match SlicedPacket::from_ip(bytes).unwrap().net {
                    Some(NetSlice::Ipv4(slice)) => {
                        (slice.header().more_fragments(), slice.header().fragments_offset().value())
                    }
                    _ => {
                        let field = u16::from_be_bytes([bytes[42], bytes[43]]);
                        (field & 1 == 1, field >> 3)
                    }
                });
            assert_eq!((more, offset), ((true, 0), (false, (first.3.len() / 8) as u16)));
            // The length that the header of UDP tells is that of both together.
            let told = u16::from_be_bytes([first.3[4], first.3[5]]);
            assert_eq!(usize::from(told), first.3.len() + later.3.len());
        }
    }

    #[test]
    fn addresses_of_two_families_make_no_packet() {
        assert_eq!(bytes(&packet("10.0.0.1", "2001:db8::9", proto::UDP)), None);
    }
}
