//! Replaying an ordered list of sends, with the connection tables carried from one to the next.

use super::follow::{Follow, Opened, Source};
use super::reflect::Answer;
use super::state::Tables;
use super::trail::{Branch, End, Place};
use super::translate::Values;
use super::view::View;
use super::way::Timing;
use super::{Foothold, Question, Stance};
use crate::header::Packet;
use crate::model::{InterfaceId, Network, NodeId, Reading, SegmentId};
use std::collections::BTreeSet;

/// Who sends a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Somebody on a segment, who puts there what it likes.
    Segment(SegmentId),
    /// A node whose filters do not bind: it puts what it likes on any of its segments.
    Node(NodeId),
    /// A node with its own address, its own routes and its own filters.
    Honest(NodeId),
    /// A node that answers what an earlier send brought it.
    Answer(NodeId),
}

/// One crossing of a segment on the way of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    /// The segment.
    pub segment: SegmentId,
    /// The interface that put the packet there; `None` for somebody on the segment itself, and for a packet that comes
    /// from a joined segment.
    pub sender: Option<InterfaceId>,
    /// The interface that received it; `None` at the end of the way.
    pub receiver: Option<InterfaceId>,
    /// What the packet is from here on, if its last device has changed it.
    pub becomes: Option<Packet>,
}

impl Crossing {
    /// From one interface to another, with nothing changed.
    pub fn plain(segment: SegmentId, sender: Option<InterfaceId>, receiver: Option<InterfaceId>) -> Crossing {
        Crossing { segment, sender, receiver, becomes: None }
    }
}

/// One send of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Send {
    /// Who sends.
    pub origin: Origin,
    /// What.
    pub packet: Packet,
    /// The way that is claimed, from the first crossing on: it holds the adversary's choice of a first receiver, the
    /// network's choice between equal routes, and who gets what on a segment where several may. Empty: every way.
    pub path: Vec<Crossing>,
}

/// What became of one send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    /// The send.
    pub send: Send,
    /// Whether its packet counts for a claim: it descends from a foothold. Others only open connections.
    pub counts: bool,
    /// Every way that the packet takes; the one that was claimed, if one was.
    pub branches: Vec<Branch>,
    /// Where it arrived: segments it was put on, nodes it was delivered to.
    pub arrived: BTreeSet<Place>,
    /// The nodes at which it opened a connection that was not open.
    pub opened: Vec<NodeId>,
}

/// A replayed schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// One for each send, in order.
    pub legs: Vec<Leg>,
}

impl Walked {
    /// Whether a packet that counts arrived at a place, and went the way that was claimed for it.
    pub fn confirms(&self, place: Place) -> bool {
        self.legs.last().is_some_and(|leg| leg.counts && leg.arrived.contains(&place))
    }
}

/// Those who may send something because of what came before.
#[derive(Debug, Clone, Default)]
struct Stirred {
    segments: BTreeSet<SegmentId>,
    nodes: BTreeSet<NodeId>,
    answers: BTreeSet<Answer>,
}

/// Replays sends in order (SEMANTICS.md section 5.4).
pub fn walk(network: &Network, reading: Reading, question: &Question, sends: &[Send]) -> Walked {
    walk_choosing(network, reading, question, sends, &[])
}

/// The same, with translations that choose from given values where they are free to choose, a list for each send. Without
/// one, those of the named way are taken.
pub fn walk_choosing(
    network: &Network,
    reading: Reading,
    question: &Question,
    sends: &[Send],
    values: &[Values],
) -> Walked {
    let mut tables = Tables::new(network.nodes.len());
    // Whoever a packet that counts stirs up counts too; the others only open connections.
    let mut counting = Stirred::default();
    let mut others = Stirred::default();
    let mut legs = Vec::new();
    for (number, send) in sends.iter().enumerate() {
        let whole = || match values.get(number).cloned().or_else(|| named(send)) {
            Some(values) => View::new(network, reading, question).choosing(values),
            None => View::new(network, reading, question),
        };
        let open = whole();
        let by_foothold = may_send(&open, &question.footholds, &counting, send);
        let counts = by_foothold && is_spoken_of(question, &counting, send);
        let sent = by_foothold
            || may_send(&open, &question.openers, &others, send)
            || (open.is_may() && is_own_send(&open, send));
        let view = open.with_doors_closed(counts);
        let mut leg = Leg {
            send: send.clone(),
            counts,
            branches: Vec::new(),
            arrived: BTreeSet::new(),
            opened: Vec::new(),
        };
        if sent {
            let start = |view| source(view, &counting, &others, send);
            let mut follow = Follow::new(&view, &tables, Timing::Fixed, &send.path);
            follow.start(start(&view), &send.packet);
            leg.branches = follow.branches;
            leg.arrived = leg.branches.iter().flat_map(Branch::arrivals).collect();
            let mut opened = follow.opened;
            if view.doors_closed && !question.cut.is_empty() {
                // Connections are opened as if the doors were not closed (SEMANTICS.md section 6, `only-via`).
                let whole = whole();
                let mut opening = Follow::new(&whole, &tables, Timing::Fixed, &send.path);
                opening.start(start(&whole), &send.packet);
                if !opening.opened.is_empty() && number + 1 < sends.len() {
                    leg.branches = opening.branches;
                }
                opened = opening.opened;
            }
            let stirred = if counts { &mut counting } else { &mut others };
            stirred.segments.extend(follow.undescribed);
            stirred.nodes.extend(follow.outsiders);
            stirred.answers.extend(follow.answers);
            for Opened { node, came, went, admits } in opened {
                if tables.open(node, &came, &went, admits, number) && !leg.opened.contains(&node) {
                    leg.opened.push(node);
                }
            }
        } else {
            leg.branches.push(Branch { hops: Vec::new(), end: End::NotSent });
        }
        legs.push(leg);
    }
    Walked { legs }
}

/// The values that a named way holds, so that a translation on it may choose them.
fn named(send: &Send) -> Option<Values> {
    let named: Vec<Packet> = send.path.iter().filter_map(|crossing| crossing.becomes).collect();
    (!named.is_empty()).then(|| Values::of(named.iter().chain([&send.packet])))
}

/// Whether one of these footholds, or somebody whom earlier packets stirred up, can make this send.
fn may_send(view: &View<'_>, footholds: &[Foothold], stirred: &Stirred, send: &Send) -> bool {
    let stands = |place, stance| footholds.contains(&Foothold { place, stance });
    match send.origin {
        Origin::Segment(segment) => {
            let place = Place::Segment(segment);
            let as_own = || view.may_be_undescribed(segment, send.packet.src);
            let given = stands(place, Stance::Adversary) || stands(place, Stance::Honest) && as_own();
            view.segment_exists(segment) && (given || stirred.segments.contains(&segment))
        }
        Origin::Node(node) => {
            let given = stands(Place::Node(node), Stance::Adversary);
            view.node_exists(node) && (given || stirred.nodes.contains(&node))
        }
        Origin::Honest(node) => {
            let place = Place::Node(node);
            let given = stands(place, Stance::Honest) || stands(place, Stance::Adversary);
            given && view.node_exists(node) && view.sends_as(node, send.packet.src)
        }
        Origin::Answer(node) => {
            stirred.answers.iter().any(|answer| answer.node == node && answer.can_be(view, &send.packet))
        }
    }
}

/// Whether the claim speaks of a send. What honest senders send besides only opens connections.
fn is_spoken_of(question: &Question, stirred: &Stirred, send: &Send) -> bool {
    match send.origin {
        Origin::Honest(_) => question.speaks_of(&send.packet),
        Origin::Segment(segment) => {
            let adversary = Foothold { place: Place::Segment(segment), stance: Stance::Adversary };
            let sends_anything =
                question.footholds.contains(&adversary) || stirred.segments.contains(&segment);
            sends_anything || question.speaks_of(&send.packet)
        }
        Origin::Node(_) | Origin::Answer(_) => true,
    }
}

/// Whether this is a node's own packet, which it may send at any time.
fn is_own_send(view: &View<'_>, send: &Send) -> bool {
    match send.origin {
        Origin::Honest(node) => view.node_exists(node) && view.sends_as(node, send.packet.src),
        Origin::Segment(_) | Origin::Node(_) | Origin::Answer(_) => false,
    }
}

/// Where a send starts.
fn source(view: &View<'_>, counting: &Stirred, others: &Stirred, send: &Send) -> Source {
    match send.origin {
        Origin::Segment(segment) => Source::Injected(vec![(segment, None)]),
        Origin::Node(node) => Source::Injected(attachments(view, node)),
        Origin::Honest(node) => Source::Own(node),
        Origin::Answer(node) => {
            let all = counting.answers.iter().chain(&others.answers);
            let fitting = all.filter(|answer| answer.node == node && answer.can_be(view, &send.packet));
            Source::Answering(node, fitting.flat_map(|answer| answer.cause.states()).copied().collect())
        }
    }
}

/// The segments on which a node can put what it likes, with the interface by which it does.
pub(super) fn attachments(view: &View<'_>, node: NodeId) -> Vec<(SegmentId, Option<InterfaceId>)> {
    let open = view.network.node(node).interfaces.iter().filter(|i| !view.is_closed_interface(**i));
    open.filter_map(|i| view.segment_of(*i).map(|segment| (segment, Some(*i)))).collect()
}
