//! One query from beginning to end.

use super::compiled::Compiled;
use super::endings::endings;
use super::inject;
use super::query::{Answer, Limits, Origin, Place, Query, Stop};
use super::run::{Colour, Run};
use super::view::View;
use super::witness::find_witness;
use crate::header::Packet;
use crate::model::{NodeId, Reading, SegmentId};
use crate::set::{Set, Side};

/// Decides a query.
pub fn solve(compiled: &Compiled<'_>, query: &Query, limits: Limits) -> Answer {
    let mut view = compiled.view(query.reading, &query.cut, limits);
    let mut arrives = Set::FULL;
    if query.reading == Reading::Must && !compiled.translates_anywhere() {
        // What certainly arrives has not changed on its way, so only what arrives at all events needs a closer look.
        match run_coarsely(&mut view, query, limits) {
            Ok((_, bad)) if bad.is_empty() => return Answer::nothing(),
            Ok((_, bad)) => arrives = union_of(&mut view, &bad),
            Err(_) => view = compiled.view(query.reading, &query.cut, limits),
        }
    }
    solve_exactly(view, query, limits, arrives)
}

/// Decides a query on *may* by taking everything for established that any list would let open a connection, whether or
/// not somebody can send it. That is quick, and if even then nothing arrives, nothing does; else there is no answer.
pub fn solve_coarsely(compiled: &Compiled<'_>, query: &Query, limits: Limits) -> Option<Answer> {
    if compiled.translates_anywhere() {
        // What a translation would make of everything is everything.
        return None;
    }
    let mut view = compiled.view(query.reading, &query.cut, limits);
    let (mut run, bad) = run_coarsely(&mut view, query, limits).ok()?;
    if !bad.is_empty() {
        return None;
    }
    let endings = endings(&mut view, &mut run);
    Some(Answer { delivered: delivered(&mut view, &run), endings, ..Answer::nothing() })
}

/// Whether nothing arrives even if everything is established that any list would let open a connection. `false` says
/// nothing.
pub fn is_surely_empty(compiled: &Compiled<'_>, query: &Query, limits: Limits) -> bool {
    if compiled.translates_anywhere() {
        return false;
    }
    let mut view = compiled.view(query.reading, &query.cut, limits);
    run_coarsely(&mut view, query, limits).is_ok_and(|(_, bad)| bad.is_empty())
}

fn run_coarsely<'q, 'c>(
    view: &mut View<'c>,
    query: &'q Query,
    limits: Limits,
) -> Result<(Run<'q, 'c>, Vec<(Place, Set)>), Stop> {
    let mut run = Run::coarse(query, view.compiled, limits.steps);
    run.connections = view.coarse_connections(&query.cut);
    start_counted(view, &mut run);
    run.settle(view)?;
    let bad = bad_places(view, &run);
    Ok((run, bad))
}

fn union_of(view: &mut View<'_>, places: &[(Place, Set)]) -> Set {
    let sets: Vec<Set> = places.iter().map(|(_, set)| *set).collect();
    view.space.union_all(&sets)
}

/// Decides a query of which nothing can arrive but packets of a set.
fn solve_exactly(mut view: View<'_>, query: &Query, limits: Limits, arrives: Set) -> Answer {
    let whole = view.compiled.translates_anywhere();
    let connected = if whole { Set::FULL } else { view.same_connections(arrives) };
    view.change(&query.cut.without_doors());
    let mut stop = None;
    let openers = connections(&mut view, query, limits, connected).unwrap_or_else(|cut_short| {
        stop = Some(cut_short.1);
        cut_short.0
    });
    view.change(&query.cut);
    let mut run = Run::new(query, view.compiled.network, Colour::Counted, limits.steps);
    run.take_tables(&openers);
    run.within = arrives;
    start_counted(&mut view, &mut run);
    if let Err(limit) = run.settle(&mut view) {
        stop = Some(limit);
    }
    if view.space.status().is_err() {
        // Sets of an exhausted space mean nothing.
        return Answer { stop, ..Answer::nothing() };
    }
    let bad = bad_places(&mut view, &run);
    let endings = if bad.is_empty() { endings(&mut view, &mut run) } else { Vec::new() };
    let witness = find_witness(&mut view, &openers, &run, &bad);
    let delivered = delivered(&mut view, &run);
    Answer { reached: bad.iter().map(|(place, _)| *place).collect(), delivered, endings, witness, stop }
}

fn delivered<'c>(view: &mut View<'c>, run: &Run<'_, 'c>) -> Vec<NodeId> {
    (0..run.delivered.len()).flat_map(|index| run.delivered_members(view, NodeId::at(index))).collect()
}

/// What a query reaches, for comparison with the second interpreter.
pub struct Reached<'c> {
    view: View<'c>,
    segments: Vec<Set>,
    nodes: Vec<Set>,
    opened: Vec<Set>,
}

impl Reached<'_> {
    /// Whether a packet opens a connection at a node.
    pub fn opened(&self, node: NodeId, packet: &Packet) -> bool {
        self.view.space.contains(self.opened[node.index()], packet)
    }

    /// Whether a packet arrives at a place.
    pub fn contains(&self, place: Place, packet: &Packet) -> bool {
        let set = match place {
            Place::Node(id) => self.nodes[id.index()],
            Place::Segment(id) => self.segments[id.index()],
        };
        self.view.space.contains(set, packet)
    }
}

/// Everything that a query reaches, targets or not.
///
/// # Errors
/// A limit was met.
pub fn explore<'c>(compiled: &'c Compiled<'c>, query: &Query, limits: Limits) -> Result<Reached<'c>, Stop> {
    let mut view = compiled.view(query.reading, &query.cut.without_doors(), limits);
    let openers = connections(&mut view, query, limits, Set::FULL).map_err(|cut_short| cut_short.1)?;
    view.change(&query.cut);
    let mut run = Run::new(query, compiled.network, Colour::Counted, limits.steps);
    run.take_tables(&openers);
    start_counted(&mut view, &mut run);
    run.settle(&mut view)?;
    Ok(Reached { segments: run.on_segment, nodes: run.delivered, opened: openers.opened, view })
}

pub(super) fn start_counted(view: &mut View<'_>, run: &mut Run<'_, '_>) {
    let query = run.query;
    // What no packet looks like must not count as a cause because it is in no set of real packets.
    let real = view.space.well_formed();
    let unreal = view.space.complement(real);
    let all = inject::free(&mut view.space, query, |_| true);
    let answered = inject::free(&mut view.space, query, |flow| flow.replies);
    let mut changed = Set::EMPTY;
    if view.compiled.translates_anywhere() && query.reading == Reading::May {
        // A packet is free if it is as it was sent and as it crosses; of one that was translated only the latter is known.
        let asked = inject::free_requests(&mut view.space, query);
        changed = run.translated(view, asked);
    }
    let all = view.space.minus(all, changed);
    let answered = view.space.minus(answered, changed);
    run.free = view.space.union(all, unreal);
    run.free_answers = view.space.union(answered, unreal);
    run.inject(view, &query.footholds, Origin::Adversary);
    let wanted = inject::wanted(&mut view.space, query);
    run.originate_all(view, &query.honest, wanted);
    run.inject_undescribed(view, wanted);
}

/// Everything that anybody sends, until no further connection opens.
///
/// Only packets of `within` are followed. For connections of such packets that is exact on *must*, if the set holds
/// with a packet its answers and all that no table tells from it; on *may* it takes in what others might become.
pub(super) fn connections<'q, 'c>(
    view: &mut View<'c>,
    query: &'q Query,
    limits: Limits,
    within: Set,
) -> Result<Run<'q, 'c>, Box<(Run<'q, 'c>, Stop)>> {
    let network = view.compiled.network;
    let mut run = Run::new(query, network, Colour::Openers, limits.steps);
    run.within = within;
    if !(0..network.nodes.len()).any(|index| view.compiled.keeps_tables(NodeId::at(index))) {
        return Ok(run);
    }
    run.inject(view, &query.footholds, Origin::Adversary);
    run.inject(view, &query.accomplices, Origin::Accomplice);
    run.inject_undescribed(view, Set::FULL);
    let senders = openers(query, network);
    for node in &senders {
        run.originate(view, *node, Set::FULL, false);
    }
    if within != Set::FULL && query.reading == Reading::May {
        for (id, _) in network.nodes_by_id() {
            run.become_wanted(view, id);
        }
    }
    loop {
        if let Err(stop) = run.settle(view) {
            return Err(Box::new((run, stop)));
        }
        if !grow_tables(view, &mut run, &senders) {
            return Ok(run);
        }
    }
}

/// Honest nodes that open connections: on *may* every node may send with its own address at any time.
fn openers(query: &Query, network: &crate::model::Network) -> Vec<NodeId> {
    match query.reading {
        Reading::May => network
            .nodes_by_id()
            .filter(|(_, node)| node.role != crate::model::Role::Internet)
            .map(|(id, _)| id)
            .collect(),
        Reading::Must => query.honest.iter().chain(&query.talkers).copied().collect(),
    }
}

/// Makes what was opened count as established, and sends again what now passes. Returns whether anything was new.
fn grow_tables(view: &mut View<'_>, run: &mut Run<'_, '_>, senders: &[NodeId]) -> bool {
    let mut grown = Vec::new();
    for index in 0..run.opened.len() {
        if !view.compiled.keeps_tables(NodeId::at(index)) || run.opened[index].is_empty() {
            continue;
        }
        let node = NodeId::at(index);
        let mut open = view.connections(run.opened[index]);
        let mut is_new = false;
        if view.compiled.translates(node) {
            is_new = run.settle_sessions(view, node);
            let to_ends = run.sessions[index].to_ends();
            open.related = view.space.intersect(view.compiled.common.icmp_errors, to_ends);
        }
        if open == run.connections[index] && !is_new {
            continue;
        }
        run.connections[index] = open;
        grown.push(node);
    }
    for node in &grown {
        for receiver in run.network.node(*node).interfaces.clone() {
            let seen = run.received[receiver.index()];
            run.process(view, receiver, seen, true);
        }
        if senders.contains(node) {
            run.originate(view, *node, Set::FULL, true);
        }
    }
    !grown.is_empty()
}

/// Targets where something arrives that is not free, with it.
pub(super) fn bad_places(view: &mut View<'_>, run: &Run<'_, '_>) -> Vec<(Place, Set)> {
    let counted = view.space.complement(run.free);
    let segments = run.on_segment.iter().enumerate().map(|(i, set)| (Place::Segment(SegmentId::at(i)), *set));
    let nodes = run.delivered.iter().enumerate().map(|(i, set)| (Place::Node(NodeId::at(i)), *set));
    let arrivals: Vec<(Place, Set)> = segments
        .chain(nodes)
        .filter(|(place, set)| run.query.targets.contains(*place) && !set.is_empty())
        .collect();
    let bad = arrivals.into_iter().map(|(place, set)| (place, view.space.intersect(set, counted)));
    bad.filter(|(_, set)| !set.is_empty()).collect()
}

/// Addresses that a packet should be sent to if there is a choice: those of the targets, so that a report shows a
/// packet that means something.
pub(super) fn telling_destinations(view: &mut View<'_>, query: &Query) -> Set {
    let network = view.compiled.network;
    let mut ranges = Vec::new();
    for (id, node) in network.nodes_by_id() {
        let targeted = query.targets.nodes[id.index()];
        if targeted && node.role != crate::model::Role::Internet {
            ranges.extend(view.compiled.nodes[id.index()].own.iter().copied());
        }
    }
    view.space.addresses(Side::Dst, &ranges)
}
