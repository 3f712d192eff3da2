//! Services: protocol and ports as one thing, the way that people name them (`tcp/443`, `icmp/echo-request`).

use crate::header::{Packet, proto};
use std::fmt;

/// A set of packets by protocol and what the protocol carries. Ranges include both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// The protocol number; `None` is any protocol, and then nothing else is constrained.
    pub protocol: Option<u8>,
    /// Destination ports, for protocols that have them.
    pub ports: (u16, u16),
    /// ICMP types, for ICMP and ICMPv6.
    pub icmp_types: (u8, u8),
    /// ICMP codes, for ICMP and ICMPv6.
    pub icmp_codes: (u8, u8),
}

impl Service {
    /// Every packet.
    pub const ANY: Service =
        Service { protocol: None, ports: (0, u16::MAX), icmp_types: (0, u8::MAX), icmp_codes: (0, u8::MAX) };

    /// Every packet of a protocol.
    pub fn protocol(number: u8) -> Service {
        Service { protocol: Some(number), ..Service::ANY }
    }

    /// Packets of a protocol to a range of ports.
    pub fn ports(number: u8, low: u16, high: u16) -> Service {
        Service { ports: (low, high), ..Service::protocol(number) }
    }

    /// Packets of an ICMP with one type.
    pub fn icmp(number: u8, kind: u8) -> Service {
        Service { icmp_types: (kind, kind), ..Service::protocol(number) }
    }

    /// Whether the ports are constrained, so that a later fragment cannot show whether it belongs.
    pub fn names_ports(&self) -> bool {
        self.ports != Service::ANY.ports
            || self.icmp_types != Service::ANY.icmp_types
            || self.icmp_codes != Service::ANY.icmp_codes
    }

    /// Whether a packet, seen as its whole datagram, is of this service.
    pub fn contains(&self, packet: &Packet) -> bool {
        let Some(protocol) = self.protocol else { return true };
        let within = |(low, high): (u16, u16), value: u16| low <= value && value <= high;
        let small = |(low, high): (u8, u8), value: u8| low <= value && value <= high;
        packet.proto == protocol
            && (!proto::has_ports(protocol) || within(self.ports, packet.dport))
            && (!matches!(protocol, proto::ICMP | proto::ICMPV6)
                || (small(self.icmp_types, packet.icmp_type) && small(self.icmp_codes, packet.icmp_code)))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(protocol) = self.protocol else { return f.write_str("any") };
        match proto::name(protocol) {
            Some(name) => f.write_str(name)?,
            None => write!(f, "proto-{protocol}")?,
        }
        let (low, high) = self.ports;
        if proto::has_ports(protocol) && self.ports != Service::ANY.ports {
            write!(f, "/{low}")?;
            if low != high {
                write!(f, "-{high}")?;
            }
        }
        if self.icmp_types != Service::ANY.icmp_types {
            write!(f, "/{}", self.icmp_types.0)?;
        }
        Ok(())
    }
}
