//! Forgetting fields, and moving what is said about one side to the other.
//!
//! Every node but the empty set has a packet below it, so "there is a value below" is "not empty".

use rustc_hash::FxHashMap;

use super::Set;
use super::level::{BOTTOM, DST, Field, LIMBS, Level, PROTO, SRC, Side};
use super::node::TERMINALS;
use super::space::Space;

const EMPTY: u32 = Set::EMPTY.0;
const FULL: u32 = Set::FULL.0;

/// Results of one walk over one diagram, by node.
pub(super) type Known<T = u32> = FxHashMap<u32, T>;

/// First value, last value, node below.
type Span = (u16, u16, u32);

impl Space {
    /// The sources of a set: packets that agree in family and source address with one of it.
    pub fn project_src(&mut self, set: Set) -> Set {
        Set(self.forget_levels(set.0, DST, BOTTOM))
    }

    /// The ends of a set: packets that agree in family and both addresses with one of it.
    pub fn project_ends(&mut self, set: Set) -> Set {
        Set(self.forget_levels(set.0, PROTO, BOTTOM))
    }

    /// The destinations of a set: packets that agree in family and destination address with one of it.
    pub fn project_dst(&mut self, set: Set) -> Set {
        let ends = self.forget_levels(set.0, PROTO, BOTTOM);
        Set(self.forget_levels(ends, SRC, DST))
    }

    /// Packets that agree with one of the set in everything but this field (family excepted: to forget it
    /// would mix addresses of two sizes, so the set is returned as it is).
    pub fn forget(&mut self, set: Set, field: Field) -> Set {
        let level = field.level();
        if field == Field::Family { set } else { Set(self.forget_levels(set.0, level, level + 1)) }
    }

    /// Packets that agree with one of the set in everything but the address of a side; the family is kept.
    pub fn forget_address(&mut self, set: Set, side: Side) -> Set {
        Set(self.forget_levels(set.0, side.first(), side.end()))
    }

    /// Packets with a destination address that is a source address of the set: the sources, as
    /// destinations.
    pub fn src_as_dst(&mut self, set: Set) -> Set {
        let sources = self.project_src(set);
        Set(self.shift(sources.0, SRC, i16::from(LIMBS), &mut Known::default()))
    }

    /// Packets with a source address that is a destination address of the set: the destinations, as
    /// sources.
    pub fn dst_as_src(&mut self, set: Set) -> Set {
        let destinations = self.project_dst(set);
        Set(self.shift(destinations.0, DST, -i16::from(LIMBS), &mut Known::default()))
    }

    /// Exists over the levels `first..end`.
    pub(super) fn forget_levels(&mut self, id: u32, first: Level, end: Level) -> u32 {
        self.forget_node(id, first, end, &mut Known::default())
    }

    fn forget_node(&mut self, id: u32, first: Level, end: Level, known: &mut Known) -> u32 {
        let level = self.level(id);
        if level >= end || id < TERMINALS || self.exhausted {
            return id;
        }
        if end == BOTTOM && level >= first {
            return FULL;
        }
        if let Some(done) = known.get(&id) {
            return *done;
        }
        let result = if level >= first {
            let mut below = Vec::new();
            self.below(id, end, &mut Known::default(), &mut below);
            self.union_all(&below)
        } else {
            Set(self.map_edges(id, level, |space, child| space.forget_node(child, first, end, known)))
        };
        known.insert(id, result.0);
        result.0
    }

    /// The different nodes at or below a level that a node leads to, in the order of the values that lead
    /// there, without the empty set.
    fn below(&self, id: u32, cut: Level, seen: &mut Known<()>, found: &mut Vec<Set>) {
        if id == EMPTY || seen.insert(id, ()).is_some() {
            return;
        }
        if self.level(id) >= cut {
            found.push(Set(id));
            return;
        }
        for edge in self.edges(id) {
            self.below(edge.child(), cut, seen, found);
        }
    }

    /// The node of a level with the edges of another, each child replaced.
    pub(super) fn map_edges(
        &mut self,
        id: u32,
        level: Level,
        mut replace: impl FnMut(&mut Space, u32) -> u32,
    ) -> u32 {
        let from = self.scratch.len();
        for position in 0..self.edges(id).len() {
            let edge = self.edges(id)[position];
            let child = replace(self, edge.child());
            self.emit(from, edge.end(), child);
        }
        self.make(level, from)
    }

    /// Moves every level from `first` on by `distance`; the caller knows that they stay in order and in
    /// range.
    pub(super) fn shift(&mut self, id: u32, first: Level, distance: i16, known: &mut Known) -> u32 {
        if id < TERMINALS || self.exhausted {
            return id;
        }
        if let Some(done) = known.get(&id) {
            return *done;
        }
        let level = self.level(id);
        let moved = if level < first { level } else { (i16::from(level) + distance) as Level };
        let result = self.map_edges(id, moved, |space, child| space.shift(child, first, distance, known));
        known.insert(id, result);
        result
    }

    /// Splits a set at a level: for each different function of the levels from `cut` on, that function and
    /// the packets (told apart by the levels above only) that lead to it. The upper sets are disjoint; the
    /// lower ones differ and are not empty; the set is the union of `upper ∩ lower`. In the order of the
    /// smallest upper values, whatever the node numbers are.
    pub(super) fn partition_below(&mut self, set: Set, cut: Level) -> Vec<(Set, Set)> {
        if self.exhausted {
            return Vec::new();
        }
        self.partition_node(set.0, cut, &mut Known::default())
    }

    fn partition_node(&mut self, id: u32, cut: Level, known: &mut Known<Vec<(Set, Set)>>) -> Vec<(Set, Set)> {
        if id == EMPTY || self.exhausted {
            return Vec::new();
        }
        let level = self.level(id);
        if level >= cut {
            return vec![(Set::FULL, Set(id))];
        }
        if let Some(done) = known.get(&id) {
            return done.clone();
        }
        // For each lower node the edges so far of its upper node.
        let mut lowers: Vec<(Set, Vec<Span>)> = Vec::new();
        let mut places: Known<usize> = Known::default();
        let mut first = 0_u16;
        for position in 0..self.edges(id).len() {
            let edge = self.edges(id)[position];
            for (upper, lower) in self.partition_node(edge.child(), cut, known) {
                let place = *places.entry(lower.0).or_insert(lowers.len());
                if place == lowers.len() {
                    lowers.push((lower, Vec::new()));
                }
                lowers[place].1.push((first, edge.end(), upper.0));
            }
            first = edge.end().wrapping_add(1);
        }
        let parts: Vec<(Set, Set)> =
            lowers.into_iter().map(|(lower, edges)| (self.sparse(level, &edges), lower)).collect();
        known.insert(id, parts.clone());
        parts
    }

    /// The node with these edges, in order, and the empty set
    /// between.
    fn sparse(&mut self, level: Level, edges: &[Span]) -> Set {
        let from = self.scratch.len();
        let mut next = 0_u32;
        for (first, last, child) in edges {
            if u32::from(*first) > next {
                self.emit(from, first - 1, EMPTY);
            }
            self.emit(from, *last, *child);
            next = u32::from(*last) + 1;
        }
        let largest = super::level::max(level);
        if next <= u32::from(largest) {
            self.emit(from, largest, EMPTY);
        }
        Set(self.make(level, from))
    }
}
