//! From sets to packets: membership, the smallest packet, boxes for people, sizes.

use super::Set;
use super::level::{
    BOTTOM, DPORT, DST, FAMILY, FLAGS, FRAGMENT, Field, ICMP_CODE, ICMP_TYPE, Level, PROTO, SPORT, SRC, Side,
    max,
};
use super::node::{Edge, TERMINALS};
use super::project::Known;
use super::space::Space;
use crate::header::{Family, Fragment, Packet, address_from_number, address_number, proto};

/// The value of each level in one packet.
type Values = [u16; BOTTOM as usize];

impl Space {
    /// Whether the packet is in the set.
    pub fn contains(&self, set: Set, packet: &Packet) -> bool {
        let values = values(packet);
        let mut id = set.0;
        while id >= TERMINALS {
            id = self.child_at(id, values[usize::from(self.level(id))]);
        }
        id == Set::FULL.0
    }

    /// Packets as they exist: a field that the protocol does not have is zero. Ports belong to TCP, UDP,
    /// SCTP, DCCP and UDP-Lite, type and code to the ICMP of the packet's own family, flags to TCP.
    pub fn well_formed(&mut self) -> Set {
        if let Some(known) = self.well_formed {
            return known;
        }
        let zero = |space: &mut Space, field| space.field(field, 0, 0);
        let no_ports = [zero(self, Field::Dport), zero(self, Field::Sport)];
        let no_ports = self.intersect(no_ports[0], no_ports[1]);
        let no_icmp = [zero(self, Field::IcmpType), zero(self, Field::IcmpCode)];
        let no_icmp = self.intersect(no_icmp[0], no_icmp[1]);
        let no_flags = zero(self, Field::Flags);
        let mut with_ports = Set::EMPTY;
        for number in (0..=u8::MAX).filter(|number| proto::has_ports(*number)) {
            let one = self.protocol(number);
            with_ports = self.union(with_ports, one);
        }
        let mut with_icmp = Set::EMPTY;
        for family in Family::ALL {
            let icmp = self.protocol(family.icmp());
            let family = self.family(family);
            let icmp = self.intersect(family, icmp);
            with_icmp = self.union(with_icmp, icmp);
        }
        let tcp = self.protocol(proto::TCP);
        let ports = self.union(with_ports, no_ports);
        let icmp = self.union(with_icmp, no_icmp);
        let flags = self.union(tcp, no_flags);
        let all = self.intersect(ports, icmp);
        let all = self.intersect(all, flags);
        self.well_formed = (!self.exhausted).then_some(all);
        all
    }

    /// The smallest well-formed packet of a set in the order family, source, destination, protocol,
    /// destination port, source port, ICMP type, code, flags, fragment; the same whatever was made before
    /// it. But where an address may be that of a network, a multiple of four, it takes the next that is not, if
    /// there is one: a usual host. `None` if the set has no well-formed packet: a set that was never
    /// intersected with [`Space::well_formed`] may have others.
    pub fn sample(&mut self, set: Set) -> Option<Packet> {
        let real = self.well_formed();
        let real = self.intersect(set, real);
        if real.is_empty() || self.exhausted {
            return None;
        }
        let mut least = [0; BOTTOM as usize];
        let mut id = real.0;
        let mut next = FAMILY;
        while id >= TERMINALS {
            let (level, edges) = self.node(id);
            // Levels that are skipped take any value.
            (next..level).for_each(|free| least[usize::from(free)] = usual(&least, free, 0, max(free)));
            next = level + 1;
            let (value, child) = pick(&least, level, edges)?;
            least[usize::from(level)] = value;
            id = child;
        }
        (next..BOTTOM).for_each(|free| least[usize::from(free)] = usual(&least, free, 0, max(free)));
        Some(packet(&least))
    }

    /// Binary logarithm of the number of headers in a set, for ranking: how many combinations of field
    /// values there are, addresses counted in their own width. Minus infinity for the empty set.
    pub fn log2_size(&self, set: Set) -> f64 {
        let fields: f64 = (PROTO..BOTTOM).map(|level| (f64::from(max(level)) + 1.0).log2()).sum();
        let mut known = Known::default();
        let families = Family::ALL.map(|family| {
            let child = if self.level(set.0) == FAMILY { self.child_at(set.0, family as u16) } else { set.0 };
            let share = self.share(child, &mut known);
            let bits = fields + 2.0 * f64::from(family.bits());
            share * bits.exp2()
        });
        families.iter().sum::<f64>().log2()
    }

    /// The part of all value combinations that a diagram holds, between 0 and 1. Only sums of positive
    /// numbers, so the relative error stays small, also for one packet of 2^322.
    fn share(&self, id: u32, known: &mut Known<f64>) -> f64 {
        if id < TERMINALS {
            return f64::from(u8::from(id == Set::FULL.0));
        }
        if let Some(done) = known.get(&id) {
            return *done;
        }
        let (level, edges) = self.node(id);
        let mut sum = 0.0;
        let mut below = -1.0;
        for edge in edges {
            let end = f64::from(edge.end());
            sum += (end - below) * self.share(edge.child(), known);
            below = end;
        }
        let share = sum / (f64::from(max(level)) + 1.0);
        known.insert(id, share);
        share
    }

    /// The node that a value leads to from a node that is not a terminal.
    pub(super) fn child_at(&self, id: u32, value: u16) -> u32 {
        let edges = self.edges(id);
        // The last edge ends with the largest value of the level, which no packet exceeds.
        let position = edges.partition_point(|edge| edge.end() < value).min(edges.len() - 1);
        edges[position].child()
    }

    /// Number of nodes that a set is made of, terminals not counted.
    pub fn node_count(&self, set: Set) -> usize {
        let mut seen = Known::default();
        let mut open = vec![set.0];
        while let Some(id) = open.pop() {
            if id >= TERMINALS && seen.insert(id, ()).is_none() {
                open.extend(self.edges(id).iter().map(|edge| edge.child()));
            }
        }
        seen.len()
    }
}

/// The value that a sample takes at a level, and the node behind it: the smallest, but of the last limb of an address rather
/// one at which no network begins.
fn pick(above: &Values, level: Level, edges: &[Edge]) -> Option<(u16, u32)> {
    let firsts = std::iter::once(0).chain(edges.iter().map(|edge| edge.end().saturating_add(1)));
    let full = || firsts.clone().zip(edges).filter(|(_, edge)| edge.child() != Set::EMPTY.0);
    let taken = |(first, edge): (u16, &Edge)| (usual(above, level, first, edge.end()), edge.child());
    let may_be_network = |value: u16| is_last_limb(above, level) && value.is_multiple_of(4);
    full().map(taken).find(|(value, _)| !may_be_network(*value)).or_else(|| full().map(taken).next())
}

/// Of a range of values at a level the one that a sample takes: the first, but of the last limb of an address rather the
/// second where a network may begin at the first.
fn usual(above: &Values, level: Level, first: u16, last: u16) -> u16 {
    if is_last_limb(above, level) && first.is_multiple_of(4) && first < last { first + 1 } else { first }
}

/// Whether a level is the least significant limb of an address, by the family above it.
fn is_last_limb(above: &Values, level: Level) -> bool {
    let family = if above[usize::from(FAMILY)] == 0 { Family::V4 } else { Family::V6 };
    [SRC, DST].iter().any(|side| level == side + family.bits() / 16 - 1)
}

/// The 16-bit limbs of an address, most significant first.
fn put_address(values: &mut Values, side: Side, address: std::net::IpAddr) {
    let limbs = Family::of(address).bits() / 16;
    let number = address_number(address);
    for limb in 0..limbs {
        values[usize::from(side.first() + limb)] = (number >> (16 * u32::from(limbs - 1 - limb))) as u16;
    }
}

fn values(packet: &Packet) -> Values {
    let mut values = [0; BOTTOM as usize];
    let mut put = |level: Level, value: u16| values[usize::from(level)] = value;
    put(FAMILY, packet.family() as u16);
    put(PROTO, packet.proto.into());
    put(DPORT, packet.dport);
    put(SPORT, packet.sport);
    put(ICMP_TYPE, packet.icmp_type.into());
    put(ICMP_CODE, packet.icmp_code.into());
    put(FLAGS, packet.flags.into());
    put(FRAGMENT, packet.fragment as u16);
    put_address(&mut values, Side::Src, packet.src);
    put_address(&mut values, Side::Dst, packet.dst);
    values
}

fn packet(values: &Values) -> Packet {
    let at = |level: Level| values[usize::from(level)];
    let family = if at(FAMILY) == 0 { Family::V4 } else { Family::V6 };
    let address = |first: Level| {
        let limbs = first..first + family.bits() / 16;
        address_from_number(family, limbs.fold(0, |number, limb| number << 16 | u128::from(at(limb))))
    };
    Packet {
        src: address(SRC),
        dst: address(DST),
        proto: at(PROTO) as u8,
        sport: at(SPORT),
        dport: at(DPORT),
        icmp_type: at(ICMP_TYPE) as u8,
        icmp_code: at(ICMP_CODE) as u8,
        flags: at(FLAGS) as u8,
        fragment: match at(FRAGMENT) {
            0 => Fragment::Whole,
            1 => Fragment::First,
            _ => Fragment::Later,
        },
    }
}
