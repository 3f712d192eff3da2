//! What a node does with packets: receive, filter, route, filter, send; or deliver; or answer (SEMANTICS.md section 3).

use super::history::Step;
use super::look::Look;
use super::passage::{Entered, Leaving};
use super::query::Place;
use super::rules::Accept;
use super::run::Run;
use super::translate::{Meeting, Spot};
use super::view::View;
use crate::header::Family;
use crate::model::{Assumption, Existence, InterfaceId, Kind, NodeId, Reading, Role, State};
use crate::set::{Set, Side};

/// What a batch of packets at an interface caused that the node answers.
#[derive(Default)]
struct Causes {
    delivered: Vec<Set>,
    fresh: Vec<Set>,
    /// Those that are answered though their source is the node's own, before anything has looked at the source. Only IPv4
    /// takes such a packet for impossible once it looks (`fib_validate_source`).
    own: [Vec<Set>; 2],
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
}

impl Batch {
    /// Takes in a batch of another interface that goes the same way from here on, where nothing translates.
    fn take(&mut self, view: &mut View<'_>, other: &Batch) {
        self.packets = view.space.union(self.packets, other.packets);
        self.opens = view.space.union(self.opens, other.opens);
    }

    /// Where its destinations were translated.
    fn entry(&self) -> Meeting {
        entry(self.node, self.receiver)
    }
}

/// Where a node translates the destinations of what an interface receives.
pub(super) fn entry(node: NodeId, receiver: InterfaceId) -> Meeting {
    Meeting { node, spot: Spot::Prerouting, incoming: Some(receiver), outgoing: None }
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
        let ingress = view.stage(node, &self.network.interface(receiver).ingress, Some(receiver), None);
        let early = view.stage(node, &spec.prerouting, Some(receiver), None);
        let opens = view.space.union(ingress.opens, early.opens);
        for look in self.looks(view, node, packets, again) {
            // Which of them it is that a list rejects is not told apart.
            let refused = self.refused(view, receiver, look.packets);
            causes.in_passing(look, refused);
            causes.as_own(look, refused);
            let admitted = look.accepts(view, &ingress);
            let admitted = view.space.intersect(look.packets, admitted);
            let accepted = look.accepts(view, &early);
            let came = view.space.intersect(admitted, accepted);
            if came.is_empty() {
                continue;
            }
            let entered = self.enter(view, look, came, entry(node, receiver));
            let unroutable = self.unroutable(view, node, receiver, entered.routed);
            causes.in_passing(look, unroutable);
            causes.as_own(look, unroutable);
            let packets = self.check_sources(view, receiver, entered.routed);
            let batch = Batch { node, receiver, look, entered, came, packets, opens };
            match batches.iter_mut().find(|other| other.receiver != receiver && other.look.kind == look.kind)
            {
                Some(other) => other.take(view, &batch),
                None => batches.push(batch),
            }
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
    fn unroutable(&mut self, view: &mut View<'_>, node: NodeId, receiver: InterfaceId, packets: Set) -> Set {
        if !self.reflects() {
            return Set::EMPTY;
        }
        let fib = view.fib(node, Some(receiver));
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
        let input = view.stage(batch.node, &spec.input, Some(batch.receiver), None);
        let accepted = batch.look.accepts(view, &input);
        let mut delivered = view.space.intersect(local, accepted);
        if self.query.reading == Reading::Must {
            delivered = view.space.minus(delivered, view.compiled.common.fragments);
        }
        self.local(view, batch, delivered, &input);
        causes.delivered.push(delivered);
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

    fn local(&mut self, view: &mut View<'_>, batch: &Batch, delivered: Set, input: &Accept) {
        if delivered.is_empty() || self.is_deaf(batch.node) {
            return;
        }
        for leaving in self.leave(view, batch.node, batch.look, delivered, (Some(batch.receiver), None)) {
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

    fn is_deaf(&self, node: NodeId) -> bool {
        self.query.cut.deaf.contains(&node)
    }

    fn forward(&mut self, view: &mut View<'_>, batch: &Batch, packets: Set) {
        let packets = if self.query.reading == Reading::Must {
            // A router never forwards link-local addresses (RFC 4291 section 2.5.6).
            view.space.minus(packets, view.compiled.common.link_local)
        } else {
            packets
        };
        let fib = view.fib(batch.node, Some(batch.receiver));
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
        let forward = view.stage(batch.node, &spec.forward, Some(batch.receiver), Some(sends));
        let egress = &self.network.interface(sends).egress;
        let egress = view.stage(batch.node, egress, Some(batch.receiver), Some(sends));
        let accepted = batch.look.accepts(view, &forward);
        let routed = view.space.intersect(packets, accepted);
        let accepted = batch.look.accepts(view, &egress);
        let interfaces = (Some(batch.receiver), Some(sends));
        for leaving in self.leave(view, batch.node, batch.look, routed, interfaces) {
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
            let forward = view.stage(batch.node, &spec.forward, Some(batch.receiver), Some(*sends));
            let accepted = batch.look.accepts(view, &forward);
            let passed = view.space.intersect(packets, accepted);
            let leaving = Leaving::unchanged(passed);
            self.open_through(view, batch, (passed, leaving), [forward.opens, Set::EMPTY], *sends, None);
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

    /// The node answers the sources of what reached it (SEMANTICS.md section 3.3), as far as nobody was answered yet.
    fn answer(&mut self, view: &mut View<'_>, node: NodeId, receiver: InterfaceId, causes: Causes) {
        if !self.reflects() {
            return;
        }
        use State::{Established, Invalid, New, Related, Untracked};
        let related = self.network.relates_own_errors(node);
        let fresh: &[State] =
            if related { &[New, Related, Invalid, Untracked] } else { &[New, Invalid, Untracked] };
        let kinds: [(Vec<Set>, &[State]); 2] =
            [(causes.delivered, &[New, Established, Related]), (causes.fresh, fresh)];
        for ((_, states), own) in kinds.iter().zip(causes.own) {
            self.answer_itself(view, node, receiver, &own, states);
        }
        for (kind, (sets, states)) in kinds.into_iter().enumerate() {
            let cause = view.space.union_all(&sets);
            let cause = self.less_free(view, Place::Node(node), cause);
            if cause.is_empty() {
                continue;
            }
            let replies = self.possible_answers(view, node, cause);
            let answers = view.space.minus(replies, self.answered[node.index()][kind]);
            if answers.is_empty() {
                continue;
            }
            let answered = &mut self.answered[node.index()][kind];
            *answered = view.space.union(*answered, answers);
            let step = Step::Answered { receiver, cause, change: None };
            let look = |state: &State| Look::of_answers(*state, answers);
            let looks: Vec<Look> = states.iter().map(look).collect();
            self.originate_as(view, node, &looks, step);
        }
    }

    /// What a node answers to packets that bear its own address comes home over its loopback, as far as its input lists let
    /// that in.
    fn answer_itself(
        &mut self,
        view: &mut View<'_>,
        node: NodeId,
        receiver: InterfaceId,
        causes: &[Set],
        states: &[State],
    ) {
        let cause = view.space.union_all(causes);
        let facts = &view.compiled.nodes[node.index()];
        let cause = view.space.intersect(cause, facts.from_own);
        let cause = self.less_free(view, Place::Node(node), cause);
        let sources = view.space.project_src(cause);
        let back = view.space.src_as_dst(sources);
        let home = view.space.intersect(back, facts.from_own);
        if home.is_empty() || self.is_deaf(node) {
            return;
        }
        let lists = &self.network.node(node).input;
        let input = view.stage(node, lists, Some(InterfaceId::LOOPBACK), None);
        let accepted: Vec<Set> = states.iter().map(|state| input.state(*state)).collect();
        let accepted = view.space.union_all(&accepted);
        let home = view.space.intersect(home, accepted);
        self.deliver(view, node, home, receiver, false, None);
    }

    /// What a node may answer to packets: from an address of its own; or, because a reset borrows the destination of
    /// what it resets, from that. What it sends to itself never leaves it.
    fn possible_answers(&self, view: &mut View<'_>, node: NodeId, cause: Set) -> Set {
        let facts = &view.compiled.nodes[node.index()];
        let sources = view.space.project_src(cause);
        let back = view.space.src_as_dst(sources);
        let mut answers = view.space.intersect(back, facts.from_own);
        if facts.rejects {
            let ends = view.space.project_ends(cause);
            let borrowed = view.space.mirror(ends);
            answers = view.space.union(answers, borrowed);
        }
        if self.reroutes_own(node) { answers } else { view.space.minus(answers, facts.to_own) }
    }
}
