//! Sets as people read them: disjoint boxes, a range for each field.

use std::fmt;
use std::ops::RangeInclusive;

use super::Set;
use super::level::{
    BOTTOM, DPORT, FAMILY, FLAGS, FRAGMENT, ICMP_CODE, ICMP_TYPE, Level, PROTO, SPORT, Side, max,
};
use super::node::Edge;
use super::space::Space;
use crate::header::{AddressRange, Family, address_from_number, proto};

const EMPTY: u32 = Set::EMPTY.0;
/// Number of levels below the addresses.
const FIELDS: usize = (BOTTOM - PROTO) as usize;

/// A product of ranges, one for each field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PacketBox {
    /// Source addresses.
    pub src: AddressRange,
    /// Destination addresses, of the same family.
    pub dst: AddressRange,
    /// Protocol numbers.
    pub proto: RangeInclusive<u16>,
    /// Destination ports.
    pub dport: RangeInclusive<u16>,
    /// Source ports.
    pub sport: RangeInclusive<u16>,
    /// ICMP types.
    pub icmp_type: RangeInclusive<u16>,
    /// ICMP codes.
    pub icmp_code: RangeInclusive<u16>,
    /// TCP flags as numbers.
    pub flags: RangeInclusive<u16>,
    /// 0 whole, 1 first, 2 later fragment.
    pub fragment: RangeInclusive<u16>,
}

impl PacketBox {
    /// The family of its addresses.
    pub fn family(&self) -> Family {
        self.src.family()
    }
}

impl fmt::Display for PacketBox {
    /// `10.0.0.0-10.0.0.255 → 192.0.2.9, proto tcp, dport 443`: only the fields that are constrained.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = |range: &AddressRange| {
            if *range == AddressRange::all(range.family()) {
                format!("any {}", range.family())
            } else if range.low == range.high {
                range.low.to_string()
            } else {
                format!("{}-{}", range.low, range.high)
            }
        };
        write!(f, "{} → {}", addresses(&self.src), addresses(&self.dst))?;
        let fields = [
            ("proto", PROTO, &self.proto),
            ("dport", DPORT, &self.dport),
            ("sport", SPORT, &self.sport),
            ("icmp-type", ICMP_TYPE, &self.icmp_type),
            ("icmp-code", ICMP_CODE, &self.icmp_code),
            ("flags", FLAGS, &self.flags),
            ("fragment", FRAGMENT, &self.fragment),
        ];
        for (name, level, range) in fields {
            let (low, high) = (*range.start(), *range.end());
            if (low, high) == (0, max(level)) {
                continue;
            }
            let word = u8::try_from(low).ok().filter(|_| level == PROTO && low == high).and_then(proto::name);
            match word {
                Some(word) => write!(f, ", {name} {word}")?,
                None if low == high => write!(f, ", {name} {low}")?,
                None => write!(f, ", {name} {low}-{high}")?,
            }
        }
        Ok(())
    }
}

/// The range of each level below the addresses, ends included.
type Ranges = [(u16, u16); FIELDS];

/// Address ranges of one side, in order, each with the node it leads to.
type Branches = Vec<(AddressRange, u32)>;

impl Space {
    /// The set as disjoint boxes, in the order of their smallest packets, at most `limit` of them (ask for
    /// one more than is shown, to know whether there are more). Never empty for a set that is not.
    pub fn boxes(&self, set: Set, limit: usize) -> Vec<PacketBox> {
        let mut found = Vec::new();
        for family in Family::ALL {
            let root = if self.level(set.0) == FAMILY { self.child_at(set.0, family as u16) } else { set.0 };
            for (src, below) in self.branches(root, Side::Src, family, limit) {
                let rest = limit - found.len();
                for (dst, below) in self.branches(below, Side::Dst, family, rest) {
                    let mut ranges = std::array::from_fn(|i| (0, max(PROTO + i as Level)));
                    self.field_boxes(below, &mut ranges, limit, &mut |ranges| {
                        found.push(packet_box(src, dst, ranges));
                        found.len() < limit
                    });
                    if found.len() >= limit {
                        return found;
                    }
                }
            }
        }
        found
    }

    fn branches(&self, id: u32, side: Side, family: Family, limit: usize) -> Branches {
        let mut found: Vec<(u128, u128, u32)> = Vec::new();
        self.address_ranges(id, side, family, (0, side.first()), limit, &mut found);
        let address = |number| address_from_number(family, number);
        let branch = |(low, high, id)| (AddressRange { low: address(low), high: address(high) }, id);
        found.into_iter().map(branch).collect()
    }

    /// Adds the address ranges below a node, whose higher limbs are `prefix` and end before level `next`.
    /// One more than the limit may be found: that one may still be cut short, so the caller must not need
    /// it.
    fn address_ranges(
        &self,
        id: u32,
        side: Side,
        family: Family,
        (prefix, next): (u128, Level),
        limit: usize,
        found: &mut Vec<(u128, u128, u32)>,
    ) {
        if id == EMPTY || found.len() > limit {
            return;
        }
        let end = side.first() + family.bits() / 16;
        if self.level(id) >= end {
            let rest = 16 * u32::from(end - next);
            let low = prefix.checked_shl(rest).unwrap_or(0);
            let high = low | 1_u128.checked_shl(rest).map_or(u128::MAX, |size| size - 1);
            return add_range(found, low, high, id);
        }
        // A level that the node skips takes every value.
        let skipped = [Edge::new(u16::MAX, id)];
        let edges = if self.level(id) == next { self.edges(id) } else { &skipped };
        let mut value = 0_u32;
        for edge in edges {
            let (last, child) = (edge.end(), edge.child());
            let below = self.level(child) >= end;
            while value <= u32::from(last) && child != EMPTY && found.len() <= limit {
                let prefix = prefix << 16 | u128::from(value);
                if below {
                    let rest = 16 * u32::from(end - next - 1);
                    let high = (prefix - u128::from(value)) | u128::from(last);
                    add_range(found, prefix << rest, high << rest | ((1 << rest) - 1), child);
                    break;
                }
                self.address_ranges(child, side, family, (prefix, next + 1), limit, found);
                value += 1;
            }
            value = u32::from(last) + 1;
        }
    }

    /// Calls `each` with every combination of field ranges below a node; false ends the walk.
    fn field_boxes(
        &self,
        id: u32,
        ranges: &mut Ranges,
        limit: usize,
        each: &mut dyn FnMut(&Ranges) -> bool,
    ) -> bool {
        if id == EMPTY || limit == 0 {
            return id == EMPTY;
        }
        let level = self.level(id);
        if level == BOTTOM {
            return each(ranges);
        }
        let place = usize::from(level - PROTO);
        let mut low = 0;
        for edge in self.edges(id) {
            ranges[place] = (low, edge.end());
            if !self.field_boxes(edge.child(), ranges, limit, each) {
                return false;
            }
            low = edge.end().wrapping_add(1);
        }
        ranges[place] = (0, max(level));
        true
    }
}

/// Adds a range, joined with the one before it if they touch and lead to the same node.
fn add_range(found: &mut Vec<(u128, u128, u32)>, low: u128, high: u128, id: u32) {
    match found.last_mut() {
        Some(last) if last.2 == id && low > 0 && last.1 == low - 1 => last.1 = high,
        _ => found.push((low, high, id)),
    }
}

fn packet_box(src: AddressRange, dst: AddressRange, ranges: &Ranges) -> PacketBox {
    let at = |level: Level| {
        let (low, high) = ranges[usize::from(level - PROTO)];
        low..=high
    };
    PacketBox {
        src,
        dst,
        proto: at(PROTO),
        dport: at(DPORT),
        sport: at(SPORT),
        icmp_type: at(ICMP_TYPE),
        icmp_code: at(ICMP_CODE),
        flags: at(FLAGS),
        fragment: at(FRAGMENT),
    }
}
