//! The set operations: one recursion over two diagrams, with what each operation knows at the ends.

use super::Set;
use super::level::Level;
use super::node::{Entry, RESOLVED};
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
    /// Plus a one-bit outcome mask, at most 8.
    pub(in crate::set) const HAVING: u32 = 32;
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
        if let Some(result) = O::known(a, b) {
            return result;
        }
        let (a, b) = if O::COMMUTATIVE && a > b { (b, a) } else { (a, b) };
        if let Some(result) = self.memo.get(O::TAG, a, b) {
            return result;
        }
        if self.exhausted {
            return EMPTY;
        }
        let from = self.scratch.len();
        let level = self.pair_up::<O>(a, b);
        self.resolve::<O>(from);
        let result = self.make(level, from);
        if !self.exhausted {
            self.memo.put(O::TAG, a, b, result);
        }
        result
    }

    /// Puts the common refinement of two nodes on the stack, with the results that are known at once, and
    /// returns its level. One tight loop over the edges, before the recursion changes the arenas.
    fn pair_up<O: Operation>(&mut self, a: u32, b: u32) -> Level {
        let mut scratch = std::mem::take(&mut self.scratch);
        let from = scratch.len();
        let (level_a, level_b) = (self.level(a), self.level(b));
        let mut push = |end: u16, a: u32, b: u32| match O::known(a, b) {
            Some(result) => {
                if scratch.len() > from
                    && let Some(last) = scratch.last_mut()
                    && last.b == RESOLVED
                    && last.a == result
                {
                    last.end = end;
                } else {
                    scratch.push(Entry { a: result, b: RESOLVED, end });
                }
            }
            None => scratch.push(Entry { a, b, end }),
        };
        if level_a < level_b {
            let (ends, children) = self.edges(a);
            ends.iter().zip(children).for_each(|(end, child)| push(*end, *child, b));
        } else if level_b < level_a {
            let (ends, children) = self.edges(b);
            ends.iter().zip(children).for_each(|(end, child)| push(*end, a, *child));
        } else {
            merge(self.edges(a), self.edges(b), push);
        }
        self.scratch = scratch;
        level_a.min(level_b)
    }

    /// Replaces the pairs on the stack since `from` by their results, in place.
    fn resolve<O: Operation>(&mut self, from: usize) {
        let mut out = from;
        for position in from..self.scratch.len() {
            let Entry { a, b, end } = self.scratch[position];
            let child = if b == RESOLVED { a } else { self.apply::<O>(a, b) };
            if out > from && self.scratch[out - 1].a == child {
                self.scratch[out - 1].end = end;
            } else {
                self.scratch[out] = Entry { a: child, b: RESOLVED, end };
                out += 1;
            }
        }
        self.scratch.truncate(out);
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
        let from = self.scratch.len();
        if self.pair_up_question::<Q>(a, b) {
            self.scratch.truncate(from);
            return true;
        }
        for position in from..self.scratch.len() {
            let Entry { a, b, .. } = self.scratch[position];
            if self.ask::<Q>(a, b) {
                self.scratch.truncate(from);
                return true;
            }
        }
        self.scratch.truncate(from);
        self.memo.put(Q::TAG, a, b, EMPTY);
        false
    }

    /// Puts the open pairs of two nodes on the stack; true if one pair is a "yes" already.
    fn pair_up_question<Q: Question>(&mut self, a: u32, b: u32) -> bool {
        let mut scratch = std::mem::take(&mut self.scratch);
        let (level_a, level_b) = (self.level(a), self.level(b));
        let mut yes = false;
        let mut push = |end: u16, a: u32, b: u32| match Q::known(a, b) {
            Some(answer) => yes |= answer,
            None => scratch.push(Entry { a, b, end }),
        };
        if level_a < level_b {
            let (ends, children) = self.edges(a);
            ends.iter().zip(children).for_each(|(end, child)| push(*end, *child, b));
        } else if level_b < level_a {
            let (ends, children) = self.edges(b);
            ends.iter().zip(children).for_each(|(end, child)| push(*end, a, *child));
        } else {
            merge(self.edges(a), self.edges(b), push);
        }
        self.scratch = scratch;
        yes
    }
}

/// The common refinement of two partitions of the same level.
#[inline]
fn merge(a: (&[u16], &[u32]), b: (&[u16], &[u32]), mut push: impl FnMut(u16, u32, u32)) {
    let mut left = a.0.iter().zip(a.1);
    let mut right = b.0.iter().zip(b.1);
    let (mut next_left, mut next_right) = (left.next(), right.next());
    // Both lists end with the level's largest value, so both iterators run out in the same step.
    while let (Some((end_a, child_a)), Some((end_b, child_b))) = (next_left, next_right) {
        push(*end_a.min(end_b), *child_a, *child_b);
        if end_a <= end_b {
            next_left = left.next();
        }
        if end_b <= end_a {
            next_right = right.next();
        }
    }
}
