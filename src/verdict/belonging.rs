//! Whether the places of a possible path belong to the claim at all: a node without a site is anywhere, perhaps.

use super::Open;
use super::evidence::{Asked, place_name};
use super::lower::{opposite, places};
use crate::engine::{Journey, Origin, Place, Places, Witness};
use crate::model::{Existence, Network, NodeId, Reading, Role};
use std::collections::BTreeSet;

/// What is not known of the first and last places of a possible path, each with the line that would settle it.
pub(super) fn questions(network: &Network, asked: Asked<'_>, witness: &Witness) -> Vec<Open> {
    let mut open = Vec::new();
    let from = &asked.absence.from;
    let asks_where = asked.claim.statement.asks_where();
    let certain = places(network, &from.expr, Reading::Must);
    for journey in &witness.journeys {
        let Some(place) = stands_at(network, asked, journey) else { continue };
        open.extend(question(network, place, &certain, asks_where, &from.text));
        open.extend(trust(network, asked, place));
    }
    if let Some(last) = witness.journeys.last() {
        let certain = asked.absence.to.places(network, Reading::Must);
        open.extend(question(network, last.arrives, &certain, asks_where, &asked.absence.to.words()));
    }
    open
}

/// Where a packet starts whose sender counts because it is in `from`.
fn stands_at(network: &Network, asked: Asked<'_>, journey: &Journey) -> Option<Place> {
    match journey.origin {
        Origin::Adversary(place) => {
            asked.absence.channel(network, place, asked.query.reading).is_none().then_some(place)
        }
        Origin::Honest(place) => asked.absence.honest.then_some(place),
        Origin::Accomplice(_) | Origin::Reflected(_) | Origin::Somebody(_) => None,
    }
}

/// Why a place is only possibly selected: the node that it is, or nodes without a site at which it ends. Places that may not
/// be there have questions of their own, and so have lines.
fn question(
    network: &Network,
    place: Place,
    certain: &Places,
    asks_where: bool,
    selector: &str,
) -> Vec<Open> {
    if certain.contains(place) {
        return Vec::new();
    }
    let ends: BTreeSet<NodeId> = match place {
        Place::Node(id) => BTreeSet::from([id]),
        Place::Segment(id) => {
            let segment = network.segment(id);
            let ends = segment.attached.iter().chain(&segment.ports);
            ends.map(|interface| network.interface(*interface).node).collect()
        }
    };
    let name = place_name(network, place);
    let open = |id: &NodeId| {
        let node = network.node(*id);
        let what = format!("whether {name} belongs to `{selector}`");
        // Without a site a node is anywhere; what else a selector asks is seen by `list`.
        let (what, settle) = match node.site.is_none() && asks_where {
            true => (
                format!("{what}: nobody says where {} is", node.name),
                format!("`site: …` on `{}`", node.name),
            ),
            false => {
                (what, "a selector that leaves no doubt: `isoaudit list` shows both readings".to_owned())
            }
        };
        Open { what, span: Some(node.span), settle }
    };
    let described = |id: &&NodeId| {
        let node = network.node(**id);
        node.role != Role::Internet && node.existence == Existence::Described
    };
    let homeless = |id: &&NodeId| asks_where && network.node(**id).site.is_none();
    match place {
        Place::Node(_) => ends.iter().filter(described).map(open).collect(),
        Place::Segment(_) => ends.iter().filter(described).filter(homeless).map(open).collect(),
    }
}

/// A node that is only possibly one that the claim trusts.
fn trust(network: &Network, asked: Asked<'_>, place: Place) -> Option<Open> {
    let (Place::Node(id), Some(selector)) = (place, asked.absence.trusts) else { return None };
    let possibly = asked.absence.trusted(network, opposite(asked.query.reading))[id.index()];
    let node = network.node(id);
    possibly.then(|| Open {
        what: format!("whether `{}` trusts {}: it selects it only possibly", selector.text, node.name),
        span: Some(node.span),
        settle: format!("`site: …` on `{}`, or its name in `trusts`", node.name),
    })
}
