//! Two honest nodes: does a request get there, and an answer back? For `reachable` claims.

use super::compiled::Compiled;
use super::query::{Cut, Limits, Places, Query, Stop};
use super::run::{Colour, Run};
use super::solve::connections;
use super::view::View;
use super::witness::pick;
use crate::header::{AddressRange, Packet, proto, tcp_flags};
use crate::model::{NodeId, Reading, Service};
use crate::set::{Set, Side, Space};

/// Candidates that are worth trying in turn: they differ in address, protocol or port.
const MOST_CANDIDATES: usize = 4;

/// A question about two nodes.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// Who asks, with its own address and through its own filter.
    pub from: NodeId,
    /// Who answers.
    pub to: NodeId,
    /// The services; empty is any.
    pub services: &'a [Service],
    /// May or must.
    pub reading: Reading,
}

/// How far it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoundTrip {
    /// Requests with their answers that both arrive, differing from each other.
    Both(Vec<(Packet, Packet)>),
    /// No request arrives; this is one.
    RequestLost(Packet),
    /// This request arrives, and its answer does not.
    AnswerLost(Packet, Packet),
    /// There is no such packet at all: the nodes share no family, or a service does not exist.
    NoPacket,
}

/// Follows requests and answers of a pair through a network in which these rules are closed.
///
/// # Errors
/// A limit was met.
pub fn round_trip(
    compiled: &Compiled<'_>,
    pair: &Pair<'_>,
    cut: &Cut,
    limits: Limits,
) -> Result<RoundTrip, Stop> {
    let query = question(compiled, pair);
    let mut view = compiled.view(pair.reading, cut, limits);
    let requests = requests(&mut view, &query, pair);
    // Both ends may open connections; of the tables only what concerns these packets matters.
    let within = if compiled.translates_anywhere() {
        // Nobody knows beforehand what they become.
        Set::FULL
    } else {
        let asked = view.tuples(requests);
        let answered = view.space.reverse(asked);
        view.space.union(asked, answered)
    };
    let openers = connections(&mut view, &query, limits, within).map_err(|cut_short| cut_short.1)?;
    let Some(first) = pick(&mut view, &query, requests) else { return Ok(RoundTrip::NoPacket) };
    let follower = Follower { query: &query, openers: &openers, limits };
    let (from, to) = (pair.from, pair.to);
    let arrived = follower.follow(&mut view, from, to, requests)?;
    if arrived.is_empty() {
        return Ok(RoundTrip::RequestLost(first));
    }
    let answers = answers(&mut view.space, arrived);
    let back = follower.follow(&mut view, to, from, answers)?;
    let asked = view.space.reverse(back);
    // Translated requests arrive as others.
    let same = if compiled.translates_anywhere() { requests } else { arrived };
    let mut both = view.space.intersect(same, asked);
    let mut found = Vec::new();
    for _ in 0..MOST_CANDIDATES {
        let Some(request) = pick(&mut view, &query, both) else { break };
        let answer = if compiled.translates_anywhere() {
            follower.answer(&mut view, pair, &request)?
        } else {
            let fitting = answer_to(&mut view, &request, back);
            pick(&mut view, &query, fitting)
        };
        found.extend(answer.map(|answer| (request, answer)));
        let like = like(&mut view.space, &request);
        both = view.space.minus(both, like);
    }
    view.space.status().map_err(|exhausted| Stop::Nodes(exhausted.limit))?;
    if !found.is_empty() {
        return Ok(RoundTrip::Both(found));
    }
    let Some(request) = pick(&mut view, &query, same) else { return Ok(RoundTrip::RequestLost(first)) };
    let sent = if compiled.translates_anywhere() {
        follower.sent_back(&mut view, pair, &request)?.unwrap_or(Set::EMPTY)
    } else {
        answer_to(&mut view, &request, answers)
    };
    Ok(match pick(&mut view, &query, sent) {
        Some(answer) => RoundTrip::AnswerLost(request, answer),
        None => RoundTrip::RequestLost(first),
    })
}

fn question(compiled: &Compiled<'_>, pair: &Pair<'_>) -> Query {
    let network = compiled.network;
    let none = Places::none(network.nodes.len(), network.segments.len());
    let mut targets = none.clone();
    targets.nodes[pair.to.index()] = true;
    Query {
        reading: pair.reading,
        footholds: none.clone(),
        honest: vec![pair.from, pair.to],
        honest_segments: Vec::new(),
        talkers: Vec::new(),
        accomplices: none,
        forged: vec![false; network.segments.len()],
        destinations: compiled.nodes[pair.to.index()].own.clone(),
        services: pair.services.to_vec(),
        own_sources: true,
        targets,
        free: Vec::new(),
        cut: Cut::default(),
    }
}

/// What an honest client sends first: whole datagrams, and of TCP the plain SYN.
fn requests(view: &mut View<'_>, query: &Query, pair: &Pair<'_>) -> Set {
    let wanted = super::inject::wanted(&mut view.space, query);
    let wanted = view.space.intersect(wanted, view.compiled.nodes[pair.from.index()].from_own);
    let sendable = with_flags(&mut view.space, tcp_flags::SYN);
    let sendable = view.space.minus(sendable, view.compiled.common.martians);
    view.space.intersect(wanted, sendable)
}

/// Real whole packets, whose TCP flags are exactly these.
fn with_flags(space: &mut Space, flags: u8) -> Set {
    let real = space.well_formed();
    let whole = space.fragment(crate::header::Fragment::Whole);
    let real = space.intersect(real, whole);
    let tcp = space.protocol(proto::TCP);
    let others = space.complement(tcp);
    let flags = space.flags(u8::MAX, flags);
    let sendable = space.union(others, flags);
    space.intersect(real, sendable)
}

fn answers(space: &mut Space, arrived: Set) -> Set {
    let reversed = space.reverse(arrived);
    let sendable = with_flags(space, tcp_flags::SYN | tcp_flags::ACK);
    space.intersect(reversed, sendable)
}

fn answer_to(view: &mut View<'_>, request: &Packet, answers: Set) -> Set {
    let one = view.space.packet(request);
    let reversed = view.space.reverse(one);
    view.space.intersect(answers, reversed)
}

/// Packets of the same ends, protocol and destination port.
fn like(space: &mut Space, packet: &Packet) -> Set {
    let src = space.addresses(Side::Src, &[AddressRange::single(packet.src)]);
    let dst = space.addresses(Side::Dst, &[AddressRange::single(packet.dst)]);
    let ends = space.intersect(src, dst);
    let protocol = space.protocol(packet.proto);
    let port = space.ports(Side::Dst, &[packet.dport..=packet.dport]);
    let service = space.intersect(protocol, port);
    space.intersect(ends, service)
}

/// Follows packets of one node to another, under connections that are open.
struct Follower<'q, 'c, 'r> {
    query: &'q Query,
    openers: &'r Run<'q, 'c>,
    limits: Limits,
}

impl Follower<'_, '_, '_> {
    /// What these packets, sent by one node, are when they are delivered to the other.
    fn follow(&self, view: &mut View<'_>, from: NodeId, to: NodeId, packets: Set) -> Result<Set, Stop> {
        let compiled = view.compiled;
        let mut run = Run::new(self.query, compiled.network, Colour::Counted, self.limits.steps);
        run.take_tables(self.openers);
        run.originate(view, from, packets, false);
        run.settle(view)?;
        let delivered = run.delivered[to.index()];
        if compiled.translates_anywhere() {
            return Ok(delivered);
        }
        // On *may* other packets are about too: answers of routers, and what undescribed hosts send.
        Ok(view.space.intersect(delivered, packets))
    }

    /// What the other node sends back to one request, if that arrives.
    fn sent_back(&self, view: &mut View<'_>, pair: &Pair<'_>, request: &Packet) -> Result<Option<Set>, Stop> {
        let one = view.space.packet(request);
        let arrived = self.follow(view, pair.from, pair.to, one)?;
        let answers = answers(&mut view.space, arrived);
        Ok((!answers.is_empty()).then_some(answers))
    }

    /// An answer to one request that comes back to who asked as an answer to it.
    fn answer(&self, view: &mut View<'_>, pair: &Pair<'_>, request: &Packet) -> Result<Option<Packet>, Stop> {
        let Some(mut answers) = self.sent_back(view, pair, request)? else { return Ok(None) };
        let one = view.space.packet(request);
        let wanted = view.space.reverse(one);
        // A request that becomes one of several has several answers; the first that comes back will do.
        for _ in 0..MOST_CANDIDATES {
            let Some(answer) = pick(view, self.query, answers) else { break };
            let sent = view.space.packet(&answer);
            let back = self.follow(view, pair.to, pair.from, sent)?;
            if !view.space.intersect(back, wanted).is_empty() {
                return Ok(Some(answer));
            }
            answers = view.space.minus(answers, sent);
        }
        Ok(None)
    }
}
