//! What devices answer (SEMANTICS.md section 3.3): whatever reaches one may come back to its source address, with bytes
//! of what caused it. Thought of on *may* only, where nothing rules it out.

use super::filter::{Ruling, Sight, judge};
use super::marks::{self, ConnectionMark, Marks};
use super::pass::Progress;
use super::route::{Asked, Outcome, check_source, lookup};
use super::state::{Tables, states};
use super::status::{self, Status};
use super::step::{is_martian, which_way};
use super::translate::{Course, Spot, forms, peers};
use super::view::View;
use crate::header::{Family, Packet};
use crate::model::translation::End;
use crate::model::{Assumption, Existence, Hook, InterfaceId, Node, NodeId, Role, State};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Why a node answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// It took the packet, or the packet belongs to a connection of its table.
    Reply,
    /// It could not pass the packet on, or refused it.
    Error,
}

impl Cause {
    /// The states under which such an answer leaves.
    pub fn states(self) -> &'static [State] {
        match self {
            Cause::Reply => &[State::New, State::Established, State::Related],
            Cause::Error => &[State::New, State::Invalid, State::Untracked],
        }
    }
}

/// An answer that a node may give: to this address, with any protocol and ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Answer {
    /// Who answers.
    pub node: NodeId,
    /// Whom.
    pub to: IpAddr,
    /// Whom the packet that is answered was sent to.
    pub about: IpAddr,
    /// Why.
    pub cause: Cause,
    /// Whether the node hears the answer itself, over its loopback, where it is to one of its own addresses.
    pub comes_home: bool,
}

impl Answer {
    /// Whether a packet can be this answer. Its source is an own address of the node; a reset borrows the destination of
    /// what it resets, so where something rejects it may be that.
    pub fn can_be(&self, view: &View<'_>, packet: &Packet) -> bool {
        let borrowed = view.rejects(self.node) && packet.src == self.about;
        packet.dst == self.to && (view.sends_as(self.node, packet.src) || borrowed)
    }

    /// Whether the node hears this answer itself, past its input lists.
    pub fn is_heard_at_home(&self, view: &View<'_>, packet: &Packet) -> bool {
        let input = &view.network.node(self.node).input;
        let own = view.sends_as(self.node, packet.src) && view.sends_as(self.node, packet.dst);
        let lets_in = |state: &State| {
            let node = self.node;
            let all = network_marks(view, node);
            all.into_iter().any(|marks| {
                let sight = Sight {
                    packet,
                    node,
                    incoming: Some(InterfaceId::LOOPBACK),
                    outgoing: None,
                    state: *state,
                    marks,
                };
                !may_pass(view, input, &sight).is_empty()
            })
        };
        self.comes_home && own && self.states(view).iter().any(lets_in)
    }

    /// The states in which it comes home.
    fn states(&self, view: &View<'_>) -> Vec<State> {
        let related = self.cause == Cause::Error && view.network.relates_own_errors(self.node);
        self.cause.states().iter().copied().chain(related.then_some(State::Related)).collect()
    }
}

/// Every answer that a packet may draw from the node whose interface hears it.
pub fn answers(view: &View<'_>, tables: &Tables, incoming: InterfaceId, packet: &Packet) -> Vec<Answer> {
    let id = view.network.interface(incoming).node;
    if !view.is_may()
        || view.network.assumes(Assumption::NoReflection)
        || !answers_at_all(view, incoming, packet)
    {
        return Vec::new();
    }
    let mut causes = Vec::new();
    for (state, course) in possible(view, tables, id, packet) {
        causes.extend(causes_under(view, tables, incoming, packet, state, course));
    }
    causes.sort();
    causes.dedup();
    let answer = |(cause, comes_home, about)| Answer { node: id, to: packet.src, about, cause, comes_home };
    causes.into_iter().map(answer).collect()
}

/// Whether the node is a described device that hears the packet and is not the adversary's.
fn answers_at_all(view: &View<'_>, incoming: InterfaceId, packet: &Packet) -> bool {
    let id = view.network.interface(incoming).node;
    let Node { role, existence, .. } = view.network.node(id);
    *role != Role::Internet
        && *existence == Existence::Described
        && !view.is_adversary(id)
        && !view.is_closed_interface(incoming)
        && view.segment_of(incoming).is_some()
        && view.speaks(incoming, packet.family())
}

fn possible(view: &View<'_>, tables: &Tables, node: NodeId, packet: &Packet) -> Vec<(State, Course)> {
    let may_be = states(view, tables, node, packet);
    let followed = may_be.hits.iter().flat_map(|hit| {
        let established: &[State] = &[State::Established];
        let states = if hit.connection.admits { established } else { may_be.fresh };
        states.iter().map(|state| (*state, Course::Follows(*hit)))
    });
    let related = may_be.related.then_some(State::Related);
    let others = may_be.fresh.iter().copied().chain(related).map(|state| (state, Course::of(state)));
    followed.chain(others).collect()
}

/// The causes that a packet gives under one state, each with the destination that it then has.
fn causes_under(
    view: &View<'_>,
    tables: &Tables,
    incoming: InterfaceId,
    packet: &Packet,
    state: State,
    course: Course,
) -> Vec<(Cause, bool, IpAddr)> {
    let interface = view.network.interface(incoming);
    let node = interface.node;
    let mut causes = Vec::new();
    if view.network.rejects_at(incoming, packet.family()) {
        // Which packets it is that a list rejects is not told apart.
        causes.push((in_passing(state), true, packet.dst));
    }
    let hooks = &view.network.node(node).translating.prerouting;
    let peers = peers(view, tables, node);
    let spot = Spot { hooks, end: End::Destination, lender: Some(incoming), peers: &peers };
    let lists = [&interface.ingress[..], &view.network.node(node).prerouting].concat();
    let mut passing = BTreeSet::new();
    for marks in marks::first(view, node, Some(incoming), state, course) {
        let sight = Sight { packet, node, incoming: Some(incoming), outgoing: None, state, marks };
        passing.extend(may_pass(view, &lists, &sight));
    }
    for marks in passing {
        let sight = Sight { packet, node, incoming: Some(incoming), outgoing: None, state, marks };
        let progress = Progress { marks, ..Progress::default() };
        for (form, _) in forms(view, &spot, &sight, course, progress, &mut Vec::new()) {
            let marks = Marks { status: marks.status.routed(course, packet, &form), ..marks };
            let found = causes_of(view, &Sight { packet: &form, marks, ..sight }, incoming);
            causes.extend(found.into_iter().map(|(cause, comes_home)| (cause, comes_home, form.dst)));
        }
    }
    causes
}

/// An error about a packet of an open connection belongs to that connection.
fn in_passing(state: State) -> Cause {
    match state {
        State::Established | State::Related => Cause::Reply,
        State::New | State::Invalid | State::Untracked => Cause::Error,
    }
}

/// The causes that a packet gives once its destination is translated, each with whether an answer to the node itself comes
/// home. IPv4 takes no packet that bears an own address, once it has looked at the source (`fib_validate_source`).
fn causes_of(view: &View<'_>, sight: &Sight<'_>, incoming: InterfaceId) -> Vec<(Cause, bool)> {
    let Sight { packet, node, .. } = *sight;
    let in_passing = in_passing(sight.state);
    let is_v6 = packet.family() == Family::V6;
    let mut causes = Vec::new();
    let (local, forward) = which_way(view, incoming, packet);
    let passes_on = forward && view.forwards(node, packet.family());
    if passes_on && has_no_route(view, sight, incoming) {
        // The route is looked up before the source is checked, so the check does not stop this answer.
        causes.push((in_passing, true));
    }
    if is_martian(view, node, packet) || !check_source(view, incoming, packet).passes {
        return causes;
    }
    if passes_on {
        // The end of its life, or a packet too big, comes before the forward filter.
        causes.push((in_passing, is_v6));
    }
    let input = &view.network.node(node).input;
    if local && !may_pass(view, input, sight).is_empty() {
        causes.push((Cause::Reply, false));
    }
    if local && view.rejects(node) {
        // Which of them it is that a list rejects is not told apart.
        causes.push((Cause::Error, is_v6));
    }
    causes
}

fn binds(hook: &Hook, family: Family) -> bool {
    hook.family.is_none_or(|bound| bound == family)
}

/// The marks with which a packet may get past all lists that bind it.
fn may_pass(view: &View<'_>, hooks: &[Hook], sight: &Sight<'_>) -> BTreeSet<Marks> {
    let mut passing = BTreeSet::from([sight.marks]);
    for hook in hooks.iter().filter(|hook| binds(hook, sight.packet.family())) {
        let judge = |marks| judge(view, *hook, &Sight { marks, ..*sight }).by_marks(Ruling::Accept);
        passing = passing.into_iter().flat_map(judge).map(|(judgement, _)| judgement.marks).collect();
    }
    passing
}

/// Every pair of marks that a packet of a node and its connection may have.
fn network_marks(view: &View<'_>, node: NodeId) -> Vec<Marks> {
    let pairs = view.network.marks(node);
    let with = |status: Status| {
        let mark = |(packet, connection): &(u32, u32)| Marks {
            packet: *packet,
            connection: ConnectionMark::Is(*connection),
            status,
        };
        pairs.iter().map(mark).collect::<Vec<_>>()
    };
    status::every(view, node).into_iter().flat_map(with).collect()
}

fn has_no_route(view: &View<'_>, sight: &Sight<'_>, incoming: InterfaceId) -> bool {
    let asked = Asked::forward(sight.packet, Some(incoming), sight.marks.packet);
    let found = lookup(view, sight.node, asked);
    found.all.iter().any(|found| match found.outcome {
        Outcome::NoRoute | Outcome::Unreachable => true,
        Outcome::Send(_) | Outcome::Blackhole => false,
    })
}
