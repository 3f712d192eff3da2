//! What a device sends itself: its own packets and its answers (SEMANTICS.md section 3.2).

use super::filter::Sight;
use super::state::{Tables, states};
use super::step::{Progress, Through, finish, go_out, next_hops, pass, without_clashes};
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
    let sight = Sight { packet, node, incoming: None, outgoing: None, state };
    for (first, progress) in own_hops(view, &sight, &Progress::default(), &mut ways) {
        let asked = first.map_or(InterfaceId::LOOPBACK, |hop| hop.interface);
        let seen = Sight { outgoing: Some(asked), ..sight };
        let early = &view.network.node(node).early_output;
        let Some(progress) = pass(view, Stage::EarlyOutput, early, &seen, progress, &mut ways) else {
            continue;
        };
        let hooks = &view.network.node(node).translating.output;
        let Through { course, peers } = through;
        // The node itself lends its own addresses to no own packet: those would not leave it.
        let spot = Spot { hooks, end: Translated::Destination, lender: None, peers };
        for (form, progress) in forms(view, &spot, &seen, course, progress, &mut ways) {
            let seen = Sight { packet: &form, ..seen };
            let mut hops = vec![(first, progress.clone())];
            if form != *packet {
                hops = own_hops(view, &Sight { outgoing: None, ..seen }, &progress, &mut ways);
            }
            for (hop, progress) in hops {
                match hop {
                    Some(hop) => send(view, &seen, through, hop, progress, &mut ways),
                    None => ways.push(progress.stop(&form, End::Elsewhere)),
                }
            }
        }
    }
    ways
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
    let Some(progress) = pass(view, Stage::Output, &node.output, sight, progress, ways) else { return };
    let stages: &[(Stage, &[Hook])] = &[(Stage::LateOutput, &node.late_output)];
    for (packet, progress) in go_out(view, sight, through, progress, stages, hop.interface, ways) {
        let exit = Exit::Put { out: hop.interface, next_hop: hop.via.unwrap_or(packet.dst) };
        ways.push(finish(view, &Sight { packet: &packet, ..*sight }, through.course, progress, exit));
    }
}
