//! First-match lists: from the summary of each rule to that of the whole list.
//!
//! What a list does to a packet is a mask of outcomes, and a list is a function from packets to masks. So a
//! list is held as *one* diagram with up to 16 terminals, not as four sets, and putting two lists behind
//! each other is one pass: where the first falls through, the second is asked, elsewhere nothing of it is
//! looked at.

use super::Set;
use super::node::TERMINALS;
use super::ops::{Operation, tag};
use super::project::Known;
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

/// The outcomes that lists behind each other may have at all. A complete list, whose last rule leaves
/// nothing, has often only one, and then it is its own result.
fn possible(summaries: &[Summary]) -> u32 {
    let some = |outcome: u32, of: fn(&Summary) -> Set| {
        if summaries.iter().any(|summary| !of(summary).is_empty()) { outcome } else { 0 }
    };
    let falls = summaries.iter().all(|summary| !summary.fall.is_empty());
    let decided = some(ACCEPT, |s| s.accept) | some(OPEN, |s| s.open) | some(RETURN, |s| s.ret);
    decided | if falls { FALL } else { 0 }
}

impl Space {
    /// Two lists behind each other.
    pub fn compose(&mut self, first: &Summary, second: &Summary) -> Summary {
        let first_new = self.next_id();
        let packed = (self.pack(first), self.pack(second));
        let whole = self.apply::<Then>(packed.0, packed.1);
        self.unpack(whole, possible(&[*first, *second]), first_new)
    }

    /// All lists behind each other, the first first. Neighbours are put together first, which keeps what
    /// they share: the order of a list is seldom random.
    pub fn compose_all(&mut self, summaries: &[Summary]) -> Summary {
        let first_new = self.next_id();
        let packed: Vec<u32> = summaries.iter().map(|summary| self.pack(summary)).collect();
        let whole = self.then_all(&packed);
        self.unpack(whole, possible(summaries), first_new)
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

    fn unpack(&mut self, packed: u32, possible: u32, first_new: u32) -> Summary {
        Summary {
            accept: self.having(packed, ACCEPT, possible, first_new),
            open: self.having(packed, OPEN, possible, first_new),
            ret: self.having(packed, RETURN, possible, first_new),
            fall: self.having(packed, FALL, possible, first_new),
        }
    }

    /// The set of packets that have an outcome in a packed list.
    fn having(&mut self, packed: u32, outcome: u32, possible: u32, first_new: u32) -> Set {
        if possible & outcome == 0 {
            return Set::EMPTY;
        }
        if possible == ACCEPT {
            // A set is a packed list whose only outcome is "accept".
            return Set(packed);
        }
        let made = (self.next_id() - first_new) as usize;
        let mut results = Results { outcome, first_new, new: vec![UNKNOWN; made], old: Known::default() };
        Set(self.having_node(packed, &mut results))
    }

    fn having_node(&mut self, id: u32, results: &mut Results) -> u32 {
        if let Some(done) = results.get(id) {
            return done;
        }
        if self.exhausted {
            return Set::EMPTY.0;
        }
        let from = self.scratch.len();
        let (level, edges) = self.node(id);
        for position in 0..edges.len() {
            let edge = self.edges(id)[position];
            let child = edge.child();
            let set = match results.get(child) {
                Some(done) => done,
                None => self.having_node(child, results),
            };
            self.emit(from, edge.end(), set);
        }
        let result = self.make(level, from);
        results.put(id, result);
        result
    }
}

/// No node has this number.
const UNKNOWN: u32 = u32::MAX;

/// The sets of one outcome, by node of a packed list. Most of its nodes were made for it, one after the
/// other, so for those a table beats a hash map; and it is no larger than the work that made them.
struct Results {
    outcome: u32,
    first_new: u32,
    new: Vec<u32>,
    old: Known,
}

impl Results {
    fn get(&self, id: u32) -> Option<u32> {
        if id < TERMINALS {
            return Some(if id & self.outcome == 0 { Set::EMPTY.0 } else { Set::FULL.0 });
        }
        match id.checked_sub(self.first_new) {
            Some(place) => self.new.get(place as usize).copied().filter(|known| *known != UNKNOWN),
            None => self.old.get(&id).copied(),
        }
    }

    fn put(&mut self, id: u32, result: u32) {
        match id.checked_sub(self.first_new).and_then(|place| self.new.get_mut(place as usize)) {
            Some(known) => *known = result,
            None => {
                self.old.insert(id, result);
            }
        }
    }
}
