//! From a witness of the engine to a finding: replayed by the second interpreter, hop by hop, or not told at all.

use super::judge::Judge;
use super::lower::Absence;
use super::schedule::{question, sends};
use super::{Finding, Leg, Note, Open, blame, telling};
use crate::claim::Claim;
use crate::engine::{Journey, Origin, Place, Query, Witness};
use crate::model::{Existence, Kind, Network, NodeId, Reading, Role, State, Test, Transit, UnknownId};
use crate::replay::filter::Decider;
use crate::replay::{self, Branch, Walked};
use std::collections::BTreeSet;

pub(super) use blame::Blame;

/// The question behind a witness.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The claim.
    pub(super) claim: &'a Claim,
    /// The part of it that is asked about.
    pub(super) absence: &'a Absence<'a>,
    /// The question as the engine got it.
    pub(super) query: &'a Query,
}

/// What became of a witness.
pub(super) enum Evidence {
    /// The second interpreter sees the same.
    Confirmed {
        /// The finding.
        finding: Box<Finding>,
        /// What to close in order to look for another cause.
        blame: Blame,
    },
    /// It does not: a mistake of one of the two.
    Refuted(Open),
}

/// Replays a witness of *must* and makes a finding of it.
pub(super) fn of_violation(judge: &Judge<'_>, asked: Asked<'_>, witness: &Witness) -> Evidence {
    let Some(last) = witness.journeys.last() else { return Evidence::Refuted(disagreement(asked.claim)) };
    let walked = replay(judge, asked.query, witness, Reading::Must);
    if !walked.confirms(replay_place(last.arrives)) {
        return Evidence::Refuted(disagreement(asked.claim));
    }
    let ways: Vec<&Branch> = chosen_ways(&walked, last.arrives);
    let blamed = blame::of(judge, witness, &ways);
    let mut finding = finding(judge, asked, witness, &ways, &blamed);
    let passing = blame::passing(judge.network, &blamed, &ways);
    let packet = passing.and_then(|leg| witness.journeys.get(leg)).map_or(&last.packet, |one| &one.packet);
    finding.remedies = blame::remedies(judge, &blamed, packet);
    finding.looked_closed = blame::looked_closed(judge.network, &blamed, packet, &ways);
    Evidence::Confirmed { finding: Box::new(finding), blame: blamed }
}

/// Replays a witness of *may*, and names what keeps it from being certain.
pub(super) fn of_doubt(
    judge: &Judge<'_>,
    asked: Asked<'_>,
    witness: &Witness,
) -> (Option<Finding>, Vec<Open>) {
    let network = judge.network;
    let walked = replay(judge, asked.query, witness, Reading::May);
    let Some(last) = witness.journeys.last() else { return (None, Vec::new()) };
    let ways = chosen_ways(&walked, last.arrives);
    let mut unknowns: BTreeSet<UnknownId> = ways.iter().flat_map(|way| way.uncertain()).collect();
    unknowns.extend(uncertain_places(network, &ways, asked.claim.statement.asks_where()));
    let mut open: Vec<Open> = unknowns.into_iter().map(|id| open_question(network, id)).collect();
    open.extend(witness.journeys.iter().filter_map(|journey| approximation(network, journey)));
    open.extend(unknown_kinds(network, witness));
    open.extend(related(network, &ways));
    open.extend(groups(network, last.arrives, &ways));
    open.extend(super::belonging::questions(network, asked, witness));
    if !walked.confirms(replay_place(last.arrives)) {
        return (None, open);
    }
    let blamed = blame::of(judge, witness, &ways);
    (Some(finding(judge, asked, witness, &ways, &blamed)), open)
}

fn replay(judge: &Judge<'_>, query: &Query, witness: &Witness, reading: Reading) -> Walked {
    let sends = sends(judge.network, witness);
    replay::walk(judge.network, reading, &question(query), &sends)
}

/// For each leg the way that is told: for the last the one that arrives.
fn chosen_ways(walked: &Walked, arrives: Place) -> Vec<&Branch> {
    let place = replay_place(arrives);
    let count = walked.legs.len();
    let ways = walked.legs.iter().enumerate().filter_map(|(index, leg)| {
        let arriving = leg.branches.iter().find(|branch| branch.arrivals().any(|at| at == place));
        let first = leg.branches.first();
        if index + 1 == count { arriving.or(first) } else { first }
    });
    ways.collect()
}

fn finding(
    judge: &Judge<'_>,
    asked: Asked<'_>,
    witness: &Witness,
    ways: &[&Branch],
    blamed: &Blame,
) -> Finding {
    let network = judge.network;
    let legs: Vec<Leg> = witness
        .journeys
        .iter()
        .zip(ways)
        .map(|(journey, way)| telling::leg(network, asked, journey, way, blamed.span(network)))
        .collect();
    let choices = telling::choices(network, ways);
    Finding {
        fingerprint: fingerprint(asked.claim, &legs, &[]),
        cause: blamed.note(network),
        looked_closed: None,
        remedies: Vec::new(),
        choices,
        legs,
    }
}

/// A hash of the claim and the named hops. It survives every edit that leaves them, lines and packets included.
pub(super) fn fingerprint(claim: &Claim, legs: &[Leg], ends: &[&str]) -> String {
    let mut text = claim.id.value.clone();
    let hops = legs.iter().flat_map(|leg| &leg.hops).map(|hop| hop.place.as_str());
    for place in hops.chain(ends.iter().copied()) {
        text.push('\n');
        text.push_str(place);
    }
    // FNV-1a, 64 bits (Fowler, Noll, Vo; RFC 9923): no secret, only short and the same everywhere.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

fn disagreement(claim: &Claim) -> Open {
    Open {
        what: "the two interpreters disagree about a counterexample, so it is not shown".to_owned(),
        span: Some(claim.span),
        settle: "this is a mistake in isoaudit: please report it with the topology".to_owned(),
    }
}

/// An unknown as a question.
pub(super) fn open_question(network: &Network, id: UnknownId) -> Open {
    let unknown = network.unknown(id);
    Open { what: unknown.what.clone(), span: unknown.span, settle: unknown.settle.clone() }
}

/// Unknowns of places on the way: that may not be there, or of which some fact is not known. Which countries a line
/// crosses is a question only where the claim asks.
fn uncertain_places(network: &Network, ways: &[&Branch], asks_where: bool) -> Vec<UnknownId> {
    let mut found = Vec::new();
    for hop in ways.iter().flat_map(|way| &way.hops) {
        let existence = match hop.place {
            replay::Place::Segment(id) => {
                if let (true, Transit::Unknown(_, unknown)) = (asks_where, &network.segment(id).transit) {
                    found.push(*unknown);
                }
                network.segment(id).existence
            }
            replay::Place::Node(id) => network.node(id).existence,
        };
        if let Existence::Possible(unknown) = existence {
            found.push(unknown);
        }
        for interface in [hop.incoming, hop.outgoing].into_iter().flatten() {
            found.extend(network.interface(interface).ipv6.unknown().filter(|_| hop.packet.src.is_ipv6()));
        }
        if let replay::Place::Node(id) = hop.place {
            found.extend(network.node(id).forwards(hop.packet.family()).unknown());
        }
    }
    found
}

/// Devices on the way of which nobody knows what they run: nothing is certain about what they do.
fn unknown_kinds(network: &Network, witness: &Witness) -> Vec<Open> {
    let passed = witness.journeys.iter().flat_map(|journey| journey.hops.iter().map(|hop| hop.receiver));
    let passed = passed.map(|interface| network.interface(interface).node);
    let answering = witness.journeys.iter().filter_map(|journey| match journey.origin {
        Origin::Reflected(id) => Some(id),
        Origin::Adversary(_) | Origin::Accomplice(_) | Origin::Honest(_) | Origin::Somebody(_) => None,
    });
    let nodes: BTreeSet<NodeId> = passed.chain(answering).collect();
    nodes.into_iter().filter_map(|id| unknown_kind(network, id)).collect()
}

/// The question about a described device of which nobody knows what it runs.
pub(super) fn unknown_kind(network: &Network, id: NodeId) -> Option<Open> {
    let node = network.node(id);
    let is_known = node.kind == Kind::Linux || node.role == Role::Internet;
    if is_known || node.existence != Existence::Described {
        return None;
    }
    // The question of the network, which knows the word that is not understood.
    let asked = node.source_routing.unknown().or(node.multicast_forwarding.unknown());
    Some(asked.map_or_else(
        || Open {
            what: format!("what {} does with packets: nothing is known of its `kind`", node.name),
            span: Some(node.span),
            settle: format!("`kind: linux` on `{}`, if that is what it runs", node.name),
        },
        |id| open_question(network, id),
    ))
}

/// Rules on the way that let an error pass because it may be about a connection.
fn related(network: &Network, ways: &[&Branch]) -> Vec<Open> {
    let mut found = Vec::new();
    for hop in ways.iter().flat_map(|way| &way.hops) {
        for decision in &hop.decisions {
            let replay::Decision::Judged { judgement, state: State::Related, .. } = decision else {
                continue;
            };
            let Decider::Rule { filter, chain, rule } = judgement.by else { continue };
            let rule = &network.filter(filter).chains[chain].rules[rule];
            if rule.matches.iter().any(|one| matches!(one.test, Test::State(_))) {
                found.push(Open {
                    what: format!("whether an ICMP error belongs to a connection, as rule {} asks", rule.name),
                    span: Some(rule.span),
                    settle: "a rule for established packets alone (`state established`), or an `except` for ICMP errors"
                        .to_owned(),
                });
            }
        }
    }
    found
}

/// The node that a packet to a group is delivered to, if it listens.
fn groups(network: &Network, arrives: Place, ways: &[&Branch]) -> Option<Open> {
    let (Place::Node(id), Some(way)) = (arrives, ways.last()) else { return None };
    let last = way.hops.last().filter(|hop| hop.place == replay::Place::Node(id))?;
    let dst = last.packet.dst;
    let node = network.node(id);
    let own = network.own_addresses(id).any(|address| address == dst);
    (!own && node.existence == Existence::Described && node.role != Role::Internet).then(|| Open {
        what: format!("whether {} listens to the group {dst}", node.name),
        span: Some(node.span),
        settle: format!("deny it on the way, or at the input of {}", node.name),
    })
}

/// What is only possible about who sends a packet.
fn approximation(network: &Network, journey: &Journey) -> Option<Open> {
    match journey.origin {
        Origin::Adversary(_) | Origin::Accomplice(_) | Origin::Honest(_) => None,
        Origin::Reflected(id) => {
            let node = network.node(id);
            if node.role == Role::Internet || node.existence != Existence::Described {
                return Some(Open {
                    what: format!(
                        "whether somebody behind {} answers or passes on what reaches it",
                        node.name
                    ),
                    span: Some(node.span),
                    settle: "`assume: { no-reflection: \"…\" }`, or deny the way to it".to_owned(),
                });
            }
            Some(Open {
                what: format!(
                    "whether {} answers packets that it gets, and carries their bytes on",
                    node.name
                ),
                span: Some(node.span),
                settle: format!(
                    "an output list at {} (`from self` rules), routes for every destination with `antispoof: strict`, or \
                     `assume: {{ no-reflection: \"…\" }}`",
                    node.name
                ),
            })
        }
        Origin::Somebody(id) => {
            let segment = network.segment(id);
            Some(Open {
                what: format!("whether somebody undescribed sits on {}", segment.name),
                span: Some(segment.span),
                settle: "`assume: { static-neighbours: \"…\" }`, or allow only addresses that are described"
                    .to_owned(),
            })
        }
    }
}

/// The name of a place.
pub(super) fn place_name(network: &Network, place: Place) -> String {
    replay::describe::place_name(network, replay_place(place))
}

pub(super) fn replay_place(place: Place) -> replay::Place {
    match place {
        Place::Node(id) => replay::Place::Node(id),
        Place::Segment(id) => replay::Place::Segment(id),
    }
}

/// A note about a target on which a sender puts packets itself.
pub(super) fn standing_note(network: &Network, place: Place) -> Note {
    let name = place_name(network, place);
    let text = format!("the sender is attached to {name} itself");
    let Place::Segment(id) = place else {
        let Place::Node(id) = place else { return Note { text, span: None } };
        return Note { text, span: Some(network.node(id).span) };
    };
    let segment = network.segment(id);
    // Of a segment with many lines that one is to blame which leads abroad.
    match segment.lines.first().filter(|_| segment.ports.len() + segment.attached.len() > 2) {
        Some(line) => {
            let ends: Vec<String> = line.ends.iter().map(|end| network.interface_name(*end)).collect();
            let text = format!("{text}, and the line {} carries it abroad", ends.join(" – "));
            Note { text, span: Some(line.span) }
        }
        None => Note { text, span: Some(segment.span) },
    }
}
