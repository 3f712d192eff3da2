//! What a node sends itself: its own packets and its answers (SEMANTICS.md section 3.2).

use super::history::Step;
use super::look::Look;
use super::marks::Marks;
use super::passage::{Entered, Leaving};
use super::pieces::OwnPiece;
use super::routes::Fib;
use super::run::Run;
use super::translate::{Meeting, Spot};
use super::view::View;
use crate::model::{Assumption, InterfaceId, Kind, NodeId, Reading, SegmentId, State};
use crate::set::Set;

/// An interface by which a node sends what is its own, the next hop, and what it sends there.
type OwnWay = (InterfaceId, Option<std::net::IpAddr>, Set);

/// Packets that a node sends itself.
struct Own {
    /// Where it routed them first; what lists of their own see as out-interface until they leave.
    entry: Meeting,
    look: Look,
    /// As it made them.
    came: Set,
    /// What a list opens that saw them as it made them.
    opens: Set,
    /// As they are routed.
    entered: Entered,
}

impl Run<'_, '_> {
    /// A node sends packets with its own addresses.
    pub(super) fn originate(&mut self, view: &mut View<'_>, node: NodeId, packets: Set, again: bool) {
        let spec = self.network.node(node);
        if !self.exists(spec.existence) || (spec.kind != Kind::Linux && self.query.reading == Reading::Must) {
            return;
        }
        let facts = &view.compiled.nodes[node.index()];
        let mut packets = view.space.intersect(packets, facts.from_own);
        if !self.reroutes_own(node) {
            // What a node sends to itself never leaves it.
            packets = view.space.minus(packets, facts.to_own);
        }
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

    /// Whether a node may translate the destinations of its own packets, so that even what it sends to itself may leave.
    pub(super) fn reroutes_own(&self, node: NodeId) -> bool {
        !self.network.node(node).translating.output.is_empty()
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
        let ways = self.own_ways(view, node, 0);
        let home = self.way_home(view, node);
        for way in ways.iter().copied().chain(home) {
            let sends = Some(way.0);
            for look in looks {
                let packets = view.space.intersect(look.packets, way.2);
                if packets.is_empty() {
                    continue;
                }
                for first in self.first_marks(view, node, None, *look) {
                    let early = &self.network.node(node).early_output;
                    for own in view.own_stage(node, early, sends, first) {
                        let accepted = look.accepts(view, &own.accept);
                        let came = view.space.intersect(packets, accepted);
                        self.translate_own(view, (*look, came, own), way, &ways, step);
                    }
                }
            }
        }
    }

    /// Translates the destinations of packets of a node itself, past the lists that see them as it made them, and sends them.
    fn translate_own(
        &mut self,
        view: &mut View<'_>,
        (look, came, early): (Look, Set, OwnPiece),
        first: OwnWay,
        ways: &[OwnWay],
        step: Step,
    ) {
        if came.is_empty() {
            return;
        }
        let node = early.node;
        let OwnPiece { marks, rerouted, accept, .. } = early;
        let entry = Meeting { node, spot: Spot::Output, incoming: None, outgoing: Some(first.0), marks };
        let entered = self.enter(view, look, came, entry);
        for (marks, came, entered) in self.by_status(view, node, (look, marks), (came, entered)) {
            let own = Own { entry: Meeting { marks, ..entry }, look, came, opens: accept.opens, entered };
            self.route_own(view, &own, rerouted, first, ways, step);
        }
    }

    /// Routes packets of a node itself whose destinations are translated by now.
    fn route_own(
        &mut self,
        view: &mut View<'_>,
        own: &Own,
        rerouted: Option<u32>,
        first: OwnWay,
        ways: &[OwnWay],
        step: Step,
    ) {
        // What is the node's own in the end never leaves it; the rest goes as it was routed first, unless another mark or
        // another destination sends it another way.
        let (same, changed) = view.part(own.entered.routed, own.came);
        match rerouted {
            Some(mark) => self.send_rerouted(view, own, same, mark, step),
            None if first.0 != InterfaceId::LOOPBACK => self.send_own(view, own, same, first, step),
            None => {}
        }
        // An error about a connection may become one to the node itself.
        let changed = view.space.minus(changed, view.compiled.nodes[own.entry.node.index()].to_own);
        if changed.is_empty() {
            return;
        }
        let mark = own.entry.marks.packet;
        if mark == 0 {
            for way in ways {
                let there = view.space.intersect(changed, way.2);
                self.send_own(view, own, there, *way, step);
            }
        } else {
            self.send_rerouted(view, own, changed, mark, step);
        }
    }

    /// Sends packets of a node itself as they are routed with a mark.
    fn send_rerouted(&mut self, view: &mut View<'_>, own: &Own, packets: Set, mark: u32, step: Step) {
        if packets.is_empty() {
            return;
        }
        for way in self.own_ways(view, own.entry.node, mark) {
            let there = view.space.intersect(packets, way.2);
            self.send_own(view, own, there, way, step);
        }
    }

    /// Passes packets of a node itself through the lists for them, and sends them one way, unless those mark them for another.
    fn send_own(&mut self, view: &mut View<'_>, own: &Own, packets: Set, way: OwnWay, step: Step) {
        if packets.is_empty() {
            return;
        }
        let Meeting { node, outgoing, marks, .. } = own.entry;
        for piece in view.own_stage(node, &self.network.node(node).output, outgoing, marks) {
            let accepted = own.look.accepts(view, &piece.accept);
            let passed = view.space.intersect(packets, accepted);
            let Some(mark) = piece.rerouted.filter(|_| !passed.is_empty()) else {
                self.leave_own(view, own, passed, &piece, way, step);
                continue;
            };
            for way in self.own_ways(view, node, mark) {
                let there = view.space.intersect(passed, way.2);
                self.leave_own(view, own, there, &piece, way, step);
            }
        }
    }

    /// Sends packets of a node itself by an interface, as far as the lists behind their last routing let them.
    fn leave_own(
        &mut self,
        view: &mut View<'_>,
        own: &Own,
        packets: Set,
        output: &OwnPiece,
        way: OwnWay,
        step: Step,
    ) {
        let (sends, via, _) = way;
        let Some(segment) = self.network.interface(sends).segment else { return };
        if packets.is_empty() || self.is_cut(sends) || !self.exists(self.network.segment(segment).existence) {
            return;
        }
        let packets = self.usable(view, sends, packets);
        let late = &self.network.node(output.node).late_output;
        for (marks, late) in view.stages(output.node, [late], (None, Some(sends)), output.marks) {
            let accepted = own.look.accepts(view, &late);
            let routed = view.space.intersect(packets, accepted);
            let opens = view.space.union(output.accept.opens, late.opens);
            self.put_own(view, own, (routed, opens, marks), (sends, via, segment), step);
        }
    }

    /// Translates the sources of packets of a node itself, and puts them on a segment.
    fn put_own(
        &mut self,
        view: &mut View<'_>,
        own: &Own,
        (routed, routed_opens, marks): (Set, Set, Marks),
        (sends, via, segment): (InterfaceId, Option<std::net::IpAddr>, SegmentId),
        step: Step,
    ) {
        let (node, look) = (own.entry.node, own.look);
        let egress = &self.network.interface(sends).egress;
        let egress = view.last_stage(node, egress, (None, Some(sends)), marks);
        let accepted = look.accepts(view, &egress);
        for leaving in self.leave(view, node, look, routed, (None, Some(sends)), marks) {
            let packets = view.space.intersect(leaving.set, accepted);
            if packets.is_empty() {
                continue;
            }
            let leaving = Leaving { set: packets, ..leaving };
            let change = self.note_change(view, own.entry, look, own.came, leaving);
            if self.notes_openings(look) {
                let lists = [own.opens, routed_opens, egress.opens];
                let opened = if view.compiled.translates(node) {
                    self.open_bindings(view, node, &own.entered, routed, leaving, lists)
                } else {
                    let opening = view.space.union_all(&lists);
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

    /// The way of what a node sends to itself, if a translation may make something else of it.
    fn way_home(&self, view: &mut View<'_>, node: NodeId) -> Option<OwnWay> {
        if !self.reroutes_own(node) {
            return None;
        }
        let to_own = view.compiled.nodes[node.index()].to_own;
        let home = view.space.union(to_own, view.compiled.common.to_loopback);
        Some((InterfaceId::LOOPBACK, None, home))
    }

    /// Where a node sends what is its own and has a mark. Broadcast addresses of its prefixes, and the loopback while it runs,
    /// stand in the first table of Linux, before any rule.
    pub(super) fn own_ways(&self, view: &mut View<'_>, node: NodeId, mark: u32) -> Vec<OwnWay> {
        let fib: std::sync::Arc<Fib> = view.fib(node, None, mark);
        let facts = &view.compiled.nodes[node.index()];
        let mut ways: Vec<_> = facts.broadcasting.iter().map(|(id, set)| (*id, None, *set)).collect();
        for (hop, set) in &fib.sends {
            let set = match self.query.reading {
                Reading::May => *set,
                Reading::Must => view.space.minus(*set, facts.before_rules),
            };
            ways.push((hop.interface, hop.via, set));
        }
        if self.reroutes_own(node) {
            let to_own = facts.to_own;
            ways.iter_mut().for_each(|(_, _, set)| *set = view.space.minus(*set, to_own));
        }
        ways
    }
}
