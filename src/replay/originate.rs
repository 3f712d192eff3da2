//! What a device sends itself: its own packets and its answers (SEMANTICS.md section 3.2).

use super::filter::Sight;
use super::marks::{self, Marks};
use super::pass::{Progress, pass};
use super::state::{Tables, states};
use super::step::{Through, finish, go_out, next_hops, without_clashes};
use super::trail::End;
use super::translate::{Course, Spot, forms, peers};
use super::view::View;
use super::way::{Exit, Timing, Way, under_states};
use crate::header::Packet;
use crate::model::translation::End as Translated;
use crate::model::{Hook, InterfaceId, Kind, NextHop, NodeId, Stage, State};

/// The ways of a packet that a node sends with one of its own addresses. What it sends to itself leaves it only translated.
pub fn originate(
    view: &View<'_>,
    tables: &Tables,
    timing: Timing,
    node: NodeId,
    packet: &Packet,
) -> Vec<Way> {
    if stays(view, node, packet) || is_not_understood(view, node) {
        return Vec::new();
    }
    let may_be = states(view, tables, node, packet);
    let peers = peers(view, tables, node);
    let through = |course| Through { course, peers: &peers };
    let ways = under_states(view, packet, &may_be, timing, |state, course| {
        ways_out(view, node, packet, state, through(course))
    });
    without_clashes(view, tables, timing, node, packet, ways)
}

/// The ways of an answer, which leaves under any of these states. Answers are thought of on *may* only.
pub fn answer(view: &View<'_>, tables: &Tables, node: NodeId, packet: &Packet, states: &[State]) -> Vec<Way> {
    if stays(view, node, packet) {
        return Vec::new();
    }
    let mut states = if view.tracks(node) { states.to_vec() } else { vec![State::New] };
    if states.contains(&State::Invalid) && view.network.relates_own_errors(node) {
        states.push(State::Related);
    }
    let peers = peers(view, tables, node);
    let ways = |state: &State| {
        ways_out(view, node, packet, *state, Through { course: Course::of(*state), peers: &peers })
    };
    states.iter().flat_map(ways).collect()
}

/// Whether a node sends a packet to itself, and nothing makes another of it.
fn stays(view: &View<'_>, node: NodeId, packet: &Packet) -> bool {
    view.is_own(node, packet.dst) && view.network.node(node).translating.output.is_empty()
}

/// Whether nobody knows what the node does, so that it certainly does nothing.
fn is_not_understood(view: &View<'_>, node: NodeId) -> bool {
    matches!(view.network.node(node).kind, Kind::Unknown(_)) && !view.is_may()
}

/// Routing, the lists of what the node has made, translation of the destination, and routing again if that has changed it.
fn ways_out(view: &View<'_>, node: NodeId, packet: &Packet, state: State, through: Through<'_>) -> Vec<Way> {
    let mut ways = Vec::new();
    let early = &view.network.node(node).early_output;
    for marks in marks::first(view, node, None, state, through.course) {
        let sight = Sight { packet, node, incoming: None, outgoing: None, state, marks };
        let unmarked = Progress::default();
        for (first, progress) in own_hops(view, &sight, &unmarked, &mut ways) {
            let asked = first.map_or(InterfaceId::LOOPBACK, |hop| hop.interface);
            let seen = Sight { outgoing: Some(asked), ..sight };
            let progress = Progress { marks, ..progress };
            let passed = pass_own(view, Stage::EarlyOutput, early, &seen, progress, &mut ways);
            for (progress, rerouted) in passed {
                for (hop, progress) in hops_behind(view, &seen, (first, rerouted), progress, &mut ways) {
                    translated(view, &seen, through, (hop, progress), &mut ways);
                }
            }
        }
    }
    ways
}

/// Translation of the destination, routing again if that has changed it, and what stands behind.
fn translated(
    view: &View<'_>,
    seen: &Sight<'_>,
    through: Through<'_>,
    (first, progress): (Option<NextHop>, Progress),
    ways: &mut Vec<Way>,
) {
    let hooks = &view.network.node(seen.node).translating.output;
    let Through { course, peers } = through;
    // The node itself lends its own addresses to no own packet: those would not leave it.
    let spot = Spot { hooks, end: Translated::Destination, lender: None, peers };
    for (form, progress) in forms(view, &spot, seen, course, progress, ways) {
        let moved = form != *seen.packet;
        let progress = progress.translated(through.course, seen.packet, &form);
        let seen = Sight { packet: &form, ..*seen };
        let mut hops = vec![(first, progress.clone())];
        if moved {
            hops = own_hops(view, &Sight { outgoing: None, ..seen }, &progress, ways);
        }
        for (hop, progress) in hops {
            match hop {
                Some(hop) => send(view, &seen, through, hop, progress, ways),
                None => ways.push(progress.stop(&form, End::Elsewhere)),
            }
        }
    }
}

/// Passes the lists of a stage of own packets. A list that routes again what it marks otherwise notes the mark.
fn pass_own(
    view: &View<'_>,
    stage: Stage,
    hooks: &[Hook],
    sight: &Sight<'_>,
    progress: Progress,
    ways: &mut Vec<Way>,
) -> Vec<(Progress, Option<u32>)> {
    let binds = |hook: &&Hook| hook.family.is_none_or(|family| family == sight.packet.family());
    let bound: Vec<Hook> = hooks.iter().filter(binds).copied().collect();
    if bound.is_empty() {
        return pass(view, stage, hooks, sight, progress, ways).into_iter().map(|one| (one, None)).collect();
    }
    let mut passing = vec![(progress, None)];
    for hook in bound {
        let reroutes = view.network.node(sight.node).rerouting.contains(&hook);
        for (progress, rerouted) in std::mem::take(&mut passing) {
            let before = progress.marks.packet;
            for next in pass(view, stage, &[hook], sight, progress, ways) {
                let mark = next.marks.packet;
                let rerouted = if reroutes && mark != before { Some(mark) } else { rerouted };
                passing.push((next, rerouted));
            }
        }
    }
    passing
}

/// Where a packet goes behind lists that may have routed it again with a mark: it may have got another one since.
fn hops_behind(
    view: &View<'_>,
    sight: &Sight<'_>,
    (hop, rerouted): (Option<NextHop>, Option<u32>),
    progress: Progress,
    ways: &mut Vec<Way>,
) -> Vec<(Option<NextHop>, Progress)> {
    let Some(mark) = rerouted else { return vec![(hop, progress)] };
    let last = progress.marks;
    let marked = Progress { marks: Marks { packet: mark, ..last }, ..progress };
    let hops = own_hops(view, &Sight { outgoing: None, ..*sight }, &marked, ways).into_iter();
    hops.map(|(hop, progress)| (hop, Progress { marks: last, ..progress })).collect()
}

/// Where a node sends what is its own; `None` is itself. Its addresses and the broadcast addresses of its prefixes stand in
/// the first table of Linux, before any rule.
fn own_hops(
    view: &View<'_>,
    sight: &Sight<'_>,
    progress: &Progress,
    ways: &mut Vec<Way>,
) -> Vec<(Option<NextHop>, Progress)> {
    let dst = sight.packet.dst;
    let to_itself = vec![(None, progress.clone())];
    if view.is_own(sight.node, dst) {
        return to_itself;
    }
    // The loopback may not run.
    let mut hops = if dst.is_loopback() { to_itself } else { Vec::new() };
    if dst.is_loopback() && !view.is_may() {
        return hops;
    }
    let broadcasting = view.broadcasting(sight.node, dst);
    hops.extend(broadcasting.map(|interface| (Some(NextHop { interface, via: None }), progress.clone())));
    if view.is_may() || !view.is_own_broadcast(sight.node, dst) {
        let routed = next_hops(view, sight, progress, ways).into_iter();
        hops.extend(routed.map(|(hop, progress)| (Some(hop), progress)));
    }
    hops
}

/// The list of what the node sends, which sees the first out-interface, then those by which it leaves.
fn send(
    view: &View<'_>,
    sight: &Sight<'_>,
    through: Through<'_>,
    hop: NextHop,
    progress: Progress,
    ways: &mut Vec<Way>,
) {
    let node = view.network.node(sight.node);
    let stages: &[(Stage, &[Hook])] = &[(Stage::LateOutput, &node.late_output)];
    for (progress, rerouted) in pass_own(view, Stage::Output, &node.output, sight, progress, ways) {
        for (hop, progress) in hops_behind(view, sight, (Some(hop), rerouted), progress, ways) {
            let Some(hop) = hop else {
                ways.push(progress.stop(sight.packet, End::Elsewhere));
                continue;
            };
            for (packet, progress) in go_out(view, sight, through, progress, stages, hop.interface, ways) {
                let exit = Exit::Put { out: hop.interface, next_hop: hop.via.unwrap_or(packet.dst) };
                ways.push(finish(view, &Sight { packet: &packet, ..*sight }, through.course, progress, exit));
            }
        }
    }
}
