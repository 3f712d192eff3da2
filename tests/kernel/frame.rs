//! Packets of the model as bytes of the wire, and back.

use isoaudit::header::{Family, Fragment, Packet, proto, tcp_flags};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a packet on the wire has and the model does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// What the payload begins with, so that it is known again; also the identification of fragments.
    pub(crate) marker: u32,
    /// The time to live.
    pub(crate) ttl: u8,
    /// TCP sequence and acknowledgement numbers.
    pub(crate) tcp: (u32, u32),
    /// The identifier of an echo request and its reply.
    pub(crate) echo: u16,
    /// Options of IPv4, a multiple of four bytes.
    pub(crate) options: Vec<u8>,
    /// Extension headers of IPv6: number and body without the first byte, in order.
    pub(crate) extensions: Vec<(u8, Vec<u8>)>,
    /// What an ICMP error speaks about.
    pub(crate) about: Vec<u8>,
}

impl Shape {
    pub(crate) fn plain(marker: u32) -> Shape {
        Shape {
            marker,
            ttl: 64,
            tcp: (1000, 0),
            echo: marker as u16,
            options: Vec::new(),
            extensions: Vec::new(),
            about: Vec::new(),
        }
    }
}

/// How much of a datagram the first of two fragments holds.
const FIRST_PART: usize = 64;

fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn pseudo_header(packet: &Packet, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    match (packet.src, packet.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            bytes.extend(src.octets());
            bytes.extend(dst.octets());
            bytes.extend([0, packet.proto]);
            bytes.extend((length as u16).to_be_bytes());
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            bytes.extend(src.octets());
            bytes.extend(dst.octets());
            bytes.extend((length as u32).to_be_bytes());
            bytes.extend([0, 0, 0, packet.proto]);
        }
        _ => panic!("{packet} has addresses of two families"),
    }
    bytes
}

/// The transport header and payload, with a right checksum.
fn transport(packet: &Packet, shape: &Shape) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut at = None;
    match packet.proto {
        proto::TCP => {
            bytes.extend(packet.sport.to_be_bytes());
            bytes.extend(packet.dport.to_be_bytes());
            bytes.extend(shape.tcp.0.to_be_bytes());
            bytes.extend(shape.tcp.1.to_be_bytes());
            bytes.extend([0x50, packet.flags, 0x20, 0, 0, 0, 0, 0]);
            at = Some(16);
        }
        proto::UDP | proto::UDPLITE => {
            bytes.extend(packet.sport.to_be_bytes());
            bytes.extend(packet.dport.to_be_bytes());
            bytes.extend([0, 0, 0, 0]);
            at = Some(6);
        }
        proto::SCTP => return sctp(packet, shape),
        proto::ICMP | proto::ICMPV6 => {
            bytes.extend([packet.icmp_type, packet.icmp_code, 0, 0]);
            bytes.extend(shape.echo.to_be_bytes());
            bytes.extend([0, 1]);
            at = Some(2);
        }
        _ => {}
    }
    if shape.about.is_empty() {
        bytes.extend(shape.marker.to_be_bytes());
        let is_part = packet.fragment != Fragment::Whole;
        bytes.resize(if is_part { FIRST_PART + 24 } else { bytes.len() + 4 }, 0);
    } else {
        bytes.extend(&shape.about);
    }
    if packet.proto == proto::UDP {
        let length = bytes.len() as u16;
        bytes[4..6].copy_from_slice(&length.to_be_bytes());
    }
    if let Some(at) = at {
        let pseudo =
            if packet.proto == proto::ICMP { Vec::new() } else { pseudo_header(packet, bytes.len()) };
        let sum = checksum(&[&pseudo, &bytes]);
        let sum = if sum == 0 && packet.proto == proto::UDP { u16::MAX } else { sum };
        bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

/// What opens an association: one INIT chunk, whose tag is the marker (RFC 9260 section 3.3.2).
fn sctp(packet: &Packet, shape: &Shape) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(packet.sport.to_be_bytes());
    bytes.extend(packet.dport.to_be_bytes());
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 20]);
    bytes.extend(shape.marker.to_be_bytes());
    bytes.extend([0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
    if packet.fragment != Fragment::Whole {
        // A parameter of the chunk that nobody knows, to be skipped, fills the rest.
        let rest = (FIRST_PART + 24 - bytes.len()) as u8;
        bytes[15] += rest;
        bytes.extend([0x80, 0xff, 0, rest]);
        bytes.resize(FIRST_PART + 24, 0);
    }
    // CRC32c, lowest byte first (RFC 9260 appendix A).
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    });
    bytes[8..12].copy_from_slice(&(!crc).to_le_bytes());
    bytes
}

/// A packet as bytes; of a fragment, the part that it is.
pub(crate) fn encode(packet: &Packet, shape: &Shape) -> Vec<u8> {
    let whole = transport(packet, shape);
    let (part, offset, more): (&[u8], u16, bool) = match packet.fragment {
        Fragment::Whole => (&whole, 0, false),
        Fragment::First => (&whole[..FIRST_PART], 0, true),
        Fragment::Later => (&whole[FIRST_PART..], FIRST_PART as u16, false),
    };
    match (packet.src, packet.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let header = 20 + shape.options.len();
            let mut bytes = vec![0x40 | (header / 4) as u8, 0];
            bytes.extend(((header + part.len()) as u16).to_be_bytes());
            bytes.extend((shape.marker as u16).max(1).to_be_bytes());
            bytes.extend(((u16::from(more) << 13) | (offset / 8)).to_be_bytes());
            bytes.extend([shape.ttl, packet.proto, 0, 0]);
            bytes.extend(src.octets());
            bytes.extend(dst.octets());
            bytes.extend(&shape.options);
            let sum = checksum(&[&bytes]);
            bytes[10..12].copy_from_slice(&sum.to_be_bytes());
            bytes.extend(part);
            bytes
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => encode_v6([src, dst], packet, shape, part, offset, more),
        _ => panic!("{packet} has addresses of two families"),
    }
}

fn encode_v6(
    [src, dst]: [Ipv6Addr; 2],
    packet: &Packet,
    shape: &Shape,
    part: &[u8],
    offset: u16,
    more: bool,
) -> Vec<u8> {
    let mut headers = shape.extensions.clone();
    if packet.fragment != Fragment::Whole {
        let mut body = vec![0];
        body.extend((offset | u16::from(more)).to_be_bytes());
        body.extend(shape.marker.to_be_bytes());
        headers.push((44, body));
    }
    let mut behind = Vec::new();
    for (index, (_, body)) in headers.iter().enumerate() {
        behind.push(headers.get(index + 1).map_or(packet.proto, |(number, _)| *number));
        behind.extend(body);
    }
    behind.extend(part);
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend((behind.len() as u16).to_be_bytes());
    bytes.extend([headers.first().map_or(packet.proto, |(number, _)| *number), shape.ttl]);
    bytes.extend(src.octets());
    bytes.extend(dst.octets());
    bytes.extend(behind);
    bytes
}

/// The parts of a datagram: itself, or two fragments.
pub(crate) fn parts(packet: &Packet) -> Vec<Packet> {
    match packet.fragment {
        Fragment::Whole => vec![*packet],
        Fragment::First | Fragment::Later => {
            [Fragment::First, Fragment::Later].map(|fragment| Packet { fragment, ..*packet }).to_vec()
        }
    }
}

/// A packet as it was seen, with what tells it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) packet: Packet,
    pub(crate) marker: Option<u32>,
    /// The identifier of an echo request or its reply.
    pub(crate) echo: u16,
}

/// Reads a packet; `None` of what is none. A later fragment has no ports here, and its identification as marker.
pub(crate) fn decode(bytes: &[u8]) -> Option<Read> {
    let version = bytes.first()? >> 4;
    let (src, dst, protocol, fragment, identification, rest): (IpAddr, IpAddr, _, _, _, &[u8]) = match version
    {
        4 => {
            let header = usize::from(bytes[0] & 15) * 4;
            let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?));
            let total = usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
            let field = u16::from_be_bytes([*bytes.get(6)?, *bytes.get(7)?]);
            let fragment = part_of(field & 0x1fff, field & 0x2000 != 0);
            let identification = u32::from(u16::from_be_bytes([bytes[4], bytes[5]]));
            let rest = bytes.get(header..total.min(bytes.len()))?;
            (address(12)?.into(), address(16)?.into(), *bytes.get(9)?, fragment, identification, rest)
        }
        6 => {
            let address =
                |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.get(at..at + 16)?).ok()?));
            let (protocol, fragment, identification, rest) =
                behind_extensions(*bytes.get(6)?, bytes.get(40..)?)?;
            (address(8)?.into(), address(24)?.into(), protocol, fragment, identification, rest)
        }
        _ => return None,
    };
    let mut packet = Packet {
        src,
        dst,
        proto: protocol,
        sport: 0,
        dport: 0,
        icmp_type: 0,
        icmp_code: 0,
        flags: 0,
        fragment,
    };
    if fragment == Fragment::Later {
        return Some(Read { packet, marker: Some(identification), echo: 0 });
    }
    let behind = fill(&mut packet, rest)?;
    let marker =
        rest.get(behind..behind + 4).map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]));
    let is_icmp = matches!(packet.proto, proto::ICMP | proto::ICMPV6);
    let echo = rest.get(4..6).filter(|_| is_icmp).map_or(0, |two| u16::from_be_bytes([two[0], two[1]]));
    Some(Read { packet, marker, echo })
}

fn part_of(offset: u16, more: bool) -> Fragment {
    match (offset, more) {
        (0, false) => Fragment::Whole,
        (0, true) => Fragment::First,
        _ => Fragment::Later,
    }
}

/// Walks over extension headers to the last protocol.
fn behind_extensions(mut number: u8, mut rest: &[u8]) -> Option<(u8, Fragment, u32, &[u8])> {
    let (mut fragment, mut identification) = (Fragment::Whole, 0);
    while matches!(number, 0 | 43 | 44 | 60) {
        let next = *rest.first()?;
        if number == 44 {
            let field = u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]);
            fragment = part_of(field >> 3, field & 1 != 0);
            identification = u32::from_be_bytes(rest.get(4..8)?.try_into().ok()?);
            rest = rest.get(8..)?;
            if fragment == Fragment::Later {
                return Some((next, fragment, identification, rest));
            }
        } else {
            let length = (usize::from(*rest.get(1)?) + 1) * 8;
            rest = rest.get(length..)?;
        }
        number = next;
    }
    Some((number, fragment, identification, rest))
}

/// Reads the transport header; how long it is.
fn fill(packet: &mut Packet, rest: &[u8]) -> Option<usize> {
    let number = |at: usize| Some(u16::from_be_bytes([*rest.get(at)?, *rest.get(at + 1)?]));
    if proto::has_ports(packet.proto) {
        packet.sport = number(0)?;
        packet.dport = number(2)?;
    }
    Some(match packet.proto {
        proto::TCP => {
            packet.flags = *rest.get(13)?;
            usize::from(*rest.get(12)? >> 4) * 4
        }
        proto::UDP | proto::UDPLITE => 8,
        proto::SCTP => 16,
        proto::ICMP | proto::ICMPV6 => {
            packet.icmp_type = *rest.first()?;
            packet.icmp_code = *rest.get(1)?;
            8
        }
        _ => 0,
    })
}

/// What answers a packet: ends swapped, and for TCP and ICMP what a peer would say.
pub(crate) fn reply(packet: &Packet) -> Option<Packet> {
    let swapped =
        Packet { src: packet.dst, dst: packet.src, sport: packet.dport, dport: packet.sport, ..*packet };
    match packet.proto {
        proto::TCP if packet.flags & tcp_flags::SYN != 0 => {
            Some(Packet { flags: tcp_flags::SYN | tcp_flags::ACK, ..swapped })
        }
        proto::TCP => Some(Packet { flags: tcp_flags::ACK, ..swapped }),
        proto::ICMP if packet.icmp_type == 8 => Some(Packet { icmp_type: 0, ..swapped }),
        proto::ICMPV6 if packet.icmp_type == 128 => Some(Packet { icmp_type: 129, ..swapped }),
        proto::ICMP | proto::ICMPV6 => None,
        _ => Some(swapped),
    }
}

/// An error about a packet, from some address: its type is "destination unreachable".
pub(crate) fn error_about(packet: &Packet, from: IpAddr, shape: &Shape) -> (Packet, Shape) {
    let family = packet.family();
    let icmp_type = if family == Family::V4 { 3 } else { 1 };
    let whole = Packet { fragment: Fragment::Whole, ..*packet };
    let error = Packet {
        src: from,
        dst: packet.src,
        proto: family.icmp(),
        sport: 0,
        dport: 0,
        icmp_type,
        icmp_code: if family == Family::V4 { 3 } else { 4 },
        flags: 0,
        fragment: Fragment::Whole,
    };
    let shape = Shape { about: encode(&whole, shape), echo: 0, ..Shape::plain(shape.marker + 1) };
    (error, shape)
}
