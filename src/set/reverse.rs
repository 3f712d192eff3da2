//! The packet in the other direction: source and destination change places.

use super::Set;
use super::level::{BOTTOM, DPORT, DST, FAMILY, FLAGS, Field, ICMP_TYPE, Level, PROTO, SPORT, SRC};
use super::node::TERMINALS;
use super::project::Known;
use super::space::Space;
use crate::header::Family;

const EMPTY: u32 = Set::EMPTY.0;

/// Requests and replies of ICMP: echo, timestamp, information, address mask (RFC 792, RFC 950), echo and node information
/// (RFC 4443, RFC 4620).
const ASKED: [(Family, u8, u8); 6] = [
    (Family::V4, 8, 0),
    (Family::V4, 13, 14),
    (Family::V4, 15, 16),
    (Family::V4, 17, 18),
    (Family::V6, 128, 129),
    (Family::V6, 139, 140),
];

/// What happens below two blocks of levels that change places.
type Tail<'a> = &'a mut dyn FnMut(&mut Space, u32) -> u32;

impl Space {
    /// Packets with source and destination, address and port, swapped; everything else is kept.
    pub fn mirror(&mut self, set: Set) -> Set {
        if self.exhausted {
            return Set::EMPTY;
        }
        let mut tails = Known::default();
        let mut tail = |space: &mut Space, id: u32| space.mirror_ports(id, &mut tails);
        if self.level(set.0) > FAMILY {
            return Set(self.swap(set.0, SRC, DST, PROTO, &mut tail));
        }
        Set(self.map_edges(set.0, FAMILY, |space, child| space.swap(child, SRC, DST, PROTO, &mut tail)))
    }

    /// The replies to a set of packets, for a device that keeps state: addresses and ports swapped. A request of
    /// ICMP, such as echo, becomes its reply and the other way round, with its code; other ICMP has no reply of
    /// its own kind and drops out. TCP flags and fragment of a reply are free.
    pub fn reverse(&mut self, set: Set) -> Set {
        let mut parts = Vec::with_capacity(2 * ASKED.len() + 1);
        let mut rest = set;
        for (family, request, reply) in ASKED {
            let number = family.icmp();
            let icmp = self.protocol(number);
            let family = self.family(family);
            let icmp = self.intersect(icmp, family);
            let own = self.intersect(set, icmp);
            rest = self.minus(rest, icmp);
            for (from, to) in [(request, reply), (reply, request)] {
                let kind = self.field(Field::IcmpType, from.into(), from.into());
                let sent = self.intersect(own, kind);
                let sent = self.forget(sent, Field::IcmpType);
                let kind = self.field(Field::IcmpType, to.into(), to.into());
                parts.push(self.intersect(sent, kind));
            }
        }
        parts.push(rest);
        let answered = self.union_all(&parts);
        let free = self.forget_levels(answered.0, FLAGS, BOTTOM);
        self.mirror(Set(free))
    }

    /// Swaps the ports of a diagram that starts at the protocol or below.
    fn mirror_ports(&mut self, id: u32, known: &mut Known) -> u32 {
        if let Some(done) = known.get(&id) {
            return *done;
        }
        let mut same = |_: &mut Space, id: u32| id;
        let result = if self.level(id) > PROTO {
            self.swap(id, DPORT, SPORT, ICMP_TYPE, &mut same)
        } else {
            self.map_edges(id, PROTO, |space, child| space.swap(child, DPORT, SPORT, ICMP_TYPE, &mut same))
        };
        known.insert(id, result);
        result
    }

    /// Swaps the block of levels `first..second` with the block `second..end` of the same length; the
    /// diagram starts at `first` or below. `tail` replaces what stands below both.
    fn swap(&mut self, id: u32, first: Level, second: Level, end: Level, tail: Tail<'_>) -> u32 {
        let distance = i16::from(second - first);
        let mut swapped = Vec::new();
        for (upper, lower) in self.partition_below(Set(id), second) {
            let upper = self.shift(upper.0, first, distance, &mut Known::default());
            // The packets of one part are a product: all of `upper` before all of `lower`. So the lower
            // block moves up as it is, and the upper block is put at each of its ends.
            let graft = Graft { upper, distance, end };
            swapped.push(Set(self.graft(lower.0, &graft, tail, &mut Known::default())));
        }
        self.union_all(&swapped).0
    }

    fn graft(&mut self, id: u32, graft: &Graft, tail: Tail<'_>, known: &mut Known) -> u32 {
        if id == EMPTY || self.exhausted {
            return EMPTY;
        }
        if let Some(done) = known.get(&id) {
            return *done;
        }
        let level = self.level(id);
        let result = if id < TERMINALS || level >= graft.end {
            let below = tail(self, id);
            self.intersect(Set(graft.upper), Set(below)).0
        } else {
            let moved = (i16::from(level) - graft.distance) as Level;
            self.map_edges(id, moved, |space, child| space.graft(child, graft, tail, known))
        };
        known.insert(id, result);
        result
    }
}

/// How the lower of two blocks is moved above the upper one.
struct Graft {
    /// The upper block, already at its new levels.
    upper: u32,
    distance: i16,
    /// One past the last level of the lower block.
    end: Level,
}
