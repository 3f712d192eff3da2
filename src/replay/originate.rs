//! What a device sends itself: its own packets and its answers (SEMANTICS.md section 3.2).

use super::filter::Sight;
use super::marks::Marks;
use super::pass::Progress;
use super::state::{Tables, states};
use super::step::{Through, finish, go_out, next_hops, without_clashes};
use super::trail::End;
use super::translate::{Course, Spot, forms, peers};
use super::view::View;
use super::way::{Exit, Timing, Way, under_states};
use crate::header::Packet;
use crate::model::translation::End as Translated;
use crate::model::{Hook, Kind, NextHop, NodeId, Stage, State};

/// The ways of a packet that a node sends with one of its own addresses. What it sends to itself never leaves it.
pub fn originate(
    view: &View<'_>,
    tables: &Tables,
    timing: Timing,
    node: NodeId,
    packet: &Packet,
) -> Vec<Way> {
    if view.is_own(node, packet.dst) || is_not_understood(view, node) {
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
    if view.is_own(node, packet.dst) {
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

/// Whether nobody knows what the node does, so that it certainly does nothing.
fn is_not_understood(view: &View<'_>, node: NodeId) -> bool {
    matches!(view.network.node(node).kind, Kind::Unknown(_)) && !view.is_may()
}

/// Routing, translation of the destination and routing again if that has changed it, the output filter, translation of
/// the source, the list of the out-interface.
fn ways_out(view: &View<'_>, node: NodeId, packet: &Packet, state: State, through: Through<'_>) -> Vec<Way> {
    let mut ways = Vec::new();
    let marks = Marks::default();
    let sight = Sight { packet, node, incoming: None, outgoing: None, state, marks };
    for (hop, progress) in own_hops(view, &sight, &Progress::default(), &mut ways) {
        let hooks = &view.network.node(node).translating.output;
        let Through { course, peers } = through;
        // The node itself lends its own addresses to no own packet: those would not leave it.
        let spot = Spot { hooks, end: Translated::Destination, lender: None, peers };
        let seen = Sight { outgoing: Some(hop.interface), ..sight };
        for (form, progress) in forms(view, &spot, &seen, course, progress, &mut ways) {
            if form == *packet {
                send(view, &sight, through, hop, progress, &mut ways);
                continue;
            }
            if view.is_own(node, form.dst) {
                ways.push(progress.stop(&form, End::Elsewhere));
                continue;
            }
            let sight = Sight { packet: &form, ..sight };
            for (hop, progress) in own_hops(view, &sight, &progress, &mut ways) {
                send(view, &sight, through, hop, progress, &mut ways);
            }
        }
    }
    ways
}

/// Where a node sends what is its own. Broadcast addresses of own prefixes stand in the first table of Linux, before any
/// rule.
fn own_hops(
    view: &View<'_>,
    sight: &Sight<'_>,
    progress: &Progress,
    ways: &mut Vec<Way>,
) -> Vec<(NextHop, Progress)> {
    let dst = sight.packet.dst;
    let broadcasting = view.broadcasting(sight.node, dst);
    let hop = |interface| (NextHop { interface, via: None }, progress.clone());
    let mut hops: Vec<_> = broadcasting.map(hop).collect();
    if view.is_may() || !view.is_own_broadcast(sight.node, dst) {
        hops.extend(next_hops(view, sight, progress, ways));
    }
    hops
}

fn send(
    view: &View<'_>,
    sight: &Sight<'_>,
    through: Through<'_>,
    hop: NextHop,
    progress: Progress,
    ways: &mut Vec<Way>,
) {
    let output = &view.network.node(sight.node).output;
    let stages: &[(Stage, &[Hook])] = &[(Stage::Output, output)];
    for (packet, progress) in go_out(view, sight, through, progress, stages, hop.interface, ways) {
        let exit = Exit::Put { out: hop.interface, next_hop: hop.via.unwrap_or(packet.dst) };
        ways.push(finish(view, &Sight { packet: &packet, ..*sight }, through.course, progress, exit));
    }
}
