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

/// A connection as a device remembers it: the first packet as it came and as it went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Connection {
    /// The tuple of the packet as the device received it, or sent it itself.
    pub came: Tuple,
    /// Its tuple as it left, or was delivered. Another one if the device has translated it.
    pub went: Tuple,
    /// Whether filters take what follows it for established. Else it is only translated like it.
    pub admits: bool,
    /// Which send opened it, counted from 0.
    pub opened_by: usize,
}

/// A packet's place in a connection table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hit {
    /// How it relates to the connection.
    pub relation: Relation,
    /// The connection.
    pub connection: Connection,
}

impl Hit {
    /// What the packet becomes before it is routed: its destination is the other end as the connection knows it.
    pub fn incoming(self, packet: &Packet) -> Packet {
        let Connection { came, went, .. } = self.connection;
        let (address, port) = match self.relation {
            Relation::Repeats => (went.dst, went.to),
            Relation::Reverses => (came.src, came.from),
        };
        let dport = if proto::has_ports(packet.proto) { port } else { packet.dport };
        Packet { dst: address, dport, ..*packet }
    }

    /// What it becomes before it leaves: its source is this end as the other one knows it.
    pub fn outgoing(self, packet: &Packet) -> Packet {
        let Connection { came, went, .. } = self.connection;
        let (address, port) = match self.relation {
            Relation::Repeats => (went.src, went.from),
            Relation::Reverses => (came.dst, came.to),
        };
        let sport = if proto::has_ports(packet.proto) { port } else { packet.sport };
        Packet { src: address, sport, ..*packet }
    }
}

/// The connections of one node.
#[derive(Debug, Clone, Default)]
struct Table {
    /// By the tuple that repeats them.
    forth: BTreeMap<Tuple, Vec<Connection>>,
    /// By the tuple that reverses them.
    back: BTreeMap<Tuple, Vec<Connection>>,
    peers: BTreeSet<IpAddr>,
}

/// The connection tables of all nodes.
#[derive(Debug, Clone)]
pub struct Tables {
    tables: Vec<Table>,
}

impl Tables {
    /// Empty tables for so many nodes.
    pub fn new(nodes: usize) -> Tables {
        Tables { tables: vec![Table::default(); nodes] }
    }

    /// Opens the connection of a packet that came to a node and went on from it. Says whether it is new there.
    pub fn open(&mut self, node: NodeId, came: &Packet, went: &Packet, admits: bool, send: usize) -> bool {
        let (came, went) = (Tuple::of(came), Tuple::of(went));
        let connection = Connection { came, went, admits, opened_by: send };
        let table = &mut self.tables[node.index()];
        let known = table.forth.entry(came).or_default();
        if known.iter().any(|old| old.went == went && old.admits == admits) {
            return false;
        }
        known.push(connection);
        if let Some(answer) = went.reversed() {
            table.back.entry(answer).or_default().push(connection);
        }
        table.peers.extend([came.src, came.dst, went.src, went.dst]);
        true
    }

    /// The connections at a node that a packet may belong to. There are several where the node translates several to
    /// the same ends; which of them is open is up to those who open them.
    pub fn hits(&self, node: NodeId, packet: &Packet) -> Vec<Hit> {
        let table = &self.tables[node.index()];
        let tuple = Tuple::of(packet);
        let of = |relation, found: Option<&Vec<Connection>>| -> Vec<Hit> {
            found.into_iter().flatten().map(|one| Hit { relation, connection: *one }).collect()
        };
        let mut hits = of(Relation::Repeats, table.forth.get(&tuple));
        hits.extend(of(Relation::Reverses, table.back.get(&tuple)));
        hits
    }

    /// Whether another connection of the node has the ends that a new one would have behind the node, so that the two could
    /// not be told apart there. Of ICMP the identifiers do that, which no packet has here.
    pub fn is_taken(&self, node: NodeId, came: &Packet, went: &Packet) -> bool {
        let (came, went) = (Tuple::of(came), Tuple::of(went));
        let table = &self.tables[node.index()];
        let Some(answer) = went.reversed().filter(|_| !matches!(went.proto, proto::ICMP | proto::ICMPV6))
        else {
            return false;
        };
        let answered = table.back.get(&answer).into_iter().flatten().any(|other| other.came != came);
        answered || table.forth.contains_key(&answer)
    }

    /// Whether the address is an end of an open connection at the node.
    pub fn is_peer(&self, node: NodeId, address: IpAddr) -> bool {
        self.tables[node.index()].peers.contains(&address)
    }

    /// The ends of all connections of a node, before and behind its translations.
    pub fn peers(&self, node: NodeId) -> impl Iterator<Item = IpAddr> + '_ {
        self.tables[node.index()].peers.iter().copied()
    }
}

/// Which states a packet may have at a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct States {
    /// The open connections that it may belong to.
    pub hits: Vec<Hit>,
    /// The states that it has if it comes before any connection is open. With more than one it is not known which.
    pub fresh: &'static [State],
    /// Whether it may be an error about an open connection.
    pub related: bool,
}

/// The states of a packet at a node, given the tables. A node that does not track sees nothing but new packets.
pub fn states(view: &View<'_>, tables: &Tables, node: NodeId, packet: &Packet) -> States {
    if !view.tracks(node) {
        return States { hits: Vec::new(), fresh: &[State::New], related: false };
    }
    States {
        hits: tables.hits(node, packet),
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
