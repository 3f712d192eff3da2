//! One device: what happens to a packet between the interface it comes in on and the one it leaves by.

use super::filter::{Ruling, Sight, judge};
use super::put::is_group;
use super::route::{Asked, Outcome, check_source, is_link_local_v6, lookup};
use super::state::{States, Tables, states};
use super::trail::{Decision, End};
use super::view::View;
use crate::header::Packet;
use crate::model::{
    Assumption, Existence, Hook, InterfaceId, Kind, NextHop, NodeId, Role, Stage, State, UnknownId,
};
use std::net::IpAddr;

/// Where a packet goes from a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// To the device itself, past its input filter.
    Deliver,
    /// Onto the segment of an interface, to a neighbour.
    Put {
        /// The interface.
        out: InterfaceId,
        /// The neighbour's address.
        next_hop: IpAddr,
    },
    /// Onto the segment of an interface, to every neighbour, because routes may change.
    Spread {
        /// The interface.
        out: InterfaceId,
    },
    /// Onto the segment of an interface, to every neighbour, with any other destination.
    Reroute {
        /// The interface.
        out: InterfaceId,
    },
    /// Nowhere.
    Stop(End),
}

/// One way through a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// What was decided, in order.
    pub decisions: Vec<Decision>,
    /// Where it leads.
    pub exit: Exit,
    /// Whether the packet opens a connection at the device by going this way.
    pub opens: bool,
}

/// How a packet is received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reception {
    /// The device takes no notice of it.
    Ignored(End),
    /// The internet has it.
    Internet,
    /// A node that may be there has it.
    Possible(UnknownId),
    /// The device handles it.
    Handled(Vec<Way>),
}

/// Who chooses when a packet is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// The adversary: before or after connections are open.
    Free,
    /// It comes now: if it belongs to an open connection, it does.
    Fixed,
}

/// Receives a packet on an interface (SEMANTICS.md section 3.1).
pub fn receive(
    view: &View<'_>,
    tables: &Tables,
    timing: Timing,
    incoming: InterfaceId,
    packet: &Packet,
) -> Reception {
    if let Some(end) = unheard(view, incoming, packet) {
        return Reception::Ignored(end);
    }
    let id = view.network.interface(incoming).node;
    let node = view.network.node(id);
    if node.role == Role::Internet {
        return Reception::Internet;
    }
    if let Existence::Possible(unknown) = node.existence {
        return Reception::Possible(unknown);
    }
    if matches!(node.kind, Kind::Unknown(_)) && !view.is_may() {
        return Reception::Ignored(End::UnknownKind(id));
    }
    let may_be = states(view, tables, id, packet);
    Reception::Handled(under_states(view, may_be, timing, |state| ways_in(view, id, incoming, packet, state)))
}

/// Why an interface does not even hear a packet, if so.
fn unheard(view: &View<'_>, incoming: InterfaceId, packet: &Packet) -> Option<End> {
    let node = view.network.interface(incoming).node;
    if !view.node_exists(node) {
        return Some(End::Absent(node));
    }
    if view.segment_of(incoming).is_none() {
        return Some(End::NoSegment(incoming));
    }
    if view.is_closed_interface(incoming) {
        return Some(End::DoorClosed(incoming));
    }
    if !view.speaks(incoming, packet.family()) {
        return Some(End::Ipv6Off(incoming));
    }
    view.is_adversary(node).then_some(End::Taken(node))
}

/// Judges a packet under the states that it may have. On *may* any state is enough. On *must* that of its
/// connection is, or all of those that it may have without one (SEMANTICS.md section 5).
pub(super) fn under_states(
    view: &View<'_>,
    may_be: States,
    timing: Timing,
    ways: impl Fn(State) -> Vec<Way>,
) -> Vec<Way> {
    let mut all: Vec<Way> = Vec::new();
    if let Some(hit) = may_be.hit {
        for mut way in ways(State::Established) {
            way.decisions.insert(0, Decision::Connection(hit));
            merge(&mut all, way);
        }
    }
    if view.is_may() {
        let related = may_be.related.then_some(State::Related);
        for state in may_be.fresh.iter().copied().chain(related) {
            ways(state).into_iter().for_each(|way| merge(&mut all, way));
        }
        return all;
    }
    if may_be.hit.is_some() && timing == Timing::Fixed {
        return all;
    }
    for way in under_all(may_be.fresh, ways) {
        merge(&mut all, way);
    }
    all
}

/// The ways that are there under every one of these states. Only if the state is certain does a way open anything.
fn under_all(states: &[State], ways: impl Fn(State) -> Vec<Way>) -> Vec<Way> {
    let each: Vec<Vec<Way>> = states.iter().map(|state| ways(*state)).collect();
    let Some((first, rest)) = each.split_first() else { return Vec::new() };
    let everywhere = |way: &&Way| rest.iter().all(|other| other.iter().any(|also| also.exit == way.exit));
    let mut common: Vec<Way> = first.iter().filter(everywhere).cloned().collect();
    if !rest.is_empty() {
        common.iter_mut().for_each(|way| way.opens = false);
    }
    if common.is_empty() {
        // What stops it is worth telling, even if it differs from state to state.
        let stops = each.iter().flatten().filter(|way| matches!(way.exit, Exit::Stop(_)));
        common.extend(stops.cloned());
    }
    common
}

/// Adds a way, unless one to the same exit is known; then the more certain one stays, and opening is remembered.
fn merge(all: &mut Vec<Way>, way: Way) {
    let Some(old) = all.iter_mut().find(|old| old.exit == way.exit) else {
        all.push(way);
        return;
    };
    let doubts = |way: &Way| way.decisions.iter().map(|d| d.uncertain().len()).sum::<usize>();
    let opens = old.opens || way.opens;
    if doubts(&way) < doubts(old) {
        *old = way;
    }
    old.opens = opens;
}

/// A packet on its way through the filters of a device.
#[derive(Clone, Default)]
pub(super) struct Progress {
    pub(super) decisions: Vec<Decision>,
    /// Whether some list that let it pass opens connections.
    pub(super) opening: bool,
}

impl Progress {
    pub(super) fn stop(&self, end: End) -> Way {
        Way { decisions: self.decisions.clone(), exit: Exit::Stop(end), opens: false }
    }

    pub(super) fn note(&mut self, decision: Decision) {
        self.decisions.push(decision);
    }
}

/// Passes the lists of a stage. What they stop is added to `ways`; `None` if nothing certainly passes.
pub(super) fn pass(
    view: &View<'_>,
    stage: Stage,
    hooks: &[Hook],
    sight: &Sight<'_>,
    mut progress: Progress,
    ways: &mut Vec<Way>,
) -> Option<Progress> {
    let binding = |hook: &&Hook| hook.family.is_none_or(|family| family == sight.packet.family());
    let mut bound = hooks.iter().filter(binding).peekable();
    if bound.peek().is_none() {
        progress.note(Decision::Unfiltered { stage, none_at_all: hooks.is_empty() });
    }
    for hook in bound {
        let judged = judge(view, *hook, sight);
        let stopping = |ruling| judged.best(ruling).cloned();
        for judgement in [Ruling::Drop, Ruling::Reject].into_iter().filter_map(stopping) {
            ways.push(progress.stop(End::Filtered { stage, judgement }));
        }
        let opening = judged.may_open();
        let Some(judgement) = judged.best(Ruling::Accept).cloned() else {
            if judged.outcomes.is_empty() {
                ways.push(progress.stop(End::Uncertain(judged.stuck)));
            }
            return None;
        };
        progress.note(Decision::Judged { stage, judgement, state: sight.state });
        progress.opening |= opening;
    }
    Some(progress)
}

/// The ways of a packet that comes in, under one state.
fn ways_in(view: &View<'_>, node: NodeId, incoming: InterfaceId, packet: &Packet, state: State) -> Vec<Way> {
    let mut ways = Vec::new();
    let sight = Sight { packet, node, incoming: Some(incoming), outgoing: None, state };
    let interface = view.network.interface(incoming);
    let begun = Progress::default();
    let Some(mut progress) = pass(view, Stage::Ingress, &interface.ingress, &sight, begun, &mut ways) else {
        return ways;
    };
    if is_martian(view, node, packet) {
        ways.push(progress.stop(End::Martian));
        return ways;
    }
    let check = check_source(view, incoming, packet);
    if !check.passes {
        ways.push(progress.stop(End::Spoofed(check)));
        return ways;
    }
    progress.note(Decision::Source { check, incoming });
    let (local, forward) = which_way(view, incoming, packet);
    if !local && !forward {
        ways.push(progress.stop(End::Group));
    }
    if local {
        deliver(view, &sight, progress.clone(), &mut ways);
        if view.is_own(node, packet.dst) {
            reroute(view, &sight, &progress, &mut ways);
        }
    }
    if forward {
        forward_on(view, &sight, progress, &mut ways);
    }
    ways
}

/// Whether a packet that came in is for the device itself, and whether it is to be passed on.
pub(super) fn which_way(view: &View<'_>, incoming: InterfaceId, packet: &Packet) -> (bool, bool) {
    let interface = view.network.interface(incoming);
    if view.is_own(interface.node, packet.dst) {
        return (true, false);
    }
    let group = interface.segment.is_some_and(|segment| is_group(view, segment, packet.dst));
    if !group {
        return (false, true);
    }
    let passes_groups = view.network.node(interface.node).multicast_forwarding.holds(view.reading);
    // What certainly becomes of a group packet depends on who listens.
    (view.is_may(), view.is_may() && passes_groups)
}

/// Whether the device does not take such a packet from outside (RFC 1812 section 5.3.7, RFC 4291 section 2.5).
/// Addresses of groups as sources, and the loopback of IPv6, are refused by Linux however it is set; the rest may be
/// allowed somewhere.
pub(super) fn is_martian(view: &View<'_>, node: NodeId, packet: &Packet) -> bool {
    let broadcast = IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
    let home = |address: IpAddr| address.is_ipv6() && address.is_loopback();
    let never = packet.src.is_multicast() || packet.src == broadcast || home(packet.src) || home(packet.dst);
    if view.is_may() {
        return never && view.network.node(node).kind == Kind::Linux;
    }
    let nowhere = |address: IpAddr| match address {
        IpAddr::V4(a) => a.octets()[0] == 0 || a.is_loopback(),
        IpAddr::V6(a) => a.is_unspecified(),
    };
    never || nowhere(packet.src) || nowhere(packet.dst) || view.is_own(node, packet.src)
}

fn deliver(view: &View<'_>, sight: &Sight<'_>, mut progress: Progress, ways: &mut Vec<Way>) {
    progress.note(Decision::Local);
    let hooks = &view.network.node(sight.node).input;
    if let Some(progress) = pass(view, Stage::Input, hooks, sight, progress, ways) {
        ways.push(finish(view, sight, progress, Exit::Deliver));
    }
}

/// The end of a way through a device that tracks: a new packet that a list with `opens` let pass opens its
/// connection here.
pub(super) fn finish(view: &View<'_>, sight: &Sight<'_>, progress: Progress, exit: Exit) -> Way {
    let opens = progress.opening && sight.state == State::New && view.tracks(sight.node);
    Way { decisions: progress.decisions, exit, opens }
}

fn forward_on(view: &View<'_>, sight: &Sight<'_>, progress: Progress, ways: &mut Vec<Way>) {
    let node = view.network.node(sight.node);
    if !view.forwards(sight.node, sight.packet.family()) {
        ways.push(progress.stop(End::NotForwarding));
        return;
    }
    if !view.is_may() && (is_link_local_v6(sight.packet.src) || is_link_local_v6(sight.packet.dst)) {
        ways.push(progress.stop(End::LinkLocal));
        return;
    }
    by_routes(view, sight, &progress, &[(Stage::Forward, &node.forward)], ways);
    if is_group_everywhere(sight.packet.dst) {
        // The ways of groups are in a table of their own, which nobody described.
        spread(view, sight, &progress, &Decision::GroupRouted(node.multicast_forwarding.unknown()), ways);
    }
    if let Some(unknown) = node.dynamic_routes
        && view.is_may()
        && !view.network.assumes(Assumption::FixedRoutes)
    {
        spread(view, sight, &progress, &Decision::Announced(unknown), ways);
    }
}

/// Whether an address is a group on every segment.
fn is_group_everywhere(address: IpAddr) -> bool {
    address.is_multicast() || address == IpAddr::V4(std::net::Ipv4Addr::BROADCAST)
}

/// Goes out by every interface, for the same reason.
fn spread(view: &View<'_>, sight: &Sight<'_>, progress: &Progress, why: &Decision, ways: &mut Vec<Way>) {
    let node = view.network.node(sight.node);
    for out in node.interfaces.iter().copied() {
        let mut progress = progress.clone();
        progress.note(why.clone());
        let stages = [(Stage::Forward, node.forward.as_slice())];
        if let Some((sight, progress)) = go_out(view, sight, progress, &stages, out, ways) {
            ways.push(finish(view, &sight, progress, Exit::Spread { out }));
        }
    }
}

/// Looks up the route, and goes out by every next hop of every route that may be found.
pub(super) fn by_routes(
    view: &View<'_>,
    sight: &Sight<'_>,
    progress: &Progress,
    stages: &[(Stage, &[Hook])],
    ways: &mut Vec<Way>,
) {
    let findings = lookup(view, sight.node, Asked::forward(sight.packet, sight.incoming));
    if findings.all.is_empty() {
        ways.push(progress.stop(End::Uncertain(findings.stuck)));
    }
    for found in findings.all {
        let hops = match &found.outcome {
            Outcome::Send(hops) => hops.clone(),
            Outcome::Blackhole => {
                ways.push(progress.stop(End::Blackhole(found)));
                continue;
            }
            Outcome::Unreachable => {
                ways.push(progress.stop(End::Unreachable(found)));
                continue;
            }
            Outcome::NoRoute => {
                ways.push(progress.stop(End::NoRoute));
                continue;
            }
        };
        for NextHop { interface: out, via } in hops {
            let hop = Some(NextHop { interface: out, via });
            let mut progress = progress.clone();
            progress.note(Decision::Routed { found: found.clone(), hop });
            if let Some((sight, progress)) = go_out(view, sight, progress, stages, out, ways) {
                let next_hop = via.unwrap_or(sight.packet.dst);
                ways.push(finish(view, &sight, progress, Exit::Put { out, next_hop }));
            }
        }
    }
}

/// Passes the lists between routing and an out-interface, and checks that the interface can send it at all.
fn go_out<'a>(
    view: &View<'_>,
    sight: &Sight<'a>,
    mut progress: Progress,
    stages: &[(Stage, &[Hook])],
    out: InterfaceId,
    ways: &mut Vec<Way>,
) -> Option<(Sight<'a>, Progress)> {
    let sight = Sight { outgoing: Some(out), ..*sight };
    for (stage, hooks) in stages {
        progress = pass(view, *stage, hooks, &sight, progress, ways)?;
    }
    let egress = &view.network.interface(out).egress;
    progress = pass(view, Stage::Egress, egress, &sight, progress, ways)?;
    match cannot_send(view, out, sight.packet) {
        Some(end) => {
            ways.push(progress.stop(end));
            None
        }
        None => Some((sight, progress)),
    }
}

/// Why an interface cannot send a packet, if so.
fn cannot_send(view: &View<'_>, out: InterfaceId, packet: &Packet) -> Option<End> {
    if view.segment_of(out).is_none() {
        return Some(End::NoSegment(out));
    }
    if view.is_closed_interface(out) {
        return Some(End::DoorClosed(out));
    }
    (!view.speaks(out, packet.family())).then_some(End::Ipv6Off(out))
}

/// Source routing (SEMANTICS.md section 3.6): from an own address a packet may go on to any destination, and the
/// forward filter has seen the own address.
fn reroute(view: &View<'_>, sight: &Sight<'_>, progress: &Progress, ways: &mut Vec<Way>) {
    let node = view.network.node(sight.node);
    let honours = view.is_may()
        && node.source_routing.holds(view.reading)
        && !view.network.assumes(Assumption::NoSourceRouting)
        && view.forwards(sight.node, sight.packet.family());
    if !honours {
        return;
    }
    for out in node.interfaces.iter().copied().filter(|out| cannot_send(view, *out, sight.packet).is_none()) {
        let sight = Sight { outgoing: Some(out), ..*sight };
        let mut progress = progress.clone();
        progress.note(Decision::SourceRouted(node.source_routing.unknown()));
        let mut stopped = Vec::new();
        if let Some(progress) = pass(view, Stage::Forward, &node.forward, &sight, progress, &mut stopped) {
            ways.push(finish(view, &sight, progress, Exit::Reroute { out }));
        }
    }
}
