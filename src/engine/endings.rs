//! Where packets that never arrive come to their end, and what ends them: the substance of "holds".

use super::look::{Look, LookKind};
use super::marks::Marks;
use super::passage::Course;
use super::query::RuleRef;
use super::rules::rule_sets;
use super::run::Run;
use super::view::View;
use crate::model::{Action, Existence, Hook, InterfaceId, Kind, NodeId, Role, Stage, State};
use crate::set::Set;

/// Endings that are told; a fabric has thousands of the same kind.
const MOST_ENDINGS: usize = 200;

/// What ends packets at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndedBy {
    /// A rule, or the policy of a chain.
    Rule(Stage, RuleRef),
    /// No route, or one that says unreachable.
    NoRoute,
    /// A route that drops.
    Blackhole,
    /// The source does not belong behind the interface.
    Spoofed,
    /// The node forwards nothing.
    NotForwarding,
}

/// One way in which packets end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ending {
    /// The node.
    pub node: NodeId,
    /// The interface that received them.
    pub receiver: InterfaceId,
    /// What ended them.
    pub by: EndedBy,
}

/// What ends packets that a run has brought to the nodes.
pub(super) fn endings(view: &mut View<'_>, run: &mut Run<'_, '_>) -> Vec<Ending> {
    let mut found = Vec::new();
    for index in 0..run.received.len() {
        if found.len() >= MOST_ENDINGS {
            break;
        }
        let receiver = InterfaceId::at(index);
        let node = run.network.interface(receiver).node;
        let spec = run.network.node(node);
        let followed = !run.query.footholds.nodes[node.index()]
            && spec.role != Role::Internet
            && spec.kind == Kind::Linux
            && spec.existence == Existence::Described;
        if let Some(drops) = run.drops_strange_sources(view, receiver) {
            if drops {
                found.push(Ending { node, receiver, by: EndedBy::Spoofed });
            }
        } else if followed && !run.received[index].is_empty() {
            let mut here = Here { view, run, node, receiver, found: &mut found };
            here.look();
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Packets with their marks.
type Marked = (Marks, Set);

struct Here<'h, 'v, 'q, 'c> {
    view: &'h mut View<'v>,
    run: &'h mut Run<'q, 'c>,
    node: NodeId,
    receiver: InterfaceId,
    found: &'h mut Vec<Ending>,
}

impl Here<'_, '_, '_, '_> {
    fn end(&mut self, packets: Set, by: EndedBy) {
        if !packets.is_empty() {
            self.found.push(Ending { node: self.node, receiver: self.receiver, by });
        }
    }

    /// Follows what is new to the node through its stages, and notes what each takes away.
    fn look(&mut self) {
        let network = self.run.network;
        let spec = network.node(self.node);
        let all = self.run.usable(self.view, self.receiver, self.run.received[self.receiver.index()]);
        let look = Look { packets: all, ..Look::of_answers(State::New, all) };
        for marks in self.run.first_marks(self.view, self.node, Some(self.receiver), look) {
            let ingress = &network.interface(self.receiver).ingress;
            for came in self.stage((marks, all), ingress, Stage::Ingress, None) {
                for came in self.stage(came, &spec.prerouting, Stage::Prerouting, None) {
                    self.routed(came);
                }
            }
        }
    }

    /// Follows what is past the first lists.
    fn routed(&mut self, (marks, passed): Marked) {
        let spec = self.run.network.node(self.node);
        let passed = self.translated(marks, passed);
        let plausible = self.view.plausible_sources(self.receiver);
        let spoofed = self.view.space.minus(passed, plausible);
        self.end(spoofed, EndedBy::Spoofed);
        let passed = self.view.space.intersect(passed, plausible);
        let own = self.view.compiled.nodes[self.node.index()].to_own;
        let local = self.view.space.intersect(passed, own);
        self.stage((marks, local), &spec.input, Stage::Input, None);
        let group = self.view.compiled.group_at(self.receiver);
        let away = self.view.space.minus(passed, own);
        let away = self.view.space.minus(away, group);
        let forwarded = self.run.forwardable(self.view, self.node, away);
        if spec.interfaces.len() > 1 {
            let kept = self.view.space.minus(away, forwarded);
            self.end(kept, EndedBy::NotForwarding);
        }
        self.routes(marks, forwarded);
    }

    /// What new packets are as they are routed.
    fn translated(&mut self, marks: Marks, packets: Set) -> Set {
        let new = LookKind::State(State::New);
        let look = Look { kind: new, packets, course: Course::of(new) };
        let entry = super::device::entry(self.node, self.receiver, marks);
        self.run.enter(self.view, look, packets, entry).routed
    }

    fn routes(&mut self, marks: Marks, packets: Set) {
        let network = self.run.network;
        let spec = network.node(self.node);
        let fib = self.view.fib(self.node, Some(self.receiver), marks.packet);
        let lost = self.view.space.intersect(packets, fib.unroutable);
        self.end(lost, EndedBy::NoRoute);
        let mut left = self.view.space.minus(packets, fib.unroutable);
        let routed: Vec<Set> = fib.sends.iter().map(|(_, set)| *set).collect();
        let routed = self.view.space.union_all(&routed);
        left = self.view.space.minus(left, routed);
        for (hop, set) in &fib.sends {
            let egress = &network.interface(hop.interface).egress;
            if spec.forward.is_empty() && egress.is_empty() {
                continue;
            }
            let routed = self.view.space.intersect(packets, *set);
            for passed in self.stage((marks, routed), &spec.forward, Stage::Forward, Some(hop.interface)) {
                self.stage(passed, egress, Stage::Egress, Some(hop.interface));
            }
        }
        self.end(left, EndedBy::Blackhole);
    }

    /// What passes the lists of a stage as new packets; what does not is noted by rule.
    fn stage(
        &mut self,
        (marks, packets): Marked,
        hooks: &[Hook],
        stage: Stage,
        outgoing: Option<InterfaceId>,
    ) -> Vec<Marked> {
        if packets.is_empty() {
            return vec![(marks, packets)];
        }
        let pieces = self.view.stages(self.node, [hooks], (Some(self.receiver), outgoing), marks);
        let mut dropped = packets;
        let mut passed = Vec::with_capacity(pieces.len());
        for (marks, accept) in pieces {
            let here = self.view.space.intersect(packets, accept.state(State::New));
            dropped = self.view.space.minus(dropped, here);
            passed.push((marks, here));
        }
        for hook in hooks {
            dropped = self.rules(*hook, (marks, dropped), stage, outgoing);
        }
        passed
    }

    /// The rules of a hook's chain that stop packets; a called chain is named by the rule that calls it.
    fn rules(
        &mut self,
        hook: Hook,
        (marks, mut dropped): Marked,
        stage: Stage,
        outgoing: Option<InterfaceId>,
    ) -> Set {
        let network = self.run.network;
        let chain = &network.filter(hook.filter).chains[hook.chain];
        for position in 0..=chain.rules.len() {
            if dropped.is_empty() || self.found.len() >= MOST_ENDINGS {
                break;
            }
            let place = RuleRef { filter: hook.filter, chain: hook.chain, rule: position };
            let action = chain.rules.get(position).map(|rule| rule.action).or(chain.policy);
            let takes = match action {
                Some(Action::Drop | Action::Reject | Action::Jump(_) | Action::Goto(_)) => {
                    // A rule before it in its chain may have set another mark.
                    let marks = (!self.view.compiled.mark_use(hook).sets).then_some(marks);
                    rule_sets(self.view, (self.node, hook), place, (Some(self.receiver), outgoing), marks).1
                }
                Some(
                    Action::Accept
                    | Action::Return
                    | Action::Continue
                    | Action::Mark(_)
                    | Action::Translate(_)
                    | Action::Unknown(_),
                )
                | None => Set::EMPTY,
            };
            let stopped = self.view.space.intersect(dropped, takes);
            if !stopped.is_empty() {
                self.end(stopped, EndedBy::Rule(stage, place));
                dropped = self.view.space.minus(dropped, stopped);
            }
        }
        dropped
    }
}
