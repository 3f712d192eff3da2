//! One device: what happens to a packet between the interface it comes in on and the one it leaves by.

use super::filter::Sight;
use super::marks;
use super::pass::{Progress, pass};
use super::put::is_group;
use super::route::{Asked, Outcome, check_source, is_link_local_v6, lookup};
use super::state::{Tables, states};
use super::trail::{Decision, End};
use super::translate::{Course, Form, Spot, forms, peers};
use super::view::View;
use super::way::{Exit, Opens, Timing, Way, under_states};
use crate::header::{Fragment, Packet};
use crate::model::translation::End as Translated;
use crate::model::{
    Assumption, Existence, Hook, InterfaceId, Kind, NextHop, NodeId, Role, Stage, State, UnknownId,
};
use std::net::IpAddr;

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
    let peers = peers(view, tables, id);
    let ways =
        |state, course| ways_in(view, &Arrival { node: id, incoming, packet, course, peers: &peers }, state);
    let all = under_states(view, packet, &may_be, timing, ways);
    Reception::Handled(without_clashes(view, tables, timing, id, packet, all))
}

/// The ways without those that are not certain because a translation would make of a new connection what another one is
/// already: it gets another port, or is dropped if it has none (`nf_nat_core.c`, `__nf_conntrack_confirm`).
pub(super) fn without_clashes(
    view: &View<'_>,
    tables: &Tables,
    timing: Timing,
    node: NodeId,
    came: &Packet,
    mut ways: Vec<Way>,
) -> Vec<Way> {
    if !view.is_may() && timing == Timing::Fixed && view.translates(node) {
        ways.retain(|way| way.opens == Opens::NOTHING || !tables.is_taken(node, came, &way.packet));
    }
    ways
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

/// A packet as a device gets it.
struct Arrival<'a> {
    node: NodeId,
    incoming: InterfaceId,
    packet: &'a Packet,
    course: Course,
    peers: &'a [IpAddr],
}

/// The ways of a packet that comes in, under one state.
fn ways_in(view: &View<'_>, arrival: &Arrival<'_>, state: State) -> Vec<Way> {
    let mut ways = Vec::new();
    let Arrival { node, incoming, packet, course, .. } = *arrival;
    let interface = view.network.interface(incoming);
    let early = &view.network.node(node).prerouting;
    for marks in marks::first(view, node, Some(incoming), state, course) {
        let sight = Sight { packet, node, incoming: Some(incoming), outgoing: None, state, marks };
        let begun = Progress { marks, ..Progress::default() };
        for progress in pass(view, Stage::Ingress, &interface.ingress, &sight, begun, &mut ways) {
            for progress in pass(view, Stage::Prerouting, early, &sight, progress, &mut ways) {
                ways_marked(view, arrival, state, progress, &mut ways);
            }
        }
    }
    ways
}

/// The ways of a packet past the first lists, with the marks that it has there.
fn ways_marked(
    view: &View<'_>,
    arrival: &Arrival<'_>,
    state: State,
    progress: Progress,
    ways: &mut Vec<Way>,
) {
    let Arrival { node, incoming, packet, course, peers } = *arrival;
    let marks = progress.marks;
    let sight = Sight { packet, node, incoming: Some(incoming), outgoing: None, state, marks };
    let hooks = &view.network.node(node).translating.prerouting;
    let spot = Spot { hooks, end: Translated::Destination, lender: Some(incoming), peers };
    for (packet, progress) in forms(view, &spot, &sight, course, progress, ways) {
        if !view.is_may() && packet.dst != sight.packet.dst && is_group_at(view, incoming, sight.packet.dst) {
            // Linux does not pass on what was sent to all on the line, whatever its destination has become (`ip_forward`).
            ways.push(progress.stop(&packet, End::Group));
            continue;
        }
        let translated = Through { course, peers };
        let progress = progress.translated(course, sight.packet, &packet);
        routed(view, &Sight { packet: &packet, ..sight }, translated, progress, ways);
    }
}

/// How a packet is translated on its way through a device.
#[derive(Clone, Copy)]
pub(super) struct Through<'a> {
    pub(super) course: Course,
    pub(super) peers: &'a [IpAddr],
}

/// The ways of a packet that came in, from the checks of its source on.
fn routed(
    view: &View<'_>,
    sight: &Sight<'_>,
    through: Through<'_>,
    mut progress: Progress,
    ways: &mut Vec<Way>,
) {
    let Sight { packet, node, incoming: Some(incoming), .. } = *sight else { return };
    if is_martian(view, node, packet) {
        ways.push(progress.stop(packet, End::Martian));
        return;
    }
    if !view.is_may() && packet.fragment != Fragment::Whole && view.tracks(node) {
        ways.push(progress.stop(packet, End::Fragment));
        return;
    }
    let check = check_source(view, incoming, packet);
    if !check.passes {
        ways.push(progress.stop(packet, End::Spoofed(check)));
        return;
    }
    progress.note(Decision::Source { check, incoming });
    let (local, forward) = which_way(view, incoming, packet);
    if !local && !forward {
        ways.push(progress.stop(packet, End::Group));
    }
    if local {
        deliver(view, sight, through, progress.clone(), ways);
        if view.is_own(node, packet.dst) {
            reroute(view, sight, through.course, &progress, ways);
        }
    }
    if forward {
        forward_on(view, sight, through, progress, ways);
    }
}

/// Whether a destination is a group where an interface is. A Linux node takes what is sent to the broadcast address of any of
/// its prefixes, on every interface.
pub(super) fn is_group_at(view: &View<'_>, incoming: InterfaceId, dst: IpAddr) -> bool {
    let interface = view.network.interface(incoming);
    interface.segment.is_some_and(|segment| is_group(view, segment, dst))
        || view.is_own_broadcast(interface.node, dst)
}

/// Whether a packet that came in is for the device itself, and whether it is to be passed on.
pub(super) fn which_way(view: &View<'_>, incoming: InterfaceId, packet: &Packet) -> (bool, bool) {
    let interface = view.network.interface(incoming);
    if view.is_own(interface.node, packet.dst) {
        return (true, false);
    }
    if !is_group_at(view, incoming, packet.dst) {
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
    // Whether a source is looked at that is a broadcast address hangs on rules and settings of all kinds.
    let odd = |address: IpAddr| view.is_own(node, address) || view.is_own_broadcast(node, address);
    never || nowhere(packet.src) || nowhere(packet.dst) || odd(packet.src)
}

fn deliver(
    view: &View<'_>,
    sight: &Sight<'_>,
    through: Through<'_>,
    mut progress: Progress,
    ways: &mut Vec<Way>,
) {
    if !view.is_may() && sight.packet.fragment != Fragment::Whole {
        // Only whole datagrams are delivered.
        ways.push(progress.stop(sight.packet, End::Fragment));
        return;
    }
    progress.note(Decision::Local);
    let node = view.network.node(sight.node);
    let Through { course, peers } = through;
    let spot =
        Spot { hooks: &node.translating.input, end: Translated::Source, lender: sight.incoming, peers };
    for progress in pass(view, Stage::Input, &node.input, sight, progress, ways) {
        for (packet, progress) in forms(view, &spot, sight, course, progress, ways) {
            ways.push(finish(view, &Sight { packet: &packet, ..*sight }, course, progress, Exit::Deliver));
        }
    }
}

/// The end of a way through a device that tracks: a new packet that a list with `opens` let pass opens its
/// connection here. Where addresses are translated, every new packet opens at least a binding.
pub(super) fn finish(
    view: &View<'_>,
    sight: &Sight<'_>,
    course: Course,
    progress: Progress,
    exit: Exit,
) -> Way {
    let translating = &view.network.node(sight.node).translating;
    let is_first = sight.state == State::New && course == Course::Fresh && view.tracks(sight.node);
    let connection = is_first && (progress.opening || translating.opens);
    // What opens a connection opens no less. Whether it does may be open on *may*.
    let translated_only = view.translates(sight.node) && !translating.opens;
    let binding = is_first && translated_only && (view.is_may() || !connection);
    Way { decisions: progress.decisions, exit, packet: *sight.packet, opens: Opens { connection, binding } }
}

fn forward_on(
    view: &View<'_>,
    sight: &Sight<'_>,
    through: Through<'_>,
    progress: Progress,
    ways: &mut Vec<Way>,
) {
    let node = view.network.node(sight.node);
    if !view.forwards(sight.node, sight.packet.family()) {
        ways.push(progress.stop(sight.packet, End::NotForwarding));
        return;
    }
    if !view.is_may() && (is_link_local_v6(sight.packet.src) || is_link_local_v6(sight.packet.dst)) {
        ways.push(progress.stop(sight.packet, End::LinkLocal));
        return;
    }
    let stages: &[(Stage, &[Hook])] = &[(Stage::Forward, &node.forward)];
    for (hop, progress) in next_hops(view, sight, &progress, ways) {
        for (packet, progress) in go_out(view, sight, through, progress, stages, hop.interface, ways) {
            let exit = Exit::Put { out: hop.interface, next_hop: hop.via.unwrap_or(packet.dst) };
            ways.push(finish(view, &Sight { packet: &packet, ..*sight }, through.course, progress, exit));
        }
    }
    if is_group_everywhere(sight.packet.dst) {
        // The ways of groups are in a table of their own, which nobody described.
        let why = Decision::GroupRouted(node.multicast_forwarding.unknown());
        spread(view, sight, through, &progress, &why, ways);
    }
    if let Some(unknown) = node.dynamic_routes
        && view.is_may()
        && !view.network.assumes(Assumption::FixedRoutes)
    {
        spread(view, sight, through, &progress, &Decision::Announced(unknown), ways);
    }
}

/// Whether an address is a group on every segment.
fn is_group_everywhere(address: IpAddr) -> bool {
    address.is_multicast() || address == IpAddr::V4(std::net::Ipv4Addr::BROADCAST)
}

/// Goes out by every interface, for the same reason.
fn spread(
    view: &View<'_>,
    sight: &Sight<'_>,
    through: Through<'_>,
    progress: &Progress,
    why: &Decision,
    ways: &mut Vec<Way>,
) {
    let node = view.network.node(sight.node);
    for out in node.interfaces.iter().copied() {
        let mut progress = progress.clone();
        progress.note(why.clone());
        let stages: &[(Stage, &[Hook])] = &[(Stage::Forward, &node.forward)];
        for (packet, progress) in go_out(view, sight, through, progress, stages, out, ways) {
            let exit = Exit::Spread { out };
            ways.push(finish(view, &Sight { packet: &packet, ..*sight }, through.course, progress, exit));
        }
    }
}

/// Looks up the route: every next hop of every route that may be found.
pub(super) fn next_hops(
    view: &View<'_>,
    sight: &Sight<'_>,
    progress: &Progress,
    ways: &mut Vec<Way>,
) -> Vec<(NextHop, Progress)> {
    let findings =
        lookup(view, sight.node, Asked::forward(sight.packet, sight.incoming, progress.marks.packet));
    if findings.all.is_empty() {
        ways.push(progress.stop(sight.packet, End::Uncertain(findings.stuck)));
    }
    let mut ways_on = Vec::new();
    for found in findings.all {
        let hops = match &found.outcome {
            Outcome::Send(hops) => hops.clone(),
            Outcome::Blackhole => {
                ways.push(progress.stop(sight.packet, End::Blackhole(found)));
                continue;
            }
            Outcome::Unreachable => {
                ways.push(progress.stop(sight.packet, End::Unreachable(found)));
                continue;
            }
            Outcome::NoRoute => {
                ways.push(progress.stop(sight.packet, End::NoRoute));
                continue;
            }
        };
        for hop in hops {
            let mut progress = progress.clone();
            progress.note(Decision::Routed { found: found.clone(), hop: Some(hop) });
            ways_on.push((hop, progress));
        }
    }
    ways_on
}

/// Passes the lists between routing and an out-interface, is translated, and checks that the interface can send it at
/// all.
pub(super) fn go_out(
    view: &View<'_>,
    sight: &Sight<'_>,
    through: Through<'_>,
    progress: Progress,
    stages: &[(Stage, &[Hook])],
    out: InterfaceId,
    ways: &mut Vec<Way>,
) -> Vec<Form> {
    let sight = Sight { outgoing: Some(out), ..*sight };
    let mut passing = vec![progress];
    for (stage, hooks) in stages {
        for progress in std::mem::take(&mut passing) {
            passing.extend(pass(view, *stage, hooks, &sight, progress, ways));
        }
    }
    let Through { course, peers } = through;
    let hooks = &view.network.node(sight.node).translating.postrouting;
    let spot = Spot { hooks, end: Translated::Source, lender: Some(out), peers };
    let mut formed = Vec::new();
    for progress in passing {
        formed.extend(forms(view, &spot, &sight, course, progress, ways));
    }
    let mut left = Vec::new();
    for (packet, progress) in formed {
        let sight = Sight { packet: &packet, ..sight };
        let egress = &view.network.interface(out).egress;
        for progress in pass(view, Stage::Egress, egress, &sight, progress, ways) {
            match cannot_send(view, out, &packet) {
                Some(end) => ways.push(progress.stop(&packet, end)),
                None => left.push((packet, progress)),
            }
        }
    }
    left
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
fn reroute(view: &View<'_>, sight: &Sight<'_>, course: Course, progress: &Progress, ways: &mut Vec<Way>) {
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
        for progress in pass(view, Stage::Forward, &node.forward, &sight, progress, &mut stopped) {
            ways.push(finish(view, &sight, course, progress, Exit::Reroute { out }));
        }
    }
}
