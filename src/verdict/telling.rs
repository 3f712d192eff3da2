//! A replayed way as the hops of a report.

use super::evidence::Asked;
use super::{Hop, Leg, Note, Sender, Step};
use crate::engine::{Journey, Origin, Place, Query};
use crate::header::Packet;
use crate::model::{Network, Transit};
use crate::replay::describe::{ToldHop, place_name, tell};
use crate::replay::route::Outcome;
use crate::replay::{self, Branch, Decision};
use crate::source::Span;
use std::collections::BTreeSet;

/// One packet with its walk.
pub(super) fn leg(
    network: &Network,
    asked: Asked<'_>,
    journey: &Journey,
    way: &Branch,
    opening: Option<Span>,
) -> Leg {
    let (query, mut channel) = (asked.query, None);
    let (sender, place) = match journey.origin {
        Origin::Adversary(place) => {
            channel = asked.absence.channel(network, place, query.reading);
            (if channel.is_some() { Sender::FarEnd } else { Sender::Adversary }, place)
        }
        Origin::Accomplice(place) => (Sender::Accomplice, place),
        Origin::Honest(place) => (Sender::Honest, place),
        Origin::Reflected(id) => (Sender::Answer, Place::Node(id)),
        Origin::Somebody(id) => (Sender::Undescribed, Place::Segment(id)),
    };
    let channel = channel.map(|except| Note {
        text: format!("{} to {}", except.from.text, except.to.text),
        span: Some(except.span),
    });
    let purpose = match journey.opens_at {
        Some(node) => format!("opens a connection at {}", network.node(node).name),
        None => format!("arrives at {}", place_name(network, super::evidence::replay_place(journey.arrives))),
    };
    let hops =
        tell(network, &journey.packet, way).into_iter().map(|hop| told(network, hop, opening)).collect();
    Leg {
        sender,
        channel,
        origin: place_name(network, super::evidence::replay_place(place)),
        spoofed: is_spoofed(network, query, journey, place),
        packet: journey.packet,
        hops,
        purpose,
    }
}

/// The hops of a way, none of them blamed.
pub fn hops(network: &Network, packet: &Packet, way: &Branch) -> Vec<Hop> {
    tell(network, packet, way).into_iter().map(|hop| told(network, hop, None)).collect()
}

fn is_spoofed(network: &Network, query: &Query, journey: &Journey, place: Place) -> bool {
    match journey.origin {
        Origin::Honest(_) | Origin::Reflected(_) | Origin::Somebody(_) => false,
        Origin::Adversary(_) | Origin::Accomplice(_) => !crate::engine::own_sources(network, query, place)
            .iter()
            .any(|range| range.contains(journey.packet.src)),
    }
}

fn told(network: &Network, hop: ToldHop, opening: Option<Span>) -> Hop {
    let steps = hop.steps.into_iter().map(|told| Step {
        stage: told.stage,
        opening: opening.is_some() && told.span == opening && told.stage != "arrive",
        text: told.text,
        span: told.span,
    });
    Hop {
        place: hop.name,
        is_segment: matches!(hop.place, replay::Place::Segment(_)),
        countries: countries(network, hop.place),
        incoming: hop.incoming,
        outgoing: hop.outgoing,
        steps: steps.collect(),
        changed: hop.changed,
    }
}

/// The countries of a place, sorted; for a segment those of its ends and of its lines, and `?` at the end if it may cross
/// others, too.
fn countries(network: &Network, place: replay::Place) -> Vec<String> {
    let of_node = |id: crate::model::NodeId| {
        let site = network.node(id).site?;
        network.sites[site.index()].jurisdiction.as_ref().map(|code| code.value.clone())
    };
    match place {
        replay::Place::Node(id) => of_node(id).into_iter().collect(),
        replay::Place::Segment(id) => {
            let segment = network.segment(id);
            let ends = segment.attached.iter().chain(&segment.ports);
            let mut all: BTreeSet<String> =
                ends.filter_map(|i| of_node(network.interface(*i).node)).collect();
            let (Transit::Known(lines) | Transit::Unknown(lines, _)) = &segment.transit;
            all.extend(lines.iter().map(|code| code.value.clone()));
            let mut all: Vec<String> = all.into_iter().collect();
            // Some are known, and there may be more.
            let more = matches!(segment.transit, Transit::Unknown(..)) && !all.is_empty();
            all.extend(more.then(|| "?".to_owned()));
            all
        }
    }
}

/// Choices that are the network's, where the ways depend on them.
pub(super) fn choices(network: &Network, ways: &[&Branch]) -> Vec<String> {
    let mut found = BTreeSet::new();
    for hop in ways.iter().flat_map(|way| &way.hops) {
        let several = hop.decisions.iter().any(|decision| match decision {
            Decision::Routed { found, .. } => {
                matches!(&found.outcome, Outcome::Send(hops) if hops.len() > 1)
            }
            _ => false,
        });
        if let (true, replay::Place::Node(id)) = (several, hop.place) {
            found.insert(format!("depends on the hash at {}", network.node(id).name));
        }
    }
    found.into_iter().collect()
}
