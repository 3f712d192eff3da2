//! First-match lists: from the summary of each rule to that of the whole list.
//!
//! What a list does to a packet is a mask of outcomes, and a list is a function from packets to masks. So a
//! list is held as *one* diagram with up to 16 terminals, not as four sets, and putting two lists behind
//! each other is one pass: where the first falls through, the second is asked, elsewhere nothing of it is
//! looked at.

use super::Set;
use super::node::TERMINALS;
use super::ops::{Operation, tag};
use super::space::Space;

/// What a rule or a list of rules may do to packets. The four sets may overlap: where it is not known which
/// of two things happens, a packet is in both. A packet in none of them is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Summary {
    /// Packets that are accepted.
    pub accept: Set,
    /// Packets accepted by a rule that opens state; a part of `accept`.
    pub open: Set,
    /// Packets that return from the chain to its caller.
    pub ret: Set,
    /// Packets that no rule decides and that reach what stands behind the list.
    pub fall: Set,
}

impl Summary {
    /// The empty list: everything falls through.
    pub const PASS: Summary =
        Summary { accept: Set::EMPTY, open: Set::EMPTY, ret: Set::EMPTY, fall: Set::FULL };
    /// The list that drops everything.
    pub const DROP: Summary =
        Summary { accept: Set::EMPTY, open: Set::EMPTY, ret: Set::EMPTY, fall: Set::EMPTY };
}

impl Default for Summary {
    fn default() -> Summary {
        Summary::PASS
    }
}

const ACCEPT: u32 = 1 << 0;
const OPEN: u32 = 1 << 1;
const RETURN: u32 = 1 << 2;
const FALL: u32 = 1 << 3;

/// Two packed lists behind each other.
struct Then;

impl Operation for Then {
    const TAG: u32 = tag::THEN;
    const COMMUTATIVE: bool = false;

    #[inline]
    fn known(a: u32, b: u32) -> Option<u32> {
        if b == FALL || a == b {
            return Some(a);
        }
        if a >= TERMINALS {
            return None;
        }
        if a == FALL {
            Some(b)
        } else if a & FALL == 0 {
            Some(a)
        } else if b < TERMINALS {
            Some((a & !FALL) | b)
        } else {
            None
        }
    }
}

/// Adds an outcome to a packed list where a set holds.
struct Mark<const OUTCOME: u32>;

impl<const OUTCOME: u32> Operation for Mark<OUTCOME> {
    const TAG: u32 = tag::MARK + OUTCOME;
    const COMMUTATIVE: bool = false;

    #[inline]
    fn known(a: u32, b: u32) -> Option<u32> {
        if b == Set::EMPTY.0 {
            Some(a)
        } else if a < TERMINALS && b == Set::FULL.0 {
            Some(a | OUTCOME)
        } else {
            None
        }
    }
}

/// The set of packets that have an outcome in a packed list; the second operand is always empty.
struct Having<const OUTCOME: u32>;

impl<const OUTCOME: u32> Operation for Having<OUTCOME> {
    const TAG: u32 = tag::HAVING + OUTCOME;
    const COMMUTATIVE: bool = false;

    #[inline]
    fn known(a: u32, _: u32) -> Option<u32> {
        (a < TERMINALS).then_some(if a & OUTCOME == 0 { Set::EMPTY.0 } else { Set::FULL.0 })
    }
}

impl Space {
    /// Two lists behind each other.
    pub fn compose(&mut self, first: &Summary, second: &Summary) -> Summary {
        let first = self.pack(first);
        let second = self.pack(second);
        let whole = self.apply::<Then>(first, second);
        self.unpack(whole)
    }

    /// All lists behind each other, the first first. Neighbours are put together first, which keeps what
    /// they share: the order of a list is seldom random.
    pub fn compose_all(&mut self, summaries: &[Summary]) -> Summary {
        let packed: Vec<u32> = summaries.iter().map(|summary| self.pack(summary)).collect();
        let whole = self.then_all(&packed);
        self.unpack(whole)
    }

    fn then_all(&mut self, packed: &[u32]) -> u32 {
        match packed {
            [] => FALL,
            [only] => *only,
            _ => {
                let (left, right) = packed.split_at(packed.len() / 2);
                let left = self.then_all(left);
                let right = self.then_all(right);
                self.apply::<Then>(left, right)
            }
        }
    }

    fn pack(&mut self, summary: &Summary) -> u32 {
        // A set is a packed list whose only outcome is the first bit, which is "accept".
        let packed = self.apply::<Mark<OPEN>>(summary.accept.0, summary.open.0);
        let packed = self.apply::<Mark<RETURN>>(packed, summary.ret.0);
        self.apply::<Mark<FALL>>(packed, summary.fall.0)
    }

    fn unpack(&mut self, packed: u32) -> Summary {
        Summary {
            accept: Set(self.apply::<Having<ACCEPT>>(packed, Set::EMPTY.0)),
            open: Set(self.apply::<Having<OPEN>>(packed, Set::EMPTY.0)),
            ret: Set(self.apply::<Having<RETURN>>(packed, Set::EMPTY.0)),
            fall: Set(self.apply::<Having<FALL>>(packed, Set::EMPTY.0)),
        }
    }
}
