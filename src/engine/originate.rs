//! What a node sends itself: its own packets and its answers (SEMANTICS.md section 3.2).

use super::history::Step;
use super::look::Look;
use super::marks::Marks;
use super::passage::{Entered, Leaving};
use super::routes::Fib;
use super::run::Run;
use super::translate::{Meeting, Spot};
use super::view::View;
use crate::model::{Assumption, InterfaceId, Kind, NodeId, Reading, State};
use crate::set::Set;

/// An interface by which a node sends what is its own, the next hop, and what it sends there.
type OwnWay = (InterfaceId, Option<std::net::IpAddr>, Set);

/// Packets that a node sends itself.
struct Own {
    entry: Meeting,
    look: Look,
    /// As it made them.
    came: Set,
    /// As they are routed.
    entered: Entered,
}

impl Own {
    /// Those that go the way that they were routed first, and those that another destination sends another way.
    fn by_route(&self, view: &mut View<'_>, packets: Set) -> (Set, Set) {
        let (same, changed) = view.part(self.entered.routed, packets);
        // What a translation makes the node's own never leaves it.
        let own = view.compiled.nodes[self.entry.node.index()].to_own;
        (same, view.space.minus(changed, own))
    }
}

impl Run<'_, '_> {
    /// A node sends packets with its own addresses.
    pub(super) fn originate(&mut self, view: &mut View<'_>, node: NodeId, packets: Set, again: bool) {
        let spec = self.network.node(node);
        if !self.exists(spec.existence) || (spec.kind != Kind::Linux && self.query.reading == Reading::Must) {
            return;
        }
        let facts = &view.compiled.nodes[node.index()];
        let packets = view.space.intersect(packets, facts.from_own);
        // What a node sends to itself never leaves it.
        let packets = view.space.minus(packets, facts.to_own);
        let packets = view.space.intersect(packets, self.within);
        if packets.is_empty() {
            return;
        }
        let looks = self.looks(view, node, packets, again);
        self.originate_as(view, node, &looks, Step::Own { node, established: false, change: None });
        if !again && self.sends_unfiltered(node) {
            self.note_sent(view, node, packets);
        }
    }

    /// Sends, in a run that follows few packets only, whatever of them a node might make of others: answers in any state,
    /// and packets that it routes by their own list of addresses.
    pub(super) fn become_wanted(&mut self, view: &mut View<'_>, node: NodeId) {
        let spec = self.network.node(node);
        let step = Step::Own { node, established: false, change: None };
        if self.reflects() {
            let facts = &view.compiled.nodes[node.index()];
            let sources = if facts.rejects { Set::FULL } else { facts.from_own };
            let packets = view.space.intersect(self.within, sources);
            if !packets.is_empty() {
                let look = |state: &State| Look::of_answers(*state, packets);
                let looks: Vec<Look> = State::ALL.iter().map(look).collect();
                self.originate_as(view, node, &looks, step);
            }
        }
        let routes = spec.source_routing.holds(self.query.reading);
        if routes && !self.network.assumes(Assumption::NoSourceRouting) {
            for interface in &spec.interfaces {
                if let Some(segment) = self.network.interface(*interface).segment {
                    self.put_to_all(view, segment, self.within, Some(*interface), step);
                }
            }
        }
    }

    pub(super) fn originate_as(&mut self, view: &mut View<'_>, node: NodeId, looks: &[Look], step: Step) {
        // Without lists all looks at the same packets are one.
        let same = looks.windows(2).all(|two| two[0].packets == two[1].packets);
        let looks =
            if same && self.sends_unfiltered(node) { looks.get(..1).unwrap_or_default() } else { looks };
        let ways = self.own_ways(view, node);
        for way in &ways {
            let (sends, _, set) = *way;
            if self.is_cut(sends) {
                continue;
            }
            for look in looks {
                let packets = view.space.intersect(look.packets, set);
                if packets.is_empty() {
                    continue;
                }
                let marks = Marks::NONE;
                let entry =
                    Meeting { node, spot: Spot::Output, incoming: None, outgoing: Some(sends), marks };
                let entered = self.enter(view, *look, packets, entry);
                let own = Own { entry, look: *look, came: packets, entered };
                let (same, changed) = own.by_route(view, packets);
                self.send_own(view, &own, same, *way, step);
                for way in ways.iter().filter(|_| !changed.is_empty()) {
                    let there = view.space.intersect(changed, way.2);
                    self.send_own(view, &own, there, *way, step);
                }
            }
        }
    }

    /// Sends packets of a node itself one way, as far as the lists for them accept them.
    fn send_own(&mut self, view: &mut View<'_>, own: &Own, packets: Set, way: OwnWay, step: Step) {
        let (node, look, (sends, via, _)) = (own.entry.node, own.look, way);
        let Some(segment) = self.network.interface(sends).segment else { return };
        if packets.is_empty() || self.is_cut(sends) || !self.exists(self.network.segment(segment).existence) {
            return;
        }
        let output = view.last_stage(node, &self.network.node(node).output, (None, Some(sends)), Marks::NONE);
        let egress =
            view.last_stage(node, &self.network.interface(sends).egress, (None, Some(sends)), Marks::NONE);
        let packets = self.usable(view, sends, packets);
        let accepted = look.accepts(view, &output);
        let routed = view.space.intersect(packets, accepted);
        let accepted = look.accepts(view, &egress);
        for leaving in self.leave(view, node, look, routed, (None, Some(sends)), Marks::NONE) {
            let packets = view.space.intersect(leaving.set, accepted);
            if packets.is_empty() {
                continue;
            }
            let leaving = Leaving { set: packets, ..leaving };
            let change = self.note_change(view, own.entry, look, own.came, leaving);
            if self.notes_openings(look) {
                let opened = if view.compiled.translates(node) {
                    let lists = [Set::EMPTY, output.opens, egress.opens];
                    self.open_bindings(view, node, &own.entered, routed, leaving, lists)
                } else {
                    let opening = view.space.union(output.opens, egress.opens);
                    view.space.intersect(packets, opening)
                };
                self.open(view, node, opened, (None, Some(sends)), change);
            }
            let step = match step {
                Step::Own { node, .. } => Step::Own { node, established: look.is_open(), change },
                Step::Answered { receiver, cause, .. } => Step::Answered { receiver, cause, change },
                other => other,
            };
            self.put(view, segment, packets, sends, via, step);
        }
    }

    /// Where a node sends what is its own. Broadcast addresses of its prefixes stand in the first table of Linux, before any
    /// rule.
    pub(super) fn own_ways(&self, view: &mut View<'_>, node: NodeId) -> Vec<OwnWay> {
        let fib: std::sync::Arc<Fib> = view.fib(node, None, 0);
        let facts = &view.compiled.nodes[node.index()];
        let mut ways: Vec<_> = facts.broadcasting.iter().map(|(id, set)| (*id, None, *set)).collect();
        for (hop, set) in &fib.sends {
            let set = match self.query.reading {
                Reading::May => *set,
                Reading::Must => view.space.minus(*set, facts.to_broadcast),
            };
            ways.push((hop.interface, hop.via, set));
        }
        ways
    }
}
