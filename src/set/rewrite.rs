//! Forgetting the first bits of an address, so that others can take their place.

use super::Set;
use super::level::{Level, Side};
use super::node::TERMINALS;
use super::project::Known;
use super::space::Space;
use ipnet::IpNet;

/// First value, last value, node below.
type Piece = (u32, u32, u32);

impl Space {
    /// The packets of a set with the first bits of the address on a side replaced by those of a prefix. Packets of the
    /// other family drop out.
    pub fn move_to_prefix(&mut self, set: Set, side: Side, net: IpNet) -> Set {
        let moved = self.forget_prefix(set, side, net);
        let there = self.prefix(side, net);
        self.intersect(moved, there)
    }

    /// Packets of the family of a prefix that agree with one of a set in everything but the first bits, as many as the
    /// prefix is long, of the address on a side.
    pub fn forget_prefix(&mut self, set: Set, side: Side, net: IpNet) -> Set {
        let family = self.family(crate::header::Family::of(net.addr()));
        let set = self.intersect(set, family);
        let whole = net.prefix_len() / 16;
        let rest = net.prefix_len() % 16;
        let level = side.first() + whole;
        let set = self.forget_levels(set.0, side.first(), level);
        let set = if rest == 0 { set } else { self.fold(set, level, rest, &mut Known::default()) };
        // What lies below the addresses may have been made the same for both families.
        self.intersect(Set(set), family)
    }

    /// Forgets the first bits of one limb.
    fn fold(&mut self, id: u32, limb: Level, bits: u8, known: &mut Known) -> u32 {
        let level = self.level(id);
        if id < TERMINALS || level > limb || self.exhausted {
            return id;
        }
        if let Some(done) = known.get(&id) {
            return *done;
        }
        let result = if level < limb {
            self.map_edges(id, level, |space, child| space.fold(child, limb, bits, known))
        } else {
            let block = (1_u32 << (16 - bits)) - 1;
            let pieces = self.fold_edges(id, block);
            let from = self.scratch.len();
            for number in 0..1_u32 << bits {
                for (_, last, child) in &pieces {
                    self.emit(from, (number * (block + 1) + last) as u16, *child);
                }
            }
            self.make(limb, from)
        };
        known.insert(id, result);
        result
    }

    /// The edges of a node laid over each other: for each value within a block the union of what all blocks lead to.
    fn fold_edges(&mut self, id: u32, block: u32) -> Vec<Piece> {
        let mut laid: Vec<Piece> = Vec::new();
        let mut first = 0_u32;
        for edge in self.edges(id) {
            let last = u32::from(edge.end());
            if last - first >= block {
                laid.push((0, block, edge.child()));
            } else if first & block <= last & block {
                laid.push((first & block, last & block, edge.child()));
            } else {
                laid.push((first & block, block, edge.child()));
                laid.push((0, last & block, edge.child()));
            }
            first = last + 1;
        }
        let mut starts: Vec<u32> = laid.iter().flat_map(|(first, last, _)| [*first, last + 1]).collect();
        starts.push(0);
        starts.sort_unstable();
        starts.dedup();
        starts.retain(|start| *start <= block);
        let mut pieces = Vec::with_capacity(starts.len());
        for (index, start) in starts.iter().enumerate() {
            let last = starts.get(index + 1).map_or(block, |next| next - 1);
            let here: Vec<Set> = laid
                .iter()
                .filter(|(first, end, _)| first <= start && start <= end)
                .map(|(_, _, child)| Set(*child))
                .collect();
            pieces.push((*start, last, self.union_all(&here).0));
        }
        pieces
    }
}
