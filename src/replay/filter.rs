//! What a chain decides about one packet.
//!
//! On *may* a chain has several futures, so it has several possible outcomes; each names the rule that decides
//! and the unknowns that it hangs on. On *must* it has one outcome or none (SEMANTICS.md section 4.2).

use super::test::{Truth, rule_matches};
use super::view::View;
use crate::header::Packet;
use crate::model::{Action, FilterId, Hook, InterfaceId, NodeId, State, UnknownId};
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
}

/// Everything a chain may decide. For each ruling, opening or not, only the most certain outcome is kept.
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

    /// Whether some accepting outcome opens connections.
    pub fn may_open(&self) -> bool {
        self.outcomes.iter().any(|outcome| outcome.ruling == Ruling::Accept && outcome.opens)
    }
}

/// How a packet got to a point of a chain.
#[derive(Debug, Clone, Default)]
struct Path {
    uncertain: Vec<UnknownId>,
    passed_over: usize,
}

impl Path {
    fn then(&self, uncertain: &[UnknownId], passed_over: usize) -> Path {
        Path {
            uncertain: self.uncertain.iter().chain(uncertain).copied().collect(),
            passed_over: self.passed_over + passed_over,
        }
    }
}

/// Of two ways to the same point the more certain one.
fn better(one: Option<Path>, two: Option<Path>) -> Option<Path> {
    match (one, two) {
        (Some(one), Some(two)) => Some(if two.uncertain.len() < one.uncertain.len() { two } else { one }),
        (one, two) => one.or(two),
    }
}

/// What a chain does, seen from its first rule.
#[derive(Debug, Default)]
struct Flow {
    judged: Judged,
    /// Set if the packet may go on where the chain was called.
    returns: Option<Path>,
}

impl Flow {
    /// Keeps an outcome unless there is a more certain one of the same effect.
    fn record(&mut self, outcome: Judgement) {
        let effect = (outcome.ruling, outcome.opens);
        match self.judged.outcomes.iter_mut().find(|old| (old.ruling, old.opens) == effect) {
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
    /// A chain does the same whoever calls it, so it is walked once.
    done: BTreeMap<usize, Rc<Flow>>,
}

/// Judges a packet by the chain of a hook.
pub fn judge(view: &View<'_>, hook: Hook, sight: &Sight<'_>) -> Judged {
    let mut run = Run { view, sight, filter: hook.filter, done: BTreeMap::new() };
    let mut flow = Flow::default();
    let begun = run.chain(hook.chain, 0);
    let left = absorb(&mut flow, &begun, &Path::default());
    let Some(left) = left else { return flow.judged };
    // Whoever returns from an entry chain meets its policy, like whoever falls off its end.
    let by = Decider::Policy { filter: hook.filter, chain: hook.chain };
    let beyond = match view.network.filter(hook.filter).chains[hook.chain].policy {
        Some(action) => {
            let Next { goes_on, returns } = run.act(&mut flow, action, &left, by, true, 0);
            better(goes_on, returns)
        }
        None => Some(left),
    };
    if let Some(path) = beyond {
        let by = Decider::End { filter: hook.filter, chain: hook.chain };
        flow.record(outcome(Ruling::Accept, by, true, &path));
    }
    flow.judged
}

fn outcome(ruling: Ruling, by: Decider, opens: bool, path: &Path) -> Judgement {
    Judgement { ruling, by, opens, uncertain: path.uncertain.clone(), passed_over: path.passed_over }
}

/// Adds what a called chain does to what is known, and returns how it is left.
fn absorb(flow: &mut Flow, called: &Flow, path: &Path) -> Option<Path> {
    for one in &called.judged.outcomes {
        let whole = path.then(&one.uncertain, one.passed_over);
        flow.record(outcome(one.ruling, one.by, one.opens, &whole));
    }
    flow.judged.stuck.extend(&called.judged.stuck);
    called.returns.as_ref().map(|left| path.then(&left.uncertain, left.passed_over))
}

/// Where a packet goes from a rule that took it.
#[derive(Default)]
struct Next {
    goes_on: Option<Path>,
    returns: Option<Path>,
}

impl Run<'_> {
    fn chain(&mut self, chain: usize, depth: usize) -> Rc<Flow> {
        if let Some(done) = self.done.get(&chain) {
            return Rc::clone(done);
        }
        let flow = Rc::new(self.walk_chain(chain, depth));
        self.done.insert(chain, Rc::clone(&flow));
        flow
    }

    fn walk_chain(&mut self, chain: usize, depth: usize) -> Flow {
        let mut flow = Flow::default();
        let mut at = Some(Path::default());
        let all = &self.view.network.filter(self.filter).chains[chain];
        for (index, rule) in all.rules.iter().enumerate() {
            // A rule that is a closed door is not there (SEMANTICS.md section 6, `only-via`).
            if self.view.is_closed_rule(self.filter, chain, index) {
                continue;
            }
            let Some(path) = at.take() else { return flow };
            let by = Decider::Rule { filter: self.filter, chain, rule: index };
            let unknowns = match rule_matches(self.view, rule, self.sight) {
                Truth::No => Vec::new(),
                // Whether it matches or not, the packet goes on.
                Truth::Yes | Truth::Maybe(_) if rule.action == Action::Continue => Vec::new(),
                Truth::Yes => {
                    let next = self.act(&mut flow, rule.action, &path, by, rule.opens, depth);
                    flow.returns = better(flow.returns.take(), next.returns);
                    at = next.goes_on.map(|path| path.then(&[], 1));
                    continue;
                }
                Truth::Maybe(ids) if !self.view.is_may() => {
                    flow.judged.stuck.extend(ids);
                    return flow;
                }
                Truth::Maybe(ids) => ids,
            };
            let mut beyond = Some(path.then(&unknowns, 1));
            if !unknowns.is_empty() {
                let taken = path.then(&unknowns, 0);
                let next = self.act(&mut flow, rule.action, &taken, by, rule.opens, depth);
                flow.returns = better(flow.returns.take(), next.returns);
                beyond = better(beyond, next.goes_on.map(|path| path.then(&[], 1)));
            }
            at = beyond;
        }
        let Some(path) = at else { return flow };
        let left = match all.policy {
            Some(action) => {
                let by = Decider::Policy { filter: self.filter, chain };
                let Next { goes_on, returns } = self.act(&mut flow, action, &path, by, true, depth);
                better(goes_on, returns)
            }
            None => Some(path),
        };
        flow.returns = better(flow.returns.take(), left);
        flow
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
                let called = self.chain(called, depth + 1);
                let left = absorb(flow, &called, path);
                match action {
                    Action::Jump(_) => Next { goes_on: left, returns: None },
                    _ => Next { goes_on: None, returns: left },
                }
            }
            Action::Return => Next { goes_on: None, returns: Some(path.clone()) },
            Action::Continue => Next { goes_on: Some(path.clone()), returns: None },
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
        Next { goes_on: Some(path), returns: None }
    }
}
