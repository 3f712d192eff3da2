//! The kernel beside the interpreter and the engine.

use super::bench::{Bench, Event, From, What};
use super::described::Described;
use super::frame::{Read, Shape, parts};
use super::spec::Spec;
use super::talk::Sent;
use isoaudit::engine::{self, Compiled, Cut, Limits, Places, Query};
use isoaudit::header::{Fragment, Packet};
use isoaudit::model::{Network, NewAddress, Reading};
use isoaudit::replay::route::Outcome;
use isoaudit::replay::state::fresh;
use isoaudit::replay::{
    Branch, Decision, End, Foothold, Leg, Origin, Place, Question, Send, Stance, Values, walk_choosing,
};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// Something that is sent: by whom, what, and what the model does not know about it.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    pub(crate) from: From,
    pub(crate) packet: Packet,
    pub(crate) shape: Shape,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {:?}", self.packet, self.from)
    }
}

impl Probe {
    /// Whether it says more than the model knows, so that other packets of its form fare otherwise: an error about a
    /// connection is related, one about nothing is invalid, and the sender may choose.
    pub(crate) fn is_particular(&self) -> bool {
        !self.shape.about.is_empty()
    }
}

/// A place of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Spot {
    Line(usize),
    Node(usize),
}

/// Where a packet arrived, in which form.
pub(crate) type Arrivals = BTreeSet<(Spot, Packet)>;

/// What became of a probe in the kernel.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// The probe itself.
    pub(crate) arrived: Arrivals,
    /// Whatever else was seen: answers, with the place.
    pub(crate) answers: Arrivals,
    /// The nodes that have heard any of it.
    pub(crate) touched: BTreeSet<usize>,
    /// The identifier of an echo request as it was delivered.
    pub(crate) echo: Option<u16>,
}

impl Seen {
    /// What translations may have chosen from: they chose something of this.
    fn values(&self, probe: &Probe) -> Values {
        let all = self.arrived.iter().map(|(_, packet)| packet);
        Values::of(all.chain([&probe.packet]))
    }

    /// Whether somebody has changed the probe.
    pub(crate) fn is_translated(&self, probe: &Probe) -> bool {
        self.arrived.iter().any(|(_, packet)| *packet != probe.packet)
    }
}

/// Sends a probe and looks where it gets.
pub(crate) fn observe(bench: &mut Bench, probe: &Probe) -> Seen {
    let mut seen = Seen::default();
    for part in parts(&probe.packet) {
        bench
            .send(probe.from, &part, &probe.shape)
            .unwrap_or_else(|error| panic!("{part} is not sent: {error}"));
    }
    let events = bench.drain();
    take(&mut seen, probe, &events);
    seen
}

/// Looks again for what comes late.
pub(crate) fn observe_late(bench: &mut Bench, probe: &Probe, seen: &mut Seen) -> bool {
    std::thread::sleep(Duration::from_millis(20));
    let events = bench.drain();
    take(seen, probe, &events);
    !events.is_empty()
}

fn take(seen: &mut Seen, probe: &Probe, events: &[Event]) {
    let injected = match probe.from {
        From::Line { link, to } => Some((link, to)),
        From::Own(_) => None,
    };
    let firsts = first_parts(probe, events);
    for event @ Event { node, read, .. } in events {
        seen.touched.insert(*node);
        let Some(spot) = spot_of(probe, event) else { continue };
        match own_form(probe, read) {
            Some(packet) if packet.fragment == Fragment::Later && firsts.contains_key(&spot) => {
                let forms = firsts[&spot].iter().map(|form| Packet { fragment: Fragment::Later, ..*form });
                seen.arrived.extend(
                    forms.filter(|form| form.fragment == probe.packet.fragment).map(|form| (spot, form)),
                );
            }
            Some(packet) => {
                // Whoever puts a datagram together may send it on, or deliver it, as one: then each part arrives.
                let sent = probe.packet.fragment;
                if packet.fragment == sent || packet.fragment == Fragment::Whole {
                    seen.arrived.insert((spot, Packet { fragment: sent, ..packet }));
                    if let Spot::Node(_) = spot {
                        seen.echo = Some(read.echo);
                    }
                }
            }
            None => {
                seen.answers.insert((spot, read.packet));
            }
        }
    }
    if let Some((link, _)) = injected {
        seen.arrived.insert((Spot::Line(link), probe.packet));
    }
}

/// Where an event shows that a packet arrives.
fn spot_of(probe: &Probe, event: &Event) -> Option<Spot> {
    match event.what {
        What::Heard(_) => None,
        // What a node sends to itself arrives nowhere else, and the walk does not know it.
        What::Delivered if probe.from == From::Own(event.node) => None,
        What::Put(link) => Some(Spot::Line(link)),
        What::Delivered => Some(Spot::Node(event.node)),
    }
}

/// The first parts of a datagram by where they were seen. Whoever translates a datagram and takes it apart again writes the
/// header of its later parts where the bench still has to read it, so that they look translated where they were not yet.
/// Where a first part was seen, the later one had the same addresses.
fn first_parts(probe: &Probe, events: &[Event]) -> BTreeMap<Spot, BTreeSet<Packet>> {
    let mut found: BTreeMap<Spot, BTreeSet<Packet>> = BTreeMap::new();
    for event in events.iter().filter(|event| event.read.packet.fragment == Fragment::First) {
        if let (Some(spot), Some(form)) = (spot_of(probe, event), own_form(probe, &event.read)) {
            found.entry(spot).or_default().insert(form);
        }
    }
    found
}

/// The probe as it was seen, if this is the probe and no answer to it.
fn own_form(probe: &Probe, read: &Read) -> Option<Packet> {
    let Packet { sport, dport, icmp_type, icmp_code, flags, .. } = probe.packet;
    let same_kind = read.packet.proto == probe.packet.proto;
    if read.packet.fragment == Fragment::Later {
        // What a later fragment does not show it has of its datagram. Whoever puts datagrams together gives their fragments new
        // identifications; nobody answers by fragments.
        return same_kind.then_some(Packet { sport, dport, icmp_type, icmp_code, flags, ..read.packet });
    }
    let wanted = match probe.shape.about.get(..4) {
        Some(four) => u32::from_be_bytes([four[0], four[1], four[2], four[3]]),
        None => probe.shape.marker,
    };
    let same = same_kind
        && read.marker == Some(wanted)
        && (read.packet.icmp_type, read.packet.icmp_code, read.packet.flags) == (icmp_type, icmp_code, flags);
    same.then_some(read.packet)
}

/// A probe as the interpreter sends it.
pub(crate) fn send_of(spec: &Spec, described: &Described, probe: &Probe) -> Send {
    let origin = match probe.from {
        From::Own(node) => Origin::Honest(described.nodes[node]),
        From::Line { link, to } => {
            let sender = spec.links[link].ends[1 - to].node;
            let only_line = spec.ends_of(sender).len() == 1;
            if only_line {
                Origin::Node(described.nodes[sender])
            } else {
                Origin::Segment(described.segments[link])
            }
        }
    };
    Send { origin, packet: probe.packet, path: Vec::new() }
}

fn question(sends: &[Send]) -> Question {
    let stands = |send: &Send| match send.origin {
        Origin::Segment(id) => Foothold { place: Place::Segment(id), stance: Stance::Adversary },
        Origin::Node(id) => Foothold { place: Place::Node(id), stance: Stance::Adversary },
        Origin::Honest(id) | Origin::Answer(id) => {
            Foothold { place: Place::Node(id), stance: Stance::Honest }
        }
    };
    Question { footholds: sends.iter().map(stands).collect(), ..Question::default() }
}

/// Where a probe arrives by the interpreter, and in which form.
#[derive(Debug, Clone, Default)]
pub(crate) struct Walked {
    /// By *must*: each of the ways that the network may choose, of which it takes one.
    pub(crate) must: Vec<Arrivals>,
    /// By *may*, on all ways together.
    pub(crate) may: Arrivals,
    /// Whether the network chooses among several certain ways.
    pub(crate) is_choice: bool,
    /// Whether a translation may choose.
    pub(crate) is_free: bool,
    /// There are more ways than are followed.
    pub(crate) cut_short: bool,
}

impl Walked {
    /// Whether what was seen is all that was certain, so that what it opened is certain too.
    pub(crate) fn is_just(&self, seen: &Seen) -> bool {
        matches!(self.must.as_slice(), [way] if *way == seen.arrived)
    }
}

/// The walks of a schedule, in which translations have chosen what was seen. What was not just what is certain leaves
/// nothing certain about what comes after it, and so does an answer: it may end the connection.
pub(crate) fn walked(spec: &Spec, described: &Described, sent: &[Sent]) -> Vec<Walked> {
    let sends: Vec<Send> = sent.iter().map(|(probe, _)| send_of(spec, described, probe)).collect();
    let values: Vec<Values> = sent.iter().map(|(probe, seen)| seen.values(probe)).collect();
    let question = question(&sends);
    let pools = has_pools(&described.network);
    let by = |reading| -> Vec<(Vec<Arrivals>, [bool; 3])> {
        let legs = walk_choosing(&described.network, reading, &question, &sends, &values).legs;
        let of_leg = |(leg, (probe, _)): (&Leg, &Sent)| {
            let limited = leg.branches.iter().any(|branch| branch.end == End::Limit);
            let hops = leg.branches.iter().flat_map(|branch| &branch.hops);
            let mut decisions = hops.flat_map(|hop| &hop.decisions);
            let routes = decisions.clone().any(has_equals);
            let translates = decisions.any(|decision| matches!(decision, Decision::Translated { .. }));
            (of_branches(spec, described, probe, &leg.branches), [limited, routes, translates && pools])
        };
        legs.iter().zip(sent).map(of_leg).collect()
    };
    let mut open = false;
    let mut all = Vec::new();
    let readings = by(Reading::Must).into_iter().zip(by(Reading::May));
    for (((must, [_, routes, is_free]), (may, [cut_short, ..])), (probe, seen)) in readings.zip(sent) {
        let is_choice = routes || is_free || must.len() > 1;
        let mut walked =
            Walked { must, may: may.into_iter().flatten().collect(), is_choice, is_free, cut_short };
        let just = walked.is_just(seen) && seen.answers.is_empty() && !probe.is_particular();
        if open {
            walked.must.clear();
        }
        open |= !just;
        all.push(walked);
    }
    all
}

/// Whether a packet was sent on by one of several equal routes.
fn has_equals(decision: &Decision) -> bool {
    match decision {
        Decision::Routed { found, .. } => matches!(&found.outcome, Outcome::Send(hops) if hops.len() > 1),
        _ => false,
    }
}

/// Whether some translation may choose what it makes of a packet.
fn has_pools(network: &Network) -> bool {
    let mut translations = network.filters.iter().flat_map(|filter| &filter.translations);
    translations.any(|translation| {
        let of_pool = matches!(translation.to, NewAddress::Range(range) if range.low != range.high);
        of_pool || translation.random || translation.ports.is_some_and(|(low, high)| low != high)
    })
}

/// The arrivals of each way.
fn of_branches(spec: &Spec, described: &Described, probe: &Probe, branches: &[Branch]) -> Vec<Arrivals> {
    let spots: BTreeMap<Place, Spot> = spots(described).collect();
    let mut all = Vec::new();
    for branch in branches.iter().filter(|branch| begins_at(spec, described, probe, branch)) {
        let mut arrived = Arrivals::new();
        for hop in &branch.hops {
            if let (Place::Segment(_), Some(spot)) = (hop.place, spots.get(&hop.place)) {
                arrived.insert((*spot, hop.packet));
            }
        }
        let home = if let From::Own(node) = probe.from { Some(described.nodes[node]) } else { None };
        if let End::Delivered(node) = branch.end
            && home != Some(node)
        {
            let packet = branch.hops.last().map_or(probe.packet, |hop| hop.packet);
            arrived.extend(spots.get(&Place::Node(node)).map(|spot| (*spot, packet)));
        }
        all.push(arrived);
    }
    all
}

/// Whether a branch begins at the receiver of the probe.
fn begins_at(spec: &Spec, described: &Described, probe: &Probe, branch: &Branch) -> bool {
    let From::Line { link, to } = probe.from else { return true };
    let end = &spec.links[link].ends[to];
    let first = branch.hops.iter().find(|hop| hop.incoming.is_some());
    first.is_some_and(|hop| hop.place == Place::Node(described.nodes[end.node]))
}

fn spots(described: &Described) -> impl Iterator<Item = (Place, Spot)> + '_ {
    let lines =
        described.segments.iter().enumerate().map(|(number, id)| (Place::Segment(*id), Spot::Line(number)));
    let nodes = described.nodes.iter().enumerate().map(|(number, id)| (Place::Node(*id), Spot::Node(number)));
    lines.chain(nodes)
}

/// What the engine says of everything that anybody on a line can send.
pub(crate) struct Sets<'c> {
    must: engine::Reached<'c>,
    may: engine::Reached<'c>,
    /// The same where others have opened what they like before; asked for only then.
    opened: OnceCell<engine::Reached<'c>>,
    compiled: &'c Compiled<'c>,
    link: usize,
}

/// A query about all that starts on a line.
pub(crate) fn query(described: &Described, link: usize, reading: Reading) -> Query {
    let network = &described.network;
    let none = || Places::none(network.nodes.len(), network.segments.len());
    let mut footholds = none();
    footholds.segments[described.segments[link].index()] = true;
    Query {
        reading,
        footholds,
        honest: Vec::new(),
        honest_segments: Vec::new(),
        talkers: Vec::new(),
        accomplices: none(),
        forged: vec![false; network.segments.len()],
        destinations: Vec::new(),
        services: Vec::new(),
        own_sources: false,
        targets: none(),
        free: Vec::new(),
        cut: Cut::default(),
    }
}

impl<'c> Sets<'c> {
    pub(crate) fn new(described: &Described, compiled: &'c Compiled<'c>, link: usize) -> Sets<'c> {
        let of = |reading| {
            engine::explore(compiled, &query(described, link, reading), Limits::default()).expect("no limit")
        };
        Sets { must: of(Reading::Must), may: of(Reading::May), opened: OnceCell::new(), compiled, link }
    }

    /// Whether a packet perhaps arrives at a spot after others have sent what they like.
    fn may_follow(&self, described: &Described, spot: Spot, packet: &Packet) -> bool {
        let opened = self.opened.get_or_init(|| {
            let mut helped = query(described, self.link, Reading::May);
            helped.accomplices.segments.iter_mut().for_each(|there| *there = true);
            engine::explore(self.compiled, &helped, Limits::default()).expect("no limit")
        });
        opened.contains(place(described, spot), packet)
    }

    /// Whether a packet arrives at a spot, certainly and possibly.
    pub(crate) fn contain(&self, described: &Described, spot: Spot, packet: &Packet) -> [bool; 2] {
        let place = place(described, spot);
        [self.must.contains(place, packet), self.may.contains(place, packet)]
    }
}

fn place(described: &Described, spot: Spot) -> engine::Place {
    match spot {
        Spot::Line(number) => engine::Place::Segment(described.segments[number]),
        Spot::Node(number) => engine::Place::Node(described.nodes[number]),
    }
}

/// What is missing of the first in the second.
fn missing(less: &Arrivals, more: &Arrivals) -> Vec<(Spot, Packet)> {
    less.difference(more).copied().collect()
}

/// Whether one of the ways is a part of what was seen. No way at all is.
pub(crate) fn is_one_of(ways: &[Arrivals], seen: &Arrivals) -> bool {
    ways.is_empty() || ways.iter().any(|way| way.is_subset(seen))
}

fn told(arrivals: &Arrivals) -> Vec<Spot> {
    arrivals.iter().map(|(spot, _)| *spot).collect()
}

fn say(what: &str, spots: &[(Spot, Packet)], probe: &Probe, seen: &Seen, walked: &Walked) -> String {
    let must: Vec<Vec<Spot>> = walked.must.iter().map(told).collect();
    let spots: Vec<String> = spots.iter().map(|(spot, packet)| format!("{packet} at {spot:?}")).collect();
    let (kernel, may) = (told(&seen.arrived), told(&walked.may));
    let others = |what: &str, arrived: &Arrivals| -> String {
        let others = arrived.iter().filter(|(_, form)| *form != probe.packet);
        others.map(|(spot, form)| format!("\n    {what} {form} at {spot:?}")).collect()
    };
    let forms: String = walked.must.iter().map(|way| others("must", way)).collect();
    let forms = others("kernel", &seen.arrived) + &forms;
    let spots = spots.join(", ");
    format!("{what} {spots}\n  sent {probe}\n  kernel {kernel:?}\n  must {must:?}\n  may {may:?}{forms}")
}

/// What the interpreter gets wrong about a probe.
pub(crate) fn beside_interpreter(probe: &Probe, seen: &Seen, walked: &Walked) -> Result<(), String> {
    // A choice that is certain in one state only is none of the ways of *must*; the network may take it all the same.
    let is_open = walked.is_choice && fresh(&probe.packet).len() > 1;
    // What dies of what it was translated to shows nobody what that was.
    let is_unseen = walked.is_free && walked.must.iter().any(|way| seen.arrived.is_subset(way));
    if !probe.is_particular() && !is_open && !is_unseen && !is_one_of(&walked.must, &seen.arrived) {
        return Err(say("the interpreter is certain of more", &[], probe, seen, walked));
    }
    let wrong = missing(&seen.arrived, &walked.may);
    if !wrong.is_empty() && !walked.cut_short {
        return Err(say("the interpreter excludes", &wrong, probe, seen, walked));
    }
    Ok(())
}

/// What was seen elsewhere than on the line where it started. What a node tells itself never leaves it.
pub(crate) fn elsewhere<'a>(
    spec: &'a Spec,
    link: usize,
    seen: &'a Seen,
) -> impl Iterator<Item = &'a (Spot, Packet)> + 'a {
    let to_itself = |spot: &Spot, packet: &Packet| match spot {
        Spot::Node(node) => spec.addresses_of(*node).contains(&packet.src),
        Spot::Line(_) => false,
    };
    let all = seen.arrived.iter().chain(&seen.answers);
    all.filter(move |(spot, packet)| *spot != Spot::Line(link) && !to_itself(spot, packet))
}

/// What the engine gets wrong about a probe from a line, and about the answers to it.
pub(crate) fn beside_engine(
    spec: &Spec,
    described: &Described,
    sets: &Sets<'_>,
    probe: &Probe,
    seen: &Seen,
    walked: &Walked,
) -> Result<(), String> {
    let From::Line { link, .. } = probe.from else { return Ok(()) };
    for (spot, packet) in elsewhere(spec, link, seen) {
        if !sets.contain(described, *spot, packet)[1] {
            return Err(say("the engine excludes", &[(*spot, *packet)], probe, seen, walked));
        }
    }
    // Of a packet of which it is not known whether it opens a connection, the engine knows the marks only if they are the
    // same in each case.
    for (spot, packet) in walked.must.iter().flatten().filter(|_| !spec.marks_by_state()) {
        if !sets.contain(described, *spot, packet)[0] {
            return Err(say("the engine is not certain of", &[(*spot, *packet)], probe, seen, walked));
        }
    }
    Ok(())
}

/// What the engine gets wrong about a probe that came after others.
pub(crate) fn beside_opened(
    spec: &Spec,
    described: &Described,
    sets: &Sets<'_>,
    probe: &Probe,
    seen: &Seen,
    walked: &Walked,
) -> Result<(), String> {
    let From::Line { link, .. } = probe.from else { return Ok(()) };
    let mut all = elsewhere(spec, link, seen);
    match all.find(|(spot, packet)| !sets.may_follow(described, *spot, packet)) {
        Some(one) => Err(say("the engine excludes, after others,", &[*one], probe, seen, walked)),
        None => Ok(()),
    }
}
