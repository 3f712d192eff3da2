//! What a node does with packets: receive, filter, route, filter, send; or deliver; or answer (SEMANTICS.md section 3).

use super::history::Step;
use super::look::Look;
use super::marks::Marks;
use super::passage::{Entered, Leaving};
use super::rules::Accept;
use super::run::Run;
use super::translate::{Meeting, Spot};
use super::view::View;
use crate::header::Family;
use crate::model::{Assumption, Existence, InterfaceId, Kind, NodeId, Reading, Role, SegmentId};
use crate::set::{Set, Side};

/// What a batch of packets at an interface caused that the node answers.
#[derive(Default)]
pub(super) struct Causes {
    pub(super) delivered: Vec<Set>,
    pub(super) fresh: Vec<Set>,
    /// Those that are answered though their source is the node's own, before anything has looked at the source. Only IPv4
    /// takes such a packet for impossible once it looks (`fib_validate_source`).
    pub(super) own: [Vec<Set>; 2],
}

impl Causes {
    /// Notes packets that are answered with an error on their way through. An error about a packet of an open connection
    /// belongs to that connection.
    fn in_passing(&mut self, look: Look, packets: Set) {
        let list = if look.is_open() { &mut self.delivered } else { &mut self.fresh };
        list.push(packets);
    }

    /// Notes packets that are answered though their source may be the node's own.
    fn as_own(&mut self, look: Look, packets: Set) {
        self.own[usize::from(!look.is_open())].push(packets);
    }
}

/// A batch on its way through one node.
struct Batch {
    node: NodeId,
    receiver: InterfaceId,
    look: Look,
    /// Packets past the ingress lists, as they came and as they are routed.
    entered: Entered,
    came: Set,
    /// Those of them, as they are routed, past the checks of sources.
    packets: Set,
    /// Packets that some list so far opens a connection for.
    opens: Set,
    /// The marks with which they go on.
    marks: Marks,
}

impl Batch {
    /// Takes in a batch of another interface that goes the same way from here on, where nothing translates.
    fn take(&mut self, view: &mut View<'_>, other: &Batch) {
        self.packets = view.space.union(self.packets, other.packets);
        self.opens = view.space.union(self.opens, other.opens);
    }

    /// Where its destinations were translated.
    fn entry(&self) -> Meeting {
        entry(self.node, self.receiver, self.marks)
    }
}

/// Where a node translates the destinations of what an interface receives.
pub(super) fn entry(node: NodeId, receiver: InterfaceId, marks: Marks) -> Meeting {
    Meeting { node, spot: Spot::Prerouting, incoming: Some(receiver), outgoing: None, marks }
}

impl Run<'_, '_> {
    /// Processes packets that an interface has received. With `again`, they were processed before, and only what has
    /// become established since matters.
    pub(super) fn process(&mut self, view: &mut View<'_>, receiver: InterfaceId, packets: Set, again: bool) {
        self.process_together(view, &[(receiver, packets)], again);
    }

    /// Processes what several interfaces of a node have received that nothing behind their ingress lists tells apart.
    pub(super) fn process_together(
        &mut self,
        view: &mut View<'_>,
        received: &[(InterfaceId, Set)],
        again: bool,
    ) {
        let mut causes = Causes::default();
        let mut batches: Vec<Batch> = Vec::new();
        for (receiver, packets) in received {
            self.take_in(view, *receiver, *packets, again, (&mut batches, &mut causes));
        }
        for batch in &batches {
            self.split(view, batch, &mut causes);
        }
        if let Some((receiver, _)) = received.first() {
            self.answer(view, self.network.interface(*receiver).node, *receiver, causes);
        }
    }

    /// Passes packets that an interface has received through its ingress lists, the translation and the checks of sources,
    /// and adds what is left to the batches.
    fn take_in(
        &mut self,
        view: &mut View<'_>,
        receiver: InterfaceId,
        packets: Set,
        again: bool,
        (batches, causes): (&mut Vec<Batch>, &mut Causes),
    ) {
        let node = self.network.interface(receiver).node;
        let spec = self.network.node(node);
        if !self.exists(spec.existence) {
            return;
        }
        if self.process_group(view, receiver, packets) {
            return;
        }
        let packets = self.usable(view, receiver, packets);
        if packets.is_empty() {
            return;
        }
        // A node of the adversary takes everything, and can do everything anyway.
        if self.query.footholds.nodes[node.index()] {
            return self.deliver(view, node, packets, receiver, false, None);
        }
        if spec.role == Role::Internet || spec.existence != Existence::Described {
            return self.beyond(view, node, receiver, packets);
        }
        if spec.kind != Kind::Linux && self.query.reading == Reading::Must {
            return;
        }
        let interfaces = (Some(receiver), None);
        for look in self.looks(view, node, packets, again) {
            // Which of them it is that a list rejects is not told apart.
            let refused = self.refused(view, receiver, look.packets);
            causes.in_passing(look, refused);
            causes.as_own(look, refused);
            for first in self.first_marks(view, node, Some(receiver), look) {
                let ingress = &self.network.interface(receiver).ingress;
                for (marks, early) in view.stages(node, [ingress, &spec.prerouting], interfaces, first) {
                    let accepted = look.accepts(view, &early);
                    let came = view.space.intersect(look.packets, accepted);
                    self.take_marked(view, (receiver, look, marks), (came, early.opens), (batches, causes));
                }
            }
        }
    }

    /// Takes in packets past the first lists that have some marks there.
    fn take_marked(
        &mut self,
        view: &mut View<'_>,
        (receiver, look, marks): (InterfaceId, Look, Marks),
        (came, opens): (Set, Set),
        (batches, causes): (&mut Vec<Batch>, &mut Causes),
    ) {
        if came.is_empty() {
            return;
        }
        let node = self.network.interface(receiver).node;
        let entered = self.enter(view, look, came, entry(node, receiver, marks));
        for (marks, came, entered) in self.by_status(view, node, (look, marks), (came, entered)) {
            self.take_entered(view, (receiver, look, marks), (came, opens, entered), (batches, causes));
        }
    }

    /// Takes in packets as they are routed.
    fn take_entered(
        &mut self,
        view: &mut View<'_>,
        (receiver, look, marks): (InterfaceId, Look, Marks),
        (came, opens, entered): (Set, Set, Entered),
        (batches, causes): (&mut Vec<Batch>, &mut Causes),
    ) {
        let node = self.network.interface(receiver).node;
        let unroutable = self.unroutable(view, (receiver, marks), entered.routed);
        causes.in_passing(look, unroutable);
        causes.as_own(look, unroutable);
        let packets = self.check_sources(view, receiver, entered.routed);
        let batch = Batch { node, receiver, look, entered, came, packets, opens, marks };
        let goes_along = |other: &&mut Batch| {
            other.receiver != receiver && other.look.kind == look.kind && other.marks == marks
        };
        match batches.iter_mut().find(goes_along) {
            Some(other) => other.take(view, &batch),
            None => batches.push(batch),
        }
    }

    /// Packets that a list may reject on receive, and so answer.
    fn refused(&self, view: &mut View<'_>, receiver: InterfaceId, packets: Set) -> Set {
        let mut sets = Vec::new();
        for family in Family::ALL.into_iter().filter(|family| self.network.rejects_at(receiver, *family)) {
            sets.push(view.space.intersect(packets, view.compiled.common.families[family as usize]));
        }
        view.space.union_all(&sets)
    }

    pub(super) fn usable(&self, view: &mut View<'_>, receiver: InterfaceId, packets: Set) -> Set {
        if self.has_ipv6(receiver) {
            return packets;
        }
        let v4 = view.compiled.common.families[Family::V4 as usize];
        view.space.intersect(packets, v4)
    }

    /// Packets that the node would answer because it has no route for them. Anti-spoofing does not stop that.
    fn unroutable(
        &mut self,
        view: &mut View<'_>,
        (receiver, marks): (InterfaceId, Marks),
        packets: Set,
    ) -> Set {
        if !self.reflects() {
            return Set::EMPTY;
        }
        let node = self.network.interface(receiver).node;
        let fib = view.fib(node, Some(receiver), marks.packet);
        let lost = view.space.intersect(packets, fib.unroutable);
        let lost = view.space.minus(lost, view.compiled.nodes[node.index()].to_own);
        self.forwardable(view, node, lost)
    }

    pub(super) fn reflects(&self) -> bool {
        self.query.reading == Reading::May && !self.network.assumes(Assumption::NoReflection)
    }

    /// Packets of the families that a node forwards.
    pub(super) fn forwardable(&mut self, view: &mut View<'_>, node: NodeId, packets: Set) -> Set {
        let mut sets = Vec::new();
        for family in Family::ALL {
            if self.network.forwards(node, family, self.query.reading) {
                let own = view.compiled.common.families[family as usize];
                sets.push(view.space.intersect(packets, own));
            }
        }
        view.space.union_all(&sets)
    }

    /// Local delivery or forwarding.
    fn split(&mut self, view: &mut View<'_>, batch: &Batch, causes: &mut Causes) {
        if batch.packets.is_empty() {
            return;
        }
        let facts = &view.compiled.nodes[batch.node.index()];
        let rejects = facts.rejects;
        let own = facts.to_own;
        let (mut local, away) = view.part(batch.packets, own);
        let group = view.compiled.group_at(batch.receiver);
        let (flooded, mut away) = view.part(away, group);
        let spec = self.network.node(batch.node);
        let mut groups = Set::EMPTY;
        if self.query.reading == Reading::May {
            local = view.space.union(local, flooded);
            if spec.multicast_forwarding.holds(Reading::May) {
                away = view.space.union(away, flooded);
                groups = view.space.intersect(flooded, view.compiled.common.multicast);
            }
        }
        for (marks, input) in
            view.stages(batch.node, [&spec.input], (Some(batch.receiver), None), batch.marks)
        {
            let accepted = batch.look.accepts(view, &input);
            let mut delivered = view.space.intersect(local, accepted);
            if self.query.reading == Reading::Must {
                delivered = view.space.minus(delivered, view.compiled.common.fragments);
            }
            self.local(view, batch, delivered, (&input, marks));
            causes.delivered.push(delivered);
        }
        let v6 = view.compiled.common.families[Family::V6 as usize];
        if rejects {
            causes.fresh.push(local);
            let local = view.space.intersect(local, v6);
            causes.own[1].push(local);
        }
        let may_be_routed_by_source = spec.source_routing.holds(self.query.reading)
            && self.query.reading == Reading::May
            && !self.network.assumes(Assumption::NoSourceRouting);
        if may_be_routed_by_source {
            let own_only = view.space.intersect(batch.packets, own);
            let own_only = self.forwardable(view, batch.node, own_only);
            self.route_by_source(view, batch, own_only);
        }
        let away = self.forwardable(view, batch.node, away);
        if away.is_empty() {
            return;
        }
        causes.in_passing(batch.look, away);
        let away_v6 = view.space.intersect(away, v6);
        causes.as_own(batch.look, away_v6);
        self.forward(view, batch, away);
        // The ways of groups are in a table of their own, which nobody described.
        let groups = self.forwardable(view, batch.node, groups);
        self.spread(view, batch, groups);
    }

    /// Sends packets on through every interface.
    fn spread(&mut self, view: &mut View<'_>, batch: &Batch, packets: Set) {
        for interface in &self.network.node(batch.node).interfaces {
            self.send(view, batch, packets, *interface, None);
        }
    }

    fn local(
        &mut self,
        view: &mut View<'_>,
        batch: &Batch,
        delivered: Set,
        (input, marks): (&Accept, Marks),
    ) {
        if delivered.is_empty() || self.is_deaf(batch.node) {
            return;
        }
        let interfaces = (Some(batch.receiver), None);
        for leaving in self.leave(view, batch.node, batch.look, delivered, interfaces, marks) {
            if leaving.set.is_empty() {
                continue;
            }
            let change = self.note_change(view, batch.entry(), batch.look, batch.came, leaving);
            let is_open = batch.look.is_open();
            self.deliver(view, batch.node, leaving.set, batch.receiver, is_open, change);
            if self.notes_openings(batch.look) {
                let opened = self.opened_by(view, batch, delivered, leaving, [input.opens, Set::EMPTY]);
                self.open(view, batch.node, opened, (Some(batch.receiver), None), change);
            }
        }
    }

    /// The packets, as they came, that open a connection by leaving so.
    fn opened_by(
        &mut self,
        view: &mut View<'_>,
        batch: &Batch,
        routed: Set,
        leaving: Leaving,
        [mid, went]: [Set; 2],
    ) -> Set {
        if view.compiled.translates(batch.node) {
            let lists = [batch.opens, mid, went];
            return self.open_bindings(view, batch.node, &batch.entered, routed, leaving, lists);
        }
        let opening = view.space.union_all(&[batch.opens, mid, went]);
        view.space.intersect(leaving.set, opening)
    }

    pub(super) fn is_deaf(&self, node: NodeId) -> bool {
        self.query.cut.deaf.contains(&node)
    }

    fn forward(&mut self, view: &mut View<'_>, batch: &Batch, packets: Set) {
        let packets = if self.query.reading == Reading::Must {
            // A router never forwards link-local addresses (RFC 4291 section 2.5.6).
            view.space.minus(packets, view.compiled.common.link_local)
        } else {
            packets
        };
        let fib = view.fib(batch.node, Some(batch.receiver), batch.marks.packet);
        for (hop, set) in &fib.sends {
            let routed = view.space.intersect(packets, *set);
            self.send(view, batch, routed, hop.interface, Some(hop.via));
        }
        let learned = self.network.node(batch.node).dynamic_routes.is_some()
            && self.query.reading == Reading::May
            && !self.network.assumes(Assumption::FixedRoutes);
        if learned {
            self.spread(view, batch, packets);
        }
    }

    /// Sends what the forward and egress lists accept to a next hop, or to everybody there.
    fn send(
        &mut self,
        view: &mut View<'_>,
        batch: &Batch,
        packets: Set,
        sends: InterfaceId,
        via: Option<Option<std::net::IpAddr>>,
    ) {
        let Some(segment) = self.network.interface(sends).segment else { return };
        let cut = self.is_cut(sends) || self.is_closed(batch.receiver, sends);
        let packets = self.usable(view, sends, packets);
        if packets.is_empty() || cut {
            return;
        }
        let spec = self.network.node(batch.node);
        let interfaces = (Some(batch.receiver), Some(sends));
        for (marks, forward) in view.stages(batch.node, [&spec.forward], interfaces, batch.marks) {
            self.send_marked(view, batch, packets, (&forward, marks), (sends, segment, via));
        }
    }

    /// Sends what the forward list lets pass with some marks.
    fn send_marked(
        &mut self,
        view: &mut View<'_>,
        batch: &Batch,
        packets: Set,
        (forward, marks): (&Accept, Marks),
        (sends, segment, via): (InterfaceId, SegmentId, Option<Option<std::net::IpAddr>>),
    ) {
        let accepted = batch.look.accepts(view, forward);
        let routed = view.space.intersect(packets, accepted);
        if routed.is_empty() {
            return;
        }
        let interfaces = (Some(batch.receiver), Some(sends));
        let egress = &self.network.interface(sends).egress;
        let egress = view.last_stage(batch.node, egress, interfaces, marks);
        let accepted = batch.look.accepts(view, &egress);
        for leaving in self.leave(view, batch.node, batch.look, routed, interfaces, marks) {
            let packets = view.space.intersect(leaving.set, accepted);
            if packets.is_empty() {
                continue;
            }
            let leaving = Leaving { set: packets, ..leaving };
            let change = self.note_change(view, batch.entry(), batch.look, batch.came, leaving);
            self.open_through(view, batch, (routed, leaving), [forward.opens, egress.opens], sends, change);
            let step = Step::Sent {
                receiver: batch.receiver,
                sends,
                via: via.flatten(),
                established: batch.look.is_open(),
                any_destination: false,
                change,
            };
            match via {
                Some(via) => self.put(view, segment, packets, sends, via, step),
                None => self.put_to_all(view, segment, packets, Some(sends), step),
            }
        }
    }

    /// Notes what the lists on its way let new packets open, if there is a segment to send them to.
    fn open_through(
        &mut self,
        view: &mut View<'_>,
        batch: &Batch,
        (routed, leaving): (Set, Leaving),
        lists: [Set; 2],
        sends: InterfaceId,
        change: Option<usize>,
    ) {
        let segment = self.network.interface(sends).segment;
        let is_there = |id| self.exists(self.network.segment(id).existence);
        if self.notes_openings(batch.look) && segment.is_some_and(is_there) {
            let opened = self.opened_by(view, batch, routed, leaving, lists);
            self.open(view, batch.node, opened, (Some(batch.receiver), Some(sends)), change);
        }
    }

    fn is_closed(&self, receiver: InterfaceId, sends: InterfaceId) -> bool {
        self.query.cut.hops.contains(&(receiver, sends))
    }

    /// A packet that names its own way is filtered with the node's address as destination, and then goes anywhere.
    fn route_by_source(&mut self, view: &mut View<'_>, batch: &Batch, packets: Set) {
        let spec = self.network.node(batch.node);
        for sends in &spec.interfaces {
            if self.is_cut(*sends) {
                continue;
            }
            let Some(segment) = self.network.interface(*sends).segment else { continue };
            let mut all = Vec::new();
            let interfaces = (Some(batch.receiver), Some(*sends));
            for (_, forward) in view.stages(batch.node, [&spec.forward], interfaces, batch.marks) {
                let accepted = batch.look.accepts(view, &forward);
                let passed = view.space.intersect(packets, accepted);
                let leaving = Leaving::unchanged(passed);
                self.open_through(view, batch, (passed, leaving), [forward.opens, Set::EMPTY], *sends, None);
                all.push(passed);
            }
            let passed = view.space.union_all(&all);
            let anywhere = view.space.forget_address(passed, Side::Dst);
            let anywhere = self.usable(view, *sends, anywhere);
            let step = Step::Sent {
                receiver: batch.receiver,
                sends: *sends,
                via: None,
                established: batch.look.is_open(),
                any_destination: true,
                change: None,
            };
            self.put_to_all(view, segment, anywhere, Some(*sends), step);
        }
    }
}
