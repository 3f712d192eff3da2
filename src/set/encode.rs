//! From fields, prefixes and packets to sets.

use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::Set;
use super::level::{DPORT, FAMILY, FLAGS, FRAGMENT, Field, ICMP_CODE, ICMP_TYPE, Level, PROTO, SPORT, Side};
use super::space::Space;
use crate::header::{AddressRange, Family, Fragment, Packet, address_number, proto};

/// A closed range of addresses as numbers.
type Range = (u128, u128);

impl Space {
    /// Packets whose field lies between two values, ends included. An upside-down range is empty; what lies
    /// beyond the field's largest value is cut off.
    pub fn field(&mut self, field: Field, low: u16, high: u16) -> Set {
        Set(self.ranged(field.level(), low, high, Set::FULL.0))
    }

    /// Packets whose field lies in one of the ranges, in any order, overlapping or not.
    pub fn field_in(&mut self, field: Field, ranges: &[RangeInclusive<u16>]) -> Set {
        let mut pieces: Vec<Range> = ranges
            .iter()
            .filter(|r| r.start() <= r.end() && *r.start() <= field.max())
            .map(|r| (u128::from(*r.start()), u128::from((*r.end()).min(field.max()))))
            .collect();
        normalise(&mut pieces);
        let from = self.scratch.len();
        let mut next = 0;
        for (low, high) in pieces {
            if low > next {
                self.emit(from, (low - 1) as u16, Set::EMPTY.0);
            }
            self.emit(from, high as u16, Set::FULL.0);
            next = high + 1;
        }
        if next <= u128::from(field.max()) {
            self.emit(from, field.max(), Set::EMPTY.0);
        }
        Set(self.make(field.level(), from))
    }

    /// Packets of one IP version.
    pub fn family(&mut self, family: Family) -> Set {
        let value = family as u16;
        self.field(Field::Family, value, value)
    }

    /// Packets with this protocol number.
    pub fn protocol(&mut self, number: u8) -> Set {
        self.field(Field::Proto, number.into(), number.into())
    }

    /// Packets whose port on a side lies in one of the ranges. This does not ask for a protocol with ports.
    pub fn ports(&mut self, side: Side, ranges: &[RangeInclusive<u16>]) -> Set {
        let field = match side {
            Side::Src => Field::Sport,
            Side::Dst => Field::Dport,
        };
        self.field_in(field, ranges)
    }

    /// Packets of one family's ICMP with this type, and this code if one is given.
    pub fn icmp(&mut self, family: Family, kind: u8, code: Option<u8>) -> Set {
        let code = code.map_or(Set::FULL.0, |c| self.ranged(ICMP_CODE, c.into(), c.into(), Set::FULL.0));
        let kind = self.ranged(ICMP_TYPE, kind.into(), kind.into(), code);
        let number = family.icmp().into();
        let protocol = self.ranged(PROTO, number, number, kind);
        Set(self.ranged(FAMILY, family as u16, family as u16, protocol))
    }

    /// Packets with `(flags & mask) == value`. This does not ask for TCP.
    pub fn flags(&mut self, mask: u8, value: u8) -> Set {
        let from = self.scratch.len();
        for flags in 0..=u8::MAX {
            let within = if flags & mask == value { Set::FULL } else { Set::EMPTY };
            self.emit(from, flags.into(), within.0);
        }
        Set(self.make(FLAGS, from))
    }

    /// Packets that are this part of a datagram.
    pub fn fragment(&mut self, fragment: Fragment) -> Set {
        let value = fragment as u16;
        Set(self.ranged(FRAGMENT, value, value, Set::FULL.0))
    }

    /// Packets with an address of a prefix on a side.
    pub fn prefix(&mut self, side: Side, prefix: IpNet) -> Set {
        self.addresses(side, &[prefix.into()])
    }

    /// Packets whose address on a side lies in one of the ranges, in any order, overlapping or not, of any
    /// family. Costs one sort and one walk, also for very many ranges. A range that is upside down, or
    /// whose ends are of two families, is empty.
    pub fn addresses(&mut self, side: Side, ranges: &[AddressRange]) -> Set {
        let from = self.scratch.len();
        for family in Family::ALL {
            let tree = self.family_addresses(side, family, ranges);
            self.emit(from, family as u16, tree);
        }
        Set(self.make(FAMILY, from))
    }

    fn family_addresses(&mut self, side: Side, family: Family, ranges: &[AddressRange]) -> u32 {
        let mut numbers: Vec<Range> = ranges
            .iter()
            .filter(|r| Family::of(r.low) == family && Family::of(r.high) == family && r.low <= r.high)
            .map(|r| (address_number(r.low), address_number(r.high)))
            .collect();
        if numbers.is_empty() {
            return Set::EMPTY.0;
        }
        normalise(&mut numbers);
        let last = side.first() + family.bits() / 16 - 1;
        self.limb_tree(side.first(), last, &numbers)
    }

    /// The diagram of sorted, disjoint, not adjacent ranges over the limbs `level..=last`.
    fn limb_tree(&mut self, level: Level, last: Level, ranges: &[Range]) -> u32 {
        let below = 16 * u32::from(last - level);
        let rest = (1_u128 << below) - 1;
        let pieces = limb_pieces(ranges, below, rest);
        let from = self.scratch.len();
        let mut next = 0_u32;
        let mut position = 0;
        while let Some(piece) = pieces.get(position) {
            if u32::from(piece.first) > next {
                self.emit(from, piece.first - 1, Set::EMPTY.0);
            }
            let whole = piece.inner == (0, rest);
            let same =
                pieces[position..].iter().take_while(|p| !whole && p.first == piece.first).count().max(1);
            let child = if whole {
                Set::FULL.0
            } else {
                let inner: Vec<Range> = pieces[position..position + same].iter().map(|p| p.inner).collect();
                self.limb_tree(level + 1, last, &inner)
            };
            self.emit(from, piece.last, child);
            next = u32::from(piece.last) + 1;
            position += same;
        }
        if next <= u32::from(u16::MAX) {
            self.emit(from, u16::MAX, Set::EMPTY.0);
        }
        self.make(level, from)
    }

    /// The packets that are this one in every field that its protocol has (and anything in the others,
    /// which do not exist in it). [`Space::sample`] of it is this packet again.
    pub fn packet(&mut self, packet: &Packet) -> Set {
        let mut node = self.ranged(FRAGMENT, packet.fragment as u16, packet.fragment as u16, Set::FULL.0);
        if packet.proto == proto::TCP {
            node = self.ranged(FLAGS, packet.flags.into(), packet.flags.into(), node);
        }
        if packet.proto == packet.family().icmp() {
            node = self.ranged(ICMP_CODE, packet.icmp_code.into(), packet.icmp_code.into(), node);
            node = self.ranged(ICMP_TYPE, packet.icmp_type.into(), packet.icmp_type.into(), node);
        }
        if proto::has_ports(packet.proto) {
            node = self.ranged(SPORT, packet.sport, packet.sport, node);
            node = self.ranged(DPORT, packet.dport, packet.dport, node);
        }
        node = self.ranged(PROTO, packet.proto.into(), packet.proto.into(), node);
        let src = self.addresses(Side::Src, &[AddressRange::single(packet.src)]);
        let dst = self.addresses(Side::Dst, &[AddressRange::single(packet.dst)]);
        let ends = self.intersect(src, dst);
        self.intersect(ends, Set(node))
    }
}

/// A part of a range: all limb values `first..=last`, each with the same rest.
struct Piece {
    first: u16,
    last: u16,
    inner: Range,
}

/// Cuts ranges at the borders of the most significant limb. `below` is the number of bits under that limb,
/// and `rest` the largest value of those bits.
fn limb_pieces(ranges: &[Range], below: u32, rest: u128) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(ranges.len() + 2);
    for (low, high) in ranges {
        let (mut first, mut last) = ((low >> below) as u16, (high >> below) as u16);
        let (start, end) = (low & rest, high & rest);
        if first == last {
            pieces.push(Piece { first, last, inner: (start, end) });
            continue;
        }
        if start > 0 {
            pieces.push(Piece { first, last: first, inner: (start, rest) });
            first += 1;
        }
        let tail = (end < rest).then_some(Piece { first: last, last, inner: (0, end) });
        if tail.is_some() {
            // `last` is above the old `first`, so it is not zero.
            last -= 1;
        }
        if first <= last {
            pieces.push(Piece { first, last, inner: (0, rest) });
        }
        pieces.extend(tail);
    }
    pieces
}

/// Sorts ranges and joins those that overlap or touch.
fn normalise(ranges: &mut Vec<Range>) {
    ranges.sort_unstable();
    let mut joined: Vec<Range> = Vec::with_capacity(ranges.len());
    for (low, high) in ranges.drain(..) {
        match joined.last_mut() {
            Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
            _ => joined.push((low, high)),
        }
    }
    *ranges = joined;
}
