//! Packets made by hand.

use super::net::ip;
use isoaudit::header::{Family, Fragment, Packet, proto, tcp_flags};

fn blank(src: &str, dst: &str, proto: u8) -> Packet {
    Packet {
        src: ip(src),
        dst: ip(dst),
        proto,
        sport: 0,
        dport: 0,
        icmp_type: 0,
        icmp_code: 0,
        flags: 0,
        fragment: Fragment::Whole,
    }
}

/// The first packet of a TCP connection.
pub(crate) fn syn(src: &str, dst: &str, dport: u16) -> Packet {
    Packet { sport: 40000, dport, flags: tcp_flags::SYN, ..blank(src, dst, proto::TCP) }
}

/// A datagram.
pub(crate) fn udp(src: &str, dst: &str, dport: u16) -> Packet {
    Packet { sport: 40000, dport, ..blank(src, dst, proto::UDP) }
}

/// An ICMP message of either family.
pub(crate) fn icmp(src: &str, dst: &str, icmp_type: u8) -> Packet {
    let family = Family::of(ip(src));
    Packet { icmp_type, ..blank(src, dst, family.icmp()) }
}

/// The same with other TCP flags.
pub(crate) fn flagged(packet: Packet, flags: u8) -> Packet {
    Packet { flags, ..packet }
}

/// What answers it: ends and ports swapped, an acknowledgement if it is TCP.
pub(crate) fn reply(packet: Packet) -> Packet {
    let flags = if packet.proto == proto::TCP { tcp_flags::ACK } else { 0 };
    Packet { src: packet.dst, dst: packet.src, sport: packet.dport, dport: packet.sport, flags, ..packet }
}

/// The same as a part of its datagram.
pub(crate) fn part(packet: Packet, fragment: Fragment) -> Packet {
    Packet { fragment, ..packet }
}
