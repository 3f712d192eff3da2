//! The set operations: one recursion over two diagrams, with what each operation knows at the ends.

use super::Set;
use super::level::Level;
use super::node::Edge;
use super::space::Space;

const EMPTY: u32 = Set::EMPTY.0;
const FULL: u32 = Set::FULL.0;

/// What tells the operations apart in the memo: one number each.
pub(super) mod tag {
    pub(in crate::set) const UNION: u32 = 0;
    pub(in crate::set) const INTERSECT: u32 = 1;
    pub(in crate::set) const MINUS: u32 = 2;
    pub(in crate::set) const MEETS: u32 = 3;
    pub(in crate::set) const EXCEEDS: u32 = 4;
    pub(in crate::set) const THEN: u32 = 5;
    /// Plus a one-bit outcome mask, at most 8.
    pub(in crate::set) const MARK: u32 = 16;
}

/// A pointwise operation on two diagrams.
pub(super) trait Operation {
    /// Tells this operation from the others in the memo.
    const TAG: u32;
    /// Whether the operands may be swapped.
    const COMMUTATIVE: bool;
    /// The result where it is known without looking below; always known for two terminals.
    fn known(a: u32, b: u32) -> Option<u32>;
}

struct Union;
struct Intersect;
struct Minus;

impl Operation for Union {
    const TAG: u32 = tag::UNION;
    const COMMUTATIVE: bool = true;

    #[inline]
    fn known(a: u32, b: u32) -> Option<u32> {
        if a == EMPTY || a == b || b == FULL {
            Some(b)
        } else if b == EMPTY || a == FULL {
            Some(a)
        } else {
            None
        }
    }
}

impl Operation for Intersect {
    const TAG: u32 = tag::INTERSECT;
    const COMMUTATIVE: bool = true;

    #[inline]
    fn known(a: u32, b: u32) -> Option<u32> {
        if a == FULL || a == b || b == EMPTY {
            Some(b)
        } else if b == FULL || a == EMPTY {
            Some(a)
        } else {
            None
        }
    }
}

impl Operation for Minus {
    const TAG: u32 = tag::MINUS;
    const COMMUTATIVE: bool = false;

    #[inline]
    fn known(a: u32, b: u32) -> Option<u32> {
        if a == EMPTY || a == b || b == FULL {
            Some(EMPTY)
        } else if b == EMPTY {
            Some(a)
        } else {
            None
        }
    }
}

/// A question about two diagrams that one packet answers.
trait Question {
    const TAG: u32;
    const COMMUTATIVE: bool;
    /// The answer where it is known without looking below; always known for two terminals.
    fn known(a: u32, b: u32) -> Option<bool>;
}

/// Is a packet in both?
struct Meets;
/// Is a packet in the first and not in the second?
struct Exceeds;

impl Question for Meets {
    const TAG: u32 = tag::MEETS;
    const COMMUTATIVE: bool = true;

    #[inline]
    fn known(a: u32, b: u32) -> Option<bool> {
        if a == EMPTY || b == EMPTY {
            Some(false)
        } else if a == b || a == FULL || b == FULL {
            Some(true)
        } else {
            None
        }
    }
}

impl Question for Exceeds {
    const TAG: u32 = tag::EXCEEDS;
    const COMMUTATIVE: bool = false;

    #[inline]
    fn known(a: u32, b: u32) -> Option<bool> {
        if a == EMPTY || a == b || b == FULL {
            Some(false)
        } else if a == FULL || b == EMPTY {
            Some(true)
        } else {
            None
        }
    }
}

impl Space {
    /// Packets in either set.
    pub fn union(&mut self, a: Set, b: Set) -> Set {
        Set(self.apply::<Union>(a.0, b.0))
    }

    /// Packets in both sets.
    pub fn intersect(&mut self, a: Set, b: Set) -> Set {
        Set(self.apply::<Intersect>(a.0, b.0))
    }

    /// Packets in the first set that are not in the second.
    pub fn minus(&mut self, a: Set, b: Set) -> Set {
        Set(self.apply::<Minus>(a.0, b.0))
    }

    /// Packets that are not in the set.
    pub fn complement(&mut self, set: Set) -> Set {
        Set(self.apply::<Minus>(FULL, set.0))
    }

    /// Packets in any of the sets. Neighbours are joined first, so similar sets should stand side by side.
    pub fn union_all(&mut self, sets: &[Set]) -> Set {
        match sets {
            [] => Set::EMPTY,
            [only] => *only,
            _ => {
                let (left, right) = sets.split_at(sets.len() / 2);
                let left = self.union_all(left);
                let right = self.union_all(right);
                self.union(left, right)
            }
        }
    }

    /// Whether every packet of the first set is in the second. Builds nothing and stops at the first that
    /// is not.
    pub fn is_subset(&mut self, a: Set, b: Set) -> bool {
        !self.ask::<Exceeds>(a.0, b.0)
    }

    /// Whether some packet is in both sets. Builds nothing and stops at the first.
    pub fn intersects(&mut self, a: Set, b: Set) -> bool {
        self.ask::<Meets>(a.0, b.0)
    }

    /// The pointwise operation on two diagrams.
    pub(super) fn apply<O: Operation>(&mut self, a: u32, b: u32) -> u32 {
        match O::known(a, b) {
            Some(result) => result,
            None if O::COMMUTATIVE && a > b => self.recall::<O>(b, a),
            None => self.recall::<O>(a, b),
        }
    }

    /// The operation on a pair in memo order whose result is not known at once.
    fn recall<O: Operation>(&mut self, a: u32, b: u32) -> u32 {
        if let Some(result) = self.memo.get(O::TAG, a, b) {
            return result;
        }
        if self.exhausted {
            return EMPTY;
        }
        let (from, first) = (self.scratch.len(), self.pairs.len());
        let level = self.pair_up::<O>(a, b);
        for position in first..self.pairs.len() {
            let Pair { a, b, end } = self.pairs[position];
            let child = if b == RESOLVED { a } else { self.recall::<O>(a, b) };
            self.emit(from, end, child);
        }
        self.pairs.truncate(first);
        let result = self.make(level, from);
        if !self.exhausted {
            self.memo.put(O::TAG, a, b, result);
        }
        result
    }

    /// Puts the common refinement of two nodes on the stack of pairs, with the results that are known at
    /// once, and returns its level. One tight loop over the edges, before the recursion changes the arenas.
    fn pair_up<O: Operation>(&mut self, a: u32, b: u32) -> Level {
        let mut pairs = std::mem::take(&mut self.pairs);
        let first = pairs.len();
        let level = refine(self.node(a), a, self.node(b), b, |end, a, b| {
            let pair = match O::known(a, b) {
                Some(result) => Pair { a: result, b: RESOLVED, end },
                None if O::COMMUTATIVE && a > b => Pair { a: b, b: a, end },
                None => Pair { a, b, end },
            };
            pairs.push(pair);
        });
        // All look-ups of one node together: they do not wait for each other, and memory is what this waits
        // for.
        for pair in pairs[first..].iter_mut().filter(|pair| pair.b != RESOLVED) {
            if let Some(result) = self.memo.get(O::TAG, pair.a, pair.b) {
                pair.a = result;
                pair.b = RESOLVED;
            }
        }
        self.pairs = pairs;
        level
    }

    fn ask<Q: Question>(&mut self, a: u32, b: u32) -> bool {
        if let Some(answer) = Q::known(a, b) {
            return answer;
        }
        let (a, b) = if Q::COMMUTATIVE && a > b { (b, a) } else { (a, b) };
        // Only "no" is remembered: the first "yes" ends the whole question.
        if self.memo.get(Q::TAG, a, b).is_some() {
            return false;
        }
        let first = self.pairs.len();
        let mut pairs = std::mem::take(&mut self.pairs);
        let mut yes = false;
        refine(self.node(a), a, self.node(b), b, |end, a, b| match Q::known(a, b) {
            Some(answer) => yes |= answer,
            None => pairs.push(Pair { a, b, end }),
        });
        self.pairs = pairs;
        let mut position = first;
        while !yes && position < self.pairs.len() {
            let Pair { a, b, .. } = self.pairs[position];
            yes = self.ask::<Q>(a, b);
            position += 1;
        }
        self.pairs.truncate(first);
        if !yes {
            self.memo.put(Q::TAG, a, b, EMPTY);
        }
        yes
    }
}

/// A part of the refinement of two nodes: the pair of nodes below.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    /// The result, or the first operand.
    a: u32,
    /// [`RESOLVED`], or the second operand.
    b: u32,
    /// The last value of the part, inclusive.
    end: u16,
}

/// Marks a [`Pair`] whose result is known.
const RESOLVED: u32 = u32::MAX;

/// Calls `push` with each part of the common refinement of two nodes, and returns the level of that. A node
/// that stands below the level takes part as a whole.
#[inline]
fn refine(
    (level_a, edges_a): (Level, &[Edge]),
    a: u32,
    (level_b, edges_b): (Level, &[Edge]),
    b: u32,
    mut push: impl FnMut(u16, u32, u32),
) -> Level {
    if level_a < level_b {
        edges_a.iter().for_each(|edge| push(edge.end(), edge.child(), b));
    } else if level_b < level_a {
        edges_b.iter().for_each(|edge| push(edge.end(), a, edge.child()));
    } else {
        // Which list moves on cannot be foretold, so it is added and not branched on. Both lists end with
        // the level's largest value, so both run out in the same step.
        let (mut left, mut right) = (0, 0);
        while let (Some(edge_a), Some(edge_b)) = (edges_a.get(left), edges_b.get(right)) {
            let (end_a, end_b) = (edge_a.end(), edge_b.end());
            push(end_a.min(end_b), edge_a.child(), edge_b.child());
            left += usize::from(end_a <= end_b);
            right += usize::from(end_b <= end_a);
        }
    }
    level_a.min(level_b)
}
