//! What a chain decides about one packet.
//!
//! On *may* a chain has several futures, so it has several possible outcomes; each names the rule that decides
//! and the unknowns that it hangs on. On *must* it has one outcome or none (SEMANTICS.md section 4.2).

use super::marks::Marks;
use super::test::{Truth, rule_matches};
use super::view::View;
use crate::header::Packet;
use crate::model::{Action, FilterId, Hook, InterfaceId, Marked, NodeId, Rule, State, UnknownId};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Chains may call each other this deep. Real rule sets stay below 16 (the kernel's own limit for nftables);
/// what lies deeper is not looked at and counts as not understood.
const MAX_DEPTH: usize = 128;

/// A packet as a filter sees it.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// The packet.
    pub packet: &'a Packet,
    /// The node that filters.
    pub node: NodeId,
    /// The interface that it came in on; `None` for the node's own.
    pub incoming: Option<InterfaceId>,
    /// The interface that it goes out on, where that is known already.
    pub outgoing: Option<InterfaceId>,
    /// Its connection state.
    pub state: State,
    /// Its marks when it comes to the chain.
    pub marks: Marks,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ruling {
    /// It passes.
    Accept,
    /// It is dropped without a word.
    Drop,
    /// It is dropped, and its source is told.
    Reject,
    /// It passes as what this translation of the filter makes of it.
    Translate(usize),
}

/// What decided it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decider {
    /// A rule of a chain, by its position.
    Rule {
        /// The filter.
        filter: FilterId,
        /// The position of the chain.
        chain: usize,
        /// The position of the rule.
        rule: usize,
    },
    /// The policy of a chain, behind its last rule.
    Policy {
        /// The filter.
        filter: FilterId,
        /// The position of the chain.
        chain: usize,
    },
    /// The end of an entry chain that has no policy, which lets everything pass.
    End {
        /// The filter.
        filter: FilterId,
        /// The position of the chain.
        chain: usize,
    },
}

/// One possible outcome of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What becomes of the packet.
    pub ruling: Ruling,
    /// What decides it.
    pub by: Decider,
    /// Whether it opens a connection, if the packet is new.
    pub opens: bool,
    /// The unknowns that this outcome hangs on; empty if it is certain.
    pub uncertain: Vec<UnknownId>,
    /// How many rules were looked at before and did not decide.
    pub passed_over: usize,
    /// Its marks when it leaves the chain.
    pub marks: Marks,
    /// What has set the mark of the packet last, if something has.
    pub marked_by: Option<Decider>,
}

/// Everything a chain may decide. For each ruling, opening or not, and for each pair of marks, only the most certain outcome is
/// kept.
#[derive(Debug, Clone, Default)]
pub struct Judged {
    /// The outcomes, in the order in which they were found.
    pub outcomes: Vec<Judgement>,
    /// On *must*, what kept the chain from deciding anything.
    pub stuck: Vec<UnknownId>,
}

impl Judged {
    /// The most certain outcome of a ruling.
    pub fn best(&self, ruling: Ruling) -> Option<&Judgement> {
        let those = self.outcomes.iter().filter(|outcome| outcome.ruling == ruling);
        those.min_by_key(|outcome| outcome.uncertain.len())
    }

    /// The most certain outcome of a ruling for each pair of marks, with whether one with these marks opens connections.
    pub fn by_marks(&self, ruling: Ruling) -> Vec<(Judgement, bool)> {
        let mut found: Vec<(Judgement, bool)> = Vec::new();
        for one in self.outcomes.iter().filter(|outcome| outcome.ruling == ruling) {
            match found.iter_mut().find(|(known, _)| known.marks == one.marks) {
                None => found.push((one.clone(), one.opens)),
                Some((known, opens)) => {
                    *opens |= one.opens;
                    if one.uncertain.len() < known.uncertain.len() {
                        *known = one.clone();
                    }
                }
            }
        }
        found
    }
}

/// How a packet got to a point of a chain.
#[derive(Debug, Clone, Default)]
struct Path {
    uncertain: Vec<UnknownId>,
    passed_over: usize,
    /// Its marks there.
    marks: Marks,
    /// What has set the mark of the packet last.
    marked_by: Option<Decider>,
}

impl Path {
    fn then(&self, uncertain: &[UnknownId], passed_over: usize) -> Path {
        Path {
            uncertain: self.uncertain.iter().chain(uncertain).copied().collect(),
            passed_over: self.passed_over + passed_over,
            marks: self.marks,
            marked_by: self.marked_by,
        }
    }

    fn with(self, marks: Marks, by: Option<Decider>) -> Path {
        Path { marks, marked_by: by.or(self.marked_by), ..self }
    }
}

/// The ways to one point, the most certain one for each pair of marks.
#[derive(Debug, Clone, Default)]
struct Paths(BTreeMap<Marks, Path>);

impl Paths {
    fn one(path: Path) -> Paths {
        Paths(BTreeMap::from([(path.marks, path)]))
    }

    /// Adds a way, unless a more certain one is known.
    fn add(&mut self, path: Path) {
        let known = self.0.entry(path.marks).or_insert_with(|| path.clone());
        if path.uncertain.len() < known.uncertain.len() {
            *known = path;
        }
    }

    fn add_all(&mut self, others: Paths) {
        others.0.into_values().for_each(|path| self.add(path));
    }
}

/// What a chain does, seen from its first rule.
#[derive(Debug, Default)]
struct Flow {
    judged: Judged,
    /// How the packet may go on where the chain was called.
    returns: Paths,
}

impl Flow {
    /// Keeps an outcome unless there is a more certain one of the same effect.
    fn record(&mut self, outcome: Judgement) {
        let effect = |one: &Judgement| (one.ruling, one.opens, one.marks);
        match self.judged.outcomes.iter_mut().find(|old| effect(old) == effect(&outcome)) {
            None => self.judged.outcomes.push(outcome),
            Some(old) if outcome.uncertain.len() < old.uncertain.len() => *old = outcome,
            Some(_) => {}
        }
    }
}

struct Run<'a> {
    view: &'a View<'a>,
    sight: &'a Sight<'a>,
    filter: FilterId,
    /// A chain does the same whoever calls it, so it is walked once for each pair of marks.
    done: BTreeMap<(usize, Marks), Rc<Flow>>,
}

/// Judges a packet by the chain of a hook.
pub fn judge(view: &View<'_>, hook: Hook, sight: &Sight<'_>) -> Judged {
    let mut run = Run { view, sight, filter: hook.filter, done: BTreeMap::new() };
    let mut flow = Flow::default();
    let begun = run.chain((hook.chain, sight.marks), 0);
    let start = Path { marks: sight.marks, ..Path::default() };
    let left = absorb(&mut flow, &begun, &start);
    // Whoever returns from an entry chain meets its policy, like whoever falls off its end.
    let by = Decider::Policy { filter: hook.filter, chain: hook.chain };
    for left in left.0.into_values() {
        let beyond = match view.network.filter(hook.filter).chains[hook.chain].policy {
            Some(action) => {
                let Next { mut goes_on, returns } = run.act(&mut flow, action, &left, by, true, 0);
                goes_on.add_all(returns);
                goes_on
            }
            None => Paths::one(left),
        };
        let by = Decider::End { filter: hook.filter, chain: hook.chain };
        for path in beyond.0.into_values() {
            flow.record(outcome(Ruling::Accept, by, true, &path));
        }
    }
    flow.judged
}

fn outcome(ruling: Ruling, by: Decider, opens: bool, path: &Path) -> Judgement {
    let Path { uncertain, passed_over, marks, marked_by } = path.clone();
    Judgement { ruling, by, opens, uncertain, passed_over, marks, marked_by }
}

/// Adds what a called chain does to what is known, and returns how it is left.
fn absorb(flow: &mut Flow, called: &Flow, path: &Path) -> Paths {
    for one in &called.judged.outcomes {
        let whole = path.then(&one.uncertain, one.passed_over).with(one.marks, one.marked_by);
        flow.record(outcome(one.ruling, one.by, one.opens, &whole));
    }
    flow.judged.stuck.extend(&called.judged.stuck);
    let mut paths = Paths::default();
    for left in called.returns.0.values() {
        paths.add(path.then(&left.uncertain, left.passed_over).with(left.marks, left.marked_by));
    }
    paths
}

/// Where a packet goes from a rule that took it.
#[derive(Default)]
struct Next {
    goes_on: Paths,
    returns: Paths,
}

/// The same ways, past one more rule.
fn further(paths: Paths) -> Paths {
    Paths(paths.0.into_iter().map(|(marks, path)| (marks, path.then(&[], 1))).collect())
}

impl Run<'_> {
    fn chain(&mut self, chain: (usize, Marks), depth: usize) -> Rc<Flow> {
        if let Some(done) = self.done.get(&chain) {
            return Rc::clone(done);
        }
        let flow = Rc::new(self.walk_chain(chain, depth));
        self.done.insert(chain, Rc::clone(&flow));
        flow
    }

    fn walk_chain(&mut self, (chain, marks): (usize, Marks), depth: usize) -> Flow {
        let mut flow = Flow::default();
        let mut at = Paths::one(Path { marks, ..Path::default() });
        let all = &self.view.network.filter(self.filter).chains[chain];
        for (index, rule) in all.rules.iter().enumerate() {
            // A rule that is a closed door is not there (SEMANTICS.md section 6, `only-via`).
            if self.view.is_closed_rule(self.filter, chain, index) {
                continue;
            }
            let by = Decider::Rule { filter: self.filter, chain, rule: index };
            for path in std::mem::take(&mut at).0.into_values() {
                at.add_all(self.ask_rule(&mut flow, rule, path, by, depth));
            }
        }
        for path in at.0.into_values() {
            let left = match all.policy {
                Some(action) => {
                    let by = Decider::Policy { filter: self.filter, chain };
                    let Next { mut goes_on, returns } = self.act(&mut flow, action, &path, by, true, depth);
                    goes_on.add_all(returns);
                    goes_on
                }
                None => Paths::one(path),
            };
            flow.returns.add_all(left);
        }
        flow
    }

    /// Asks one rule of a chain, and returns how the packet may come to the next.
    fn ask_rule(&mut self, flow: &mut Flow, rule: &Rule, path: Path, by: Decider, depth: usize) -> Paths {
        let sight = Sight { marks: path.marks, ..*self.sight };
        // Whether it matches or not, the packet goes on as it is.
        let changes_nothing = match rule.action {
            Action::Continue => true,
            Action::Mark(change) => path.marks.set(change) == Some(path.marks),
            _ => false,
        };
        let unknowns = match rule_matches(self.view, rule, &sight) {
            Truth::Yes | Truth::Maybe(_) if changes_nothing => Vec::new(),
            Truth::No => Vec::new(),
            Truth::Yes => {
                let next = self.act(flow, rule.action, &path, by, rule.opens, depth);
                flow.returns.add_all(next.returns);
                return further(next.goes_on);
            }
            Truth::Maybe(ids) if !self.view.is_may() => {
                flow.judged.stuck.extend(ids);
                return Paths::default();
            }
            Truth::Maybe(ids) => ids,
        };
        let mut beyond = Paths::one(path.then(&unknowns, 1));
        if !unknowns.is_empty() {
            let taken = path.then(&unknowns, 0);
            let next = self.act(flow, rule.action, &taken, by, rule.opens, depth);
            flow.returns.add_all(next.returns);
            beyond.add_all(further(next.goes_on));
        }
        beyond
    }

    /// What an action does with a packet that it has.
    fn act(
        &mut self,
        flow: &mut Flow,
        action: Action,
        path: &Path,
        by: Decider,
        opens: bool,
        depth: usize,
    ) -> Next {
        match action {
            Action::Accept => {
                flow.record(outcome(Ruling::Accept, by, opens, path));
                Next::default()
            }
            Action::Translate(index) => {
                flow.record(outcome(Ruling::Translate(index), by, opens, path));
                Next::default()
            }
            Action::Drop | Action::Reject => {
                let ruling = if action == Action::Drop { Ruling::Drop } else { Ruling::Reject };
                flow.record(outcome(ruling, by, false, path));
                Next::default()
            }
            Action::Jump(called) | Action::Goto(called) => {
                if depth == MAX_DEPTH {
                    return self.not_understood(flow, path, by, &[], opens);
                }
                let called = self.chain((called, path.marks), depth + 1);
                let left = absorb(flow, &called, path);
                match action {
                    Action::Jump(_) => Next { goes_on: left, ..Next::default() },
                    _ => Next { returns: left, ..Next::default() },
                }
            }
            Action::Return => Next { returns: Paths::one(path.clone()), ..Next::default() },
            Action::Continue => Next { goes_on: Paths::one(path.clone()), ..Next::default() },
            Action::Mark(change) => {
                let by = (change.of == Marked::Packet).then_some(by);
                let marked = path.marks.set(change).map(|marks| path.clone().with(marks, by));
                Next { goes_on: marked.map(Paths::one).unwrap_or_default(), ..Next::default() }
            }
            Action::Unknown(id) => self.not_understood(flow, path, by, &[id], opens),
        }
    }

    /// A target that nobody understands takes every future on *may*, and none on *must*.
    fn not_understood(
        &self,
        flow: &mut Flow,
        path: &Path,
        by: Decider,
        why: &[UnknownId],
        opens: bool,
    ) -> Next {
        if !self.view.is_may() {
            flow.judged.stuck.extend(why);
            return Next::default();
        }
        let path = path.then(why, 0);
        flow.record(outcome(Ruling::Accept, by, opens, &path));
        flow.record(outcome(Ruling::Drop, by, false, &path));
        Next { goes_on: Paths::one(path), ..Next::default() }
    }
}
