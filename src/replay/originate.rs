//! What a device sends itself: its own packets and its answers (SEMANTICS.md section 3.2).

use super::filter::Sight;
use super::state::{Tables, states};
use super::step::{Exit, Progress, Timing, Way, by_routes, finish, go_out, under_states};
use super::view::View;
use crate::header::Packet;
use crate::model::{Kind, NodeId, Stage, State};

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
    under_states(view, may_be, timing, |state| ways_out(view, node, packet, state))
}

/// The ways of an answer, which leaves under any of these states. Answers are thought of on *may* only.
pub fn answer(view: &View<'_>, node: NodeId, packet: &Packet, states: &[State]) -> Vec<Way> {
    if view.is_own(node, packet.dst) {
        return Vec::new();
    }
    let mut states = if view.tracks(node) { states.to_vec() } else { vec![State::New] };
    if states.contains(&State::Invalid) && view.network.relates_own_errors(node) {
        states.push(State::Related);
    }
    states.iter().flat_map(|state| ways_out(view, node, packet, *state)).collect()
}

/// Whether nobody knows what the node does, so that it certainly does nothing.
fn is_not_understood(view: &View<'_>, node: NodeId) -> bool {
    matches!(view.network.node(node).kind, Kind::Unknown(_)) && !view.is_may()
}

/// Routing, the output filter, the list of the out-interface.
fn ways_out(view: &View<'_>, node: NodeId, packet: &Packet, state: State) -> Vec<Way> {
    let mut ways = Vec::new();
    let sight = Sight { packet, node, incoming: None, outgoing: None, state };
    let output = &view.network.node(node).output;
    let stages = [(Stage::Output, output.as_slice())];
    // Broadcast addresses of own prefixes stand in the first table of Linux, before any rule.
    for out in view.broadcasting(node, packet.dst) {
        if let Some((sight, progress)) = go_out(view, &sight, Progress::default(), &stages, out, &mut ways) {
            ways.push(finish(view, &sight, progress, Exit::Put { out, next_hop: packet.dst }));
        }
    }
    if view.is_may() || !view.is_own_broadcast(node, packet.dst) {
        by_routes(view, &sight, &Progress::default(), &stages, &mut ways);
    }
    ways
}
