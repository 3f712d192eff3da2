//! What a node does with packets: receive, filter, route, filter, send; or deliver; or answer (SEMANTICS.md section 3).

use super::compiled::View;
use super::history::Step;
use super::look::{Look, LookKind};
use super::query::Place;
use super::routes::Fib;
use super::rules::Accept;
use super::run::Run;
use crate::header::Family;
use crate::model::{Assumption, Existence, InterfaceId, Kind, NodeId, Reading, Role, State};
use crate::set::{Set, Side};

/// What a batch of packets at an interface caused that the node answers.
#[derive(Default)]
struct Causes {
    delivered: Vec<Set>,
    fresh: Vec<Set>,
}

impl Causes {
    /// Notes packets that are answered with an error on their way through. An error about a packet of an open connection
    /// belongs to that connection.
    fn in_passing(&mut self, look: Look, packets: Set) {
        let list = if look.is_open() { &mut self.delivered } else { &mut self.fresh };
        list.push(packets);
    }
}

/// A batch on its way through one node.
struct Batch {
    node: NodeId,
    receiver: InterfaceId,
    look: Look,
    /// Packets past the ingress lists and the checks of sources.
    packets: Set,
    /// Packets that some list so far opens a connection for.
    opens: Set,
}

impl Run<'_, '_> {
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

    /// Passes packets that an interface has received through its ingress lists and the checks of sources, and adds what is
    /// left to the batch of its look.
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
        // A node of the adversary can do everything anyway.
        if self.query.footholds.nodes[node.index()] || !self.exists(spec.existence) {
            return;
        }
        if self.process_group(view, receiver, packets) {
            return;
        }
        let packets = self.usable(view, receiver, packets);
        if packets.is_empty() {
            return;
        }
        if spec.role == Role::Internet || spec.existence != Existence::Described {
            return self.beyond(view, node, receiver, packets);
        }
        if spec.kind != Kind::Linux && self.query.reading == Reading::Must {
            return;
        }
        let ingress = view.stage(node, &self.network.interface(receiver).ingress, Some(receiver), None);
        for look in self.looks(view, node, packets, again) {
            // Which of them it is that a list rejects is not told apart.
            let refused = self.refused(view, receiver, look.packets);
            causes.in_passing(look, refused);
            let admitted = look.accepts(view, &ingress);
            let admitted = view.space.intersect(look.packets, admitted);
            if admitted.is_empty() {
                continue;
            }
            let unroutable = self.unroutable(view, node, receiver, admitted);
            causes.in_passing(look, unroutable);
            let packets = self.check_sources(view, receiver, admitted);
            match batches.iter_mut().find(|batch| batch.look.kind == look.kind) {
                Some(batch) => {
                    batch.packets = view.space.union(batch.packets, packets);
                    batch.opens = view.space.union(batch.opens, ingress.opens);
                }
                None => batches.push(Batch { node, receiver, look, packets, opens: ingress.opens }),
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

    /// The ways in which the tracker of a node may look at packets.
    fn looks(&mut self, view: &mut View<'_>, node: NodeId, packets: Set, again: bool) -> Vec<Look> {
        let facts = &view.compiled.nodes[node.index()];
        if !(facts.tracks && facts.asks_state) {
            let all = Look { kind: LookKind::State(State::New), packets };
            return if again { Vec::new() } else { vec![all] };
        }
        let mut looks = Vec::new();
        let mut add = |view: &mut View<'_>, kind, within: Set| {
            let packets = view.space.intersect(packets, within);
            if !packets.is_empty() {
                looks.push(Look { kind, packets });
            }
        };
        if !again {
            let certain = view.compiled.common.certainly_new;
            let doubtful = view.space.complement(certain);
            if self.query.reading == Reading::May {
                add(view, LookKind::State(State::New), Set::FULL);
                add(view, LookKind::State(State::Invalid), doubtful);
                add(view, LookKind::State(State::Untracked), doubtful);
            } else {
                add(view, LookKind::State(State::New), certain);
                add(view, LookKind::AnyFresh, doubtful);
            }
        }
        add(view, LookKind::State(State::Established), self.connections[node.index()].established);
        if self.query.reading == Reading::May {
            add(view, LookKind::State(State::Related), self.connections[node.index()].related);
        }
        looks
    }

    /// Takes out what the kernel or the anti-spoofing of the interface drops.
    fn check_sources(&mut self, view: &mut View<'_>, receiver: InterfaceId, packets: Set) -> Set {
        let plausible = view.plausible_sources(receiver);
        let packets = view.space.intersect(packets, plausible);
        let node = self.network.interface(receiver).node;
        let common = &view.compiled.common;
        let dropped = match (self.query.reading, &self.network.node(node).kind) {
            (Reading::May, Kind::Linux) => common.never_taken,
            (Reading::May, Kind::Unknown(_)) => Set::EMPTY,
            (Reading::Must, _) => {
                view.space.union(common.martians, view.compiled.nodes[node.index()].from_own)
            }
        };
        view.space.minus(packets, dropped)
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
        if self.query.reading == Reading::May {
            local = view.space.union(local, flooded);
            if spec.multicast_forwarding.holds(Reading::May) {
                away = view.space.union(away, flooded);
            }
        }
        let input = view.stage(batch.node, &spec.input, Some(batch.receiver), None);
        let accepted = batch.look.accepts(view, &input);
        let delivered = view.space.intersect(local, accepted);
        self.local(view, batch, delivered, &input);
        causes.delivered.push(delivered);
        if rejects {
            causes.fresh.push(local);
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
        self.forward(view, batch, away);
    }

    fn local(&mut self, view: &mut View<'_>, batch: &Batch, delivered: Set, input: &Accept) {
        if delivered.is_empty() || self.is_deaf(batch.node) {
            return;
        }
        self.deliver(view, batch.node, delivered, batch.receiver, batch.look.is_open());
        if self.notes_openings(batch.look) {
            let opening = view.space.union(batch.opens, input.opens);
            let opened = view.space.intersect(delivered, opening);
            self.open(view, batch.node, opened, Some(batch.receiver), None);
        }
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
            for interface in &self.network.node(batch.node).interfaces {
                self.send(view, batch, packets, *interface, None);
            }
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
        let packets = view.space.intersect(packets, accepted);
        let accepted = batch.look.accepts(view, &egress);
        let packets = view.space.intersect(packets, accepted);
        if packets.is_empty() {
            return;
        }
        self.open_through(view, batch, packets, &[forward.opens, egress.opens], sends);
        let step = Step::Sent {
            receiver: batch.receiver,
            sends,
            via: via.flatten(),
            established: batch.look.is_open(),
            any_destination: false,
        };
        match via {
            Some(via) => self.put(view, segment, packets, sends, via, step),
            None => self.put_to_all(view, segment, packets, Some(sends), step),
        }
    }

    /// Notes what the lists on its way let new packets open, if there is a segment to send them to.
    fn open_through(
        &mut self,
        view: &mut View<'_>,
        batch: &Batch,
        packets: Set,
        lists: &[Set],
        sends: InterfaceId,
    ) {
        let segment = self.network.interface(sends).segment;
        if self.notes_openings(batch.look)
            && segment.is_some_and(|id| self.exists(self.network.segment(id).existence))
        {
            let opening = view.space.union_all(lists);
            let opening = view.space.union(opening, batch.opens);
            let opened = view.space.intersect(packets, opening);
            self.open(view, batch.node, opened, Some(batch.receiver), Some(sends));
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
            self.open_through(view, batch, passed, &[forward.opens], *sends);
            let anywhere = view.space.forget_address(passed, Side::Dst);
            let anywhere = self.usable(view, *sends, anywhere);
            let step = Step::Sent {
                receiver: batch.receiver,
                sends: *sends,
                via: None,
                established: batch.look.is_open(),
                any_destination: true,
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
        let kinds: [(Vec<Set>, &[State]); 2] =
            [(causes.delivered, &[New, Established, Related]), (causes.fresh, &[New, Invalid, Untracked])];
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
            let step = Step::Answered { receiver, cause };
            let looks: Vec<Look> =
                states.iter().map(|s| Look { kind: LookKind::State(*s), packets: answers }).collect();
            self.originate_as(view, node, &looks, step);
        }
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
        view.space.minus(answers, facts.to_own)
    }

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
        self.originate_as(view, node, &looks, Step::Own { node, established: false });
        if !again && self.sends_unfiltered(node) {
            self.note_sent(view, node, packets);
        }
    }

    /// Sends, in a run that follows few packets only, whatever of them a node might make of others: answers in any state,
    /// and packets that it routes by their own list of addresses.
    pub(super) fn become_wanted(&mut self, view: &mut View<'_>, node: NodeId) {
        let spec = self.network.node(node);
        let step = Step::Own { node, established: false };
        if self.reflects() {
            let facts = &view.compiled.nodes[node.index()];
            let sources = if facts.rejects { Set::FULL } else { facts.from_own };
            let packets = view.space.intersect(self.within, sources);
            if !packets.is_empty() {
                let look = |state: &State| Look { kind: LookKind::State(*state), packets };
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

    fn originate_as(&mut self, view: &mut View<'_>, node: NodeId, looks: &[Look], step: Step) {
        // Without lists all looks at the same packets are one.
        let same = looks.windows(2).all(|two| two[0].packets == two[1].packets);
        let looks =
            if same && self.sends_unfiltered(node) { looks.get(..1).unwrap_or_default() } else { looks };
        let fib: std::sync::Arc<Fib> = view.fib(node, None);
        let spec = self.network.node(node);
        for (hop, set) in &fib.sends {
            let sends = hop.interface;
            let Some(segment) = self.network.interface(sends).segment else { continue };
            if self.is_cut(sends) || !self.exists(self.network.segment(segment).existence) {
                continue;
            }
            let output = view.stage(node, &spec.output, None, Some(sends));
            let egress = view.stage(node, &self.network.interface(sends).egress, None, Some(sends));
            for look in looks {
                let step = match step {
                    Step::Own { node, .. } => Step::Own { node, established: look.is_open() },
                    other => other,
                };
                let packets = view.space.intersect(look.packets, *set);
                let packets = self.usable(view, sends, packets);
                let accepted = look.accepts(view, &output);
                let packets = view.space.intersect(packets, accepted);
                let accepted = look.accepts(view, &egress);
                let packets = view.space.intersect(packets, accepted);
                if self.notes_openings(*look) {
                    let opening = view.space.union(output.opens, egress.opens);
                    let opened = view.space.intersect(packets, opening);
                    self.open(view, node, opened, None, Some(sends));
                }
                self.put(view, segment, packets, sends, hop.via, step);
            }
        }
    }
}
