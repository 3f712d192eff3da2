//! What a packet header is: the fields the auditor reasons about, and one concrete packet.
//!
//! This is vocabulary only. It knows nothing of networks, files or sets.
//!
//! Two fields deserve a word. The ports belong to the *datagram*: a later fragment still has those of its
//! datagram, but a filter that does not reassemble cannot see them (RFC 791 section 3.2, RFC 8200 section
//! 4.5). The protocol is the *last* one, after IPv6 extension headers (what iptables and nft call `l4proto`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IP protocol numbers (IANA "Protocol Numbers") that the auditor gives a name.
pub mod proto {
    /// ICMP for IPv4 (RFC 792).
    pub const ICMP: u8 = 1;
    /// TCP (RFC 9293).
    pub const TCP: u8 = 6;
    /// UDP (RFC 768).
    pub const UDP: u8 = 17;
    /// Generic routing encapsulation (RFC 2784).
    pub const GRE: u8 = 47;
    /// IPsec encapsulating security payload (RFC 4303).
    pub const ESP: u8 = 50;
    /// IPsec authentication header (RFC 4302).
    pub const AH: u8 = 51;
    /// ICMPv6 (RFC 4443).
    pub const ICMPV6: u8 = 58;
    /// OSPF (RFC 2328).
    pub const OSPF: u8 = 89;
    /// VRRP (RFC 9568).
    pub const VRRP: u8 = 112;
    /// SCTP (RFC 9260).
    pub const SCTP: u8 = 132;
    /// UDP-Lite (RFC 3828).
    pub const UDPLITE: u8 = 136;
    /// DCCP (RFC 4340).
    pub const DCCP: u8 = 33;
    /// IP in IP (RFC 2003).
    pub const IPIP: u8 = 4;
    /// IGMP (RFC 3376).
    pub const IGMP: u8 = 2;
    /// IPv6 inside IPv4 (RFC 4213).
    pub const IPV6: u8 = 41;

    /// Number and name of every protocol that has a name here.
    pub const NAMES: &[(u8, &str)] = &[
        (ICMP, "icmp"),
        (IGMP, "igmp"),
        (IPIP, "ipip"),
        (TCP, "tcp"),
        (UDP, "udp"),
        (DCCP, "dccp"),
        (IPV6, "ipv6"),
        (GRE, "gre"),
        (ESP, "esp"),
        (AH, "ah"),
        (ICMPV6, "icmpv6"),
        (OSPF, "ospf"),
        (VRRP, "vrrp"),
        (SCTP, "sctp"),
        (UDPLITE, "udplite"),
    ];

    /// The name of a protocol number, if it has one here.
    pub fn name(number: u8) -> Option<&'static str> {
        NAMES.iter().find(|(n, _)| *n == number).map(|(_, name)| *name)
    }

    /// The number of a protocol name, if it is known.
    pub fn number(name: &str) -> Option<u8> {
        NAMES.iter().find(|(_, n)| *n == name).map(|(number, _)| *number)
    }

    /// Whether packets of this protocol have a source and a destination port.
    pub fn has_ports(number: u8) -> bool {
        matches!(number, TCP | UDP | SCTP | DCCP | UDPLITE)
    }
}

/// TCP flag bits as they stand in the header (RFC 9293 section 3.1).
pub mod tcp_flags {
    /// No more data from sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement field counts.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u8 = 0x20;
    /// ECN echo (RFC 3168).
    pub const ECE: u8 = 0x40;
    /// Congestion window reduced (RFC 3168).
    pub const CWR: u8 = 0x80;

    /// Bit and name of each flag, lowest bit first.
    pub const NAMES: &[(u8, &str)] = &[
        (FIN, "fin"),
        (SYN, "syn"),
        (RST, "rst"),
        (PSH, "psh"),
        (ACK, "ack"),
        (URG, "urg"),
        (ECE, "ece"),
        (CWR, "cwr"),
    ];
}

/// ICMP types and codes that the report and the policy language name: (name, v4 type, v6 type).
/// A type that a family does not have is `None`. Sources: RFC 792, RFC 4443.
pub const ICMP_TYPES: &[(&str, Option<u8>, Option<u8>)] = &[
    ("echo-reply", Some(0), Some(129)),
    ("echo-request", Some(8), Some(128)),
    ("destination-unreachable", Some(3), Some(1)),
    ("source-quench", Some(4), None),
    ("redirect", Some(5), Some(137)),
    ("router-advertisement", Some(9), Some(134)),
    ("router-solicitation", Some(10), Some(133)),
    ("time-exceeded", Some(11), Some(3)),
    ("parameter-problem", Some(12), Some(4)),
    ("timestamp-request", Some(13), None),
    ("timestamp-reply", Some(14), None),
    ("packet-too-big", None, Some(2)),
    ("neighbour-solicitation", None, Some(135)),
    ("neighbour-advertisement", None, Some(136)),
];

/// An IP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both families, in the order of the enum.
    pub const ALL: [Family; 2] = [Family::V4, Family::V6];

    /// The family of an address.
    pub fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// Number of bits of an address.
    pub fn bits(self) -> u8 {
        match self {
            Family::V4 => 32,
            Family::V6 => 128,
        }
    }

    /// The ICMP of this family.
    pub fn icmp(self) -> u8 {
        match self {
            Family::V4 => proto::ICMP,
            Family::V6 => proto::ICMPV6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        })
    }
}

/// Which part of a datagram a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Fragment {
    /// Not a fragment.
    #[default]
    Whole,
    /// The first fragment, which carries the ports.
    First,
    /// Any later fragment, which does not.
    Later,
}

impl Fragment {
    /// All three, in the order of the enum.
    pub const ALL: [Fragment; 3] = [Fragment::Whole, Fragment::First, Fragment::Later];
}

/// A closed range of addresses of one family, ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    /// The first address.
    pub low: IpAddr,
    /// The last address, of the same family and not below `low`.
    pub high: IpAddr,
}

impl AddressRange {
    /// The range of one address.
    pub fn single(address: IpAddr) -> AddressRange {
        AddressRange { low: address, high: address }
    }

    /// Every address of a family.
    pub fn all(family: Family) -> AddressRange {
        match family {
            Family::V4 => {
                AddressRange { low: Ipv4Addr::UNSPECIFIED.into(), high: Ipv4Addr::BROADCAST.into() }
            }
            Family::V6 => {
                AddressRange { low: Ipv6Addr::UNSPECIFIED.into(), high: Ipv6Addr::from(u128::MAX).into() }
            }
        }
    }

    /// The addresses of a prefix.
    pub fn prefix(net: ipnet::IpNet) -> AddressRange {
        AddressRange { low: net.network(), high: net.broadcast() }
    }

    /// The family of both ends.
    pub fn family(&self) -> Family {
        Family::of(self.low)
    }

    /// Whether the address lies within.
    pub fn contains(&self, address: IpAddr) -> bool {
        Family::of(address) == self.family() && self.low <= address && address <= self.high
    }
}

impl From<ipnet::IpNet> for AddressRange {
    fn from(net: ipnet::IpNet) -> AddressRange {
        AddressRange::prefix(net)
    }
}

/// An address as a number, so that both families are handled by one piece of code.
pub fn address_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(u32::from(a)),
        IpAddr::V6(a) => u128::from(a),
    }
}

/// The address of a family with this number; bits beyond the family's width are cut off.
pub fn address_from_number(family: Family, number: u128) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from((number & u128::from(u32::MAX)) as u32).into(),
        Family::V6 => Ipv6Addr::from(number).into(),
    }
}

/// One concrete packet. Fields that its protocol does not have are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Packet {
    /// Source address; its family is the packet's.
    pub src: IpAddr,
    /// Destination address, of the same family.
    pub dst: IpAddr,
    /// The last protocol number, after IPv6 extension headers.
    pub proto: u8,
    /// Source port, for protocols with ports.
    pub sport: u16,
    /// Destination port, for protocols with ports.
    pub dport: u16,
    /// ICMP or ICMPv6 type.
    pub icmp_type: u8,
    /// ICMP or ICMPv6 code.
    pub icmp_code: u8,
    /// TCP flags, the bits of [`tcp_flags`].
    pub flags: u8,
    /// Whole datagram or which fragment.
    pub fragment: Fragment,
}

impl Packet {
    /// The family of its addresses.
    pub fn family(&self) -> Family {
        Family::of(self.src)
    }
}

/// The service of a packet as people write it: `tcp/443`, `icmp/echo-request`, `gre`.
pub fn service_name(packet: &Packet) -> String {
    let name = proto::name(packet.proto).map_or_else(|| format!("proto-{}", packet.proto), str::to_owned);
    if proto::has_ports(packet.proto) {
        return format!("{name}/{}", packet.dport);
    }
    let is_icmp = matches!(packet.proto, proto::ICMP | proto::ICMPV6);
    if !is_icmp {
        return name;
    }
    let known = ICMP_TYPES.iter().find(|(_, v4, v6)| {
        let own = if packet.proto == proto::ICMP { v4 } else { v6 };
        *own == Some(packet.icmp_type)
    });
    match known {
        Some((label, _, _)) => format!("{name}/{label}"),
        None => format!("{name}/{}", packet.icmp_type),
    }
}

impl fmt::Display for Packet {
    /// `10.1.0.20:40000 → 192.0.2.9:443 tcp [syn]`, in the words of the report.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {} {}", self.src, self.dst, service_name(self))?;
        if proto::has_ports(self.proto) {
            write!(f, " from port {}", self.sport)?;
        }
        if self.proto == proto::TCP {
            let set: Vec<&str> =
                tcp_flags::NAMES.iter().filter(|(bit, _)| self.flags & bit != 0).map(|(_, n)| *n).collect();
            write!(f, " [{}]", if set.is_empty() { "no flags".to_owned() } else { set.join(",") })?;
        }
        match self.fragment {
            Fragment::Whole => Ok(()),
            Fragment::First => f.write_str(" first fragment"),
            Fragment::Later => f.write_str(" later fragment"),
        }
    }
}
