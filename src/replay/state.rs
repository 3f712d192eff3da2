//! Connection tables: what a device remembers, and which states a packet may have there (SEMANTICS.md section 5).

use super::view::View;
use crate::header::{Packet, proto, tcp_flags};
use crate::model::{NodeId, State};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What identifies a connection in one direction: the two ends with their ports, or the ICMP type and code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tuple {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Protocol number.
    pub proto: u8,
    /// Source port, or ICMP type, or zero.
    pub from: u16,
    /// Destination port, or ICMP code, or zero.
    pub to: u16,
}

impl Tuple {
    /// The tuple of a packet. Fragments count as their datagram: who tracks, reassembles.
    pub fn of(packet: &Packet) -> Tuple {
        let (from, to) = if is_icmp(packet) {
            (u16::from(packet.icmp_type), u16::from(packet.icmp_code))
        } else if proto::has_ports(packet.proto) {
            (packet.sport, packet.dport)
        } else {
            (0, 0)
        };
        Tuple { src: packet.src, dst: packet.dst, proto: packet.proto, from, to }
    }

    /// The tuple of what answers it, if anything does.
    pub fn reversed(self) -> Option<Tuple> {
        let (from, to) = match self.proto {
            proto::ICMP | proto::ICMPV6 => (icmp_reverse(self.proto, self.from)?, self.to),
            _ => (self.to, self.from),
        };
        Some(Tuple { src: self.dst, dst: self.src, proto: self.proto, from, to })
    }
}

fn is_icmp(packet: &Packet) -> bool {
    matches!(packet.proto, proto::ICMP | proto::ICMPV6)
}

/// The type that answers an ICMP type, in either direction (RFC 792, RFC 950, RFC 4443, RFC 4620).
fn icmp_reverse(protocol: u8, kind: u16) -> Option<u16> {
    const V4: [(u16, u16); 4] = [(8, 0), (13, 14), (15, 16), (17, 18)];
    const V6: [(u16, u16); 2] = [(128, 129), (139, 140)];
    let pairs: &[(u16, u16)] = if protocol == proto::ICMP { &V4 } else { &V6 };
    let forth = pairs.iter().find(|(request, _)| *request == kind).map(|(_, reply)| *reply);
    forth.or_else(|| pairs.iter().find(|(_, reply)| *reply == kind).map(|(request, _)| *request))
}

/// How a packet relates to an open connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// It has the tuple that was opened.
    Repeats,
    /// It answers it.
    Reverses,
}

/// A packet's place in a connection table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hit {
    /// How it relates to the connection.
    pub relation: Relation,
    /// Which send opened it, counted from 0.
    pub opened_by: usize,
}

/// The connection tables of all nodes.
#[derive(Debug, Clone)]
pub struct Tables {
    open: Vec<BTreeMap<Tuple, usize>>,
    peers: Vec<BTreeSet<IpAddr>>,
}

impl Tables {
    /// Empty tables for so many nodes.
    pub fn new(nodes: usize) -> Tables {
        Tables { open: vec![BTreeMap::new(); nodes], peers: vec![BTreeSet::new(); nodes] }
    }

    /// Opens the connection of a packet at a node. Says whether it is new there.
    pub fn open(&mut self, node: NodeId, packet: &Packet, send: usize) -> bool {
        let tuple = Tuple::of(packet);
        if self.open[node.index()].contains_key(&tuple) {
            return false;
        }
        self.open[node.index()].insert(tuple, send);
        self.peers[node.index()].extend([tuple.src, tuple.dst]);
        true
    }

    /// The connection at a node that a packet belongs to.
    pub fn hit(&self, node: NodeId, packet: &Packet) -> Option<Hit> {
        let open = &self.open[node.index()];
        let tuple = Tuple::of(packet);
        let repeats = open.get(&tuple).map(|send| Hit { relation: Relation::Repeats, opened_by: *send });
        repeats.or_else(|| {
            let send = open.get(&tuple.reversed()?)?;
            Some(Hit { relation: Relation::Reverses, opened_by: *send })
        })
    }

    /// Whether the address is an end of an open connection at the node.
    pub fn is_peer(&self, node: NodeId, address: IpAddr) -> bool {
        self.peers[node.index()].contains(&address)
    }
}

/// Which states a packet may have at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct States {
    /// Set if it belongs to an open connection.
    pub hit: Option<Hit>,
    /// Whether it is certainly established then: see [`is_certainly_established`].
    pub certain: bool,
    /// The states that it has if it comes before any connection is open. With more than one it is not known which.
    pub fresh: &'static [State],
    /// Whether it may be an error about an open connection.
    pub related: bool,
}

/// The states of a packet at a node, given the tables. A node that does not track sees nothing but new packets.
pub fn states(view: &View<'_>, tables: &Tables, node: NodeId, packet: &Packet) -> States {
    if !view.tracks(node) {
        return States { hit: None, certain: false, fresh: &[State::New], related: false };
    }
    let hit = tables.hit(node, packet);
    States {
        hit,
        certain: hit.is_some_and(|hit| is_certainly_established(hit, packet)),
        fresh: fresh(packet),
        related: view.is_may() && is_icmp_error(packet) && tables.is_peer(node, packet.dst),
    }
}

/// Whether the tracker of Linux certainly counts a packet of an open connection as established. A packet that only repeats
/// what opened it is new until an answer comes, and of TCP an answer with other flags than these may be invalid
/// (`nf_conntrack_proto_tcp.c`: the table of states, and the valid combinations of flags).
pub fn is_certainly_established(hit: Hit, packet: &Packet) -> bool {
    use tcp_flags::{ACK, FIN, RST, SYN, URG};
    let flags = packet.flags & (FIN | SYN | RST | ACK | URG);
    let answers = [SYN, SYN | ACK, RST, RST | ACK, ACK, ACK | URG].contains(&flags);
    hit.relation == Relation::Reverses && (packet.proto != proto::TCP || answers)
}

/// The possible states of a packet that belongs to no open connection.
pub fn fresh(packet: &Packet) -> &'static [State] {
    const OPENS: &[State] = &[State::New];
    const UNCLEAR: &[State] = &[State::New, State::Invalid, State::Untracked];
    let opens = match packet.proto {
        proto::TCP => {
            let stops = tcp_flags::ACK | tcp_flags::RST | tcp_flags::FIN;
            packet.flags & tcp_flags::SYN != 0 && packet.flags & stops == 0
        }
        proto::ICMP => matches!(packet.icmp_type, 8 | 13 | 15 | 17),
        proto::ICMPV6 => matches!(packet.icmp_type, 128 | 139),
        _ => true,
    };
    if opens { OPENS } else { UNCLEAR }
}

/// Whether the packet is an ICMP message that speaks about another packet (RFC 792, RFC 4443; redirects too).
pub fn is_icmp_error(packet: &Packet) -> bool {
    match packet.proto {
        proto::ICMP => matches!(packet.icmp_type, 3 | 4 | 5 | 11 | 12),
        proto::ICMPV6 => matches!(packet.icmp_type, 1 | 2 | 3 | 4 | 137),
        _ => false,
    }
}
