//! From a witness of the engine to the schedule that the second interpreter walks.

use crate::claim::Door;
use crate::engine::{Journey, Origin, Place, Query, Witness};
use crate::header::Packet;
use crate::model::{Existence, InterfaceId, Network, NodeId, Role, SegmentId};
use crate::replay::{self, Branch, Crossing, Foothold, Question, Send, Stance};

/// Who stands where, as the second interpreter asks it.
pub(super) fn question(query: &Query) -> Question {
    let footholds = |places: &crate::engine::Places| -> Vec<Foothold> {
        let place =
            |place| Foothold { place: super::evidence::replay_place(place), stance: Stance::Adversary };
        places.iter().map(place).collect()
    };
    let honest = |nodes: &[NodeId]| -> Vec<Foothold> {
        let place = |id: &NodeId| Foothold { place: replay::Place::Node(*id), stance: Stance::Honest };
        nodes.iter().map(place).collect()
    };
    let mut all = footholds(&query.footholds);
    all.extend(honest(&query.honest));
    all.extend(
        query
            .honest_segments
            .iter()
            .map(|id| Foothold { place: replay::Place::Segment(*id), stance: Stance::Honest }),
    );
    let mut openers = footholds(&query.accomplices);
    openers.extend(honest(&query.talkers));
    let interfaces = query.cut.interfaces.iter().map(|id| Door::Interface(*id));
    let rules = query.cut.rules.iter();
    let rules = rules.map(|rule| Door::Rule { filter: rule.filter, chain: rule.chain, rule: rule.rule });
    let chosen = |flags: &[bool]| -> Vec<usize> {
        flags.iter().enumerate().filter(|(_, set)| **set).map(|(index, _)| index).collect()
    };
    Question {
        footholds: all,
        openers,
        cut: interfaces.chain(rules).collect(),
        destinations: query.destinations.clone(),
        services: query.services.clone(),
        adversary_nodes: chosen(&query.footholds.nodes).into_iter().map(NodeId::at).collect(),
        adversary_segments: chosen(&query.forged).into_iter().map(SegmentId::at).collect(),
    }
}

/// Whether the second interpreter sees the last packet of a witness arrive where the engine says, in the reading of the
/// query.
pub fn confirms(network: &Network, query: &Query, witness: &Witness) -> bool {
    let walked = replay::walk(network, query.reading, &question(query), &sends(network, witness));
    let last = witness.journeys.last();
    last.is_some_and(|last| walked.confirms(super::evidence::replay_place(last.arrives)))
}

/// The packets of a witness in order, with the way that is claimed for each.
pub(super) fn sends(network: &Network, witness: &Witness) -> Vec<Send> {
    witness
        .journeys
        .iter()
        .map(|journey| Send {
            origin: origin(network, journey.origin),
            packet: journey.packet,
            path: path(network, journey),
        })
        .collect()
}

fn origin(network: &Network, origin: Origin) -> replay::Origin {
    match origin {
        Origin::Adversary(Place::Segment(id))
        | Origin::Accomplice(Place::Segment(id))
        | Origin::Honest(Place::Segment(id))
        | Origin::Somebody(id) => replay::Origin::Segment(id),
        Origin::Adversary(Place::Node(id)) | Origin::Accomplice(Place::Node(id)) => replay::Origin::Node(id),
        Origin::Honest(Place::Node(id)) => replay::Origin::Honest(id),
        Origin::Reflected(id) => {
            let node = network.node(id);
            let outside = node.role == Role::Internet || node.existence != Existence::Described;
            if outside { replay::Origin::Node(id) } else { replay::Origin::Answer(id) }
        }
    }
}

/// The crossings of a way that was walked.
pub(super) fn crossings(network: &Network, sent: &Packet, way: &Branch) -> Vec<Crossing> {
    let segment_of = |interface: InterfaceId| network.interface(interface).segment;
    let nodes: Vec<_> = way.hops.iter().filter(|hop| matches!(hop.place, replay::Place::Node(_))).collect();
    let mut crossings = Vec::new();
    for (index, hop) in nodes.iter().enumerate() {
        let Some(sends) = hop.outgoing else { continue };
        let Some(segment) = segment_of(sends) else { continue };
        let receiver = nodes.get(index + 1).and_then(|next| next.incoming);
        let before = if index == 0 { *sent } else { nodes[index - 1].packet };
        let becomes = (hop.packet != before).then_some(hop.packet);
        crossings.push(Crossing { becomes, ..Crossing::plain(segment, Some(sends), receiver) });
    }
    crossings
}

/// The crossings of a journey; none, which means every way, where they are not all told or frames changed segments by
/// themselves.
fn path(network: &Network, journey: &Journey) -> Vec<Crossing> {
    let segment_of = |interface: InterfaceId| network.interface(interface).segment;
    let first = match (journey.hops.first(), journey.arrives) {
        (Some(hop), _) => segment_of(hop.receiver),
        (None, Place::Segment(id)) => Some(id),
        (None, Place::Node(_)) => None,
    };
    let Some(first) = first else { return Vec::new() };
    let sender = match journey.origin {
        Origin::Adversary(Place::Segment(_))
        | Origin::Accomplice(Place::Segment(_))
        | Origin::Honest(Place::Segment(_))
        | Origin::Somebody(_) => None,
        Origin::Adversary(Place::Node(id))
        | Origin::Accomplice(Place::Node(id))
        | Origin::Honest(Place::Node(id))
        | Origin::Reflected(id) => {
            let mut own = network.node(id).interfaces.iter().filter(|i| segment_of(**i) == Some(first));
            // With two interfaces there, nobody says by which of them it sends.
            let (Some(own), None) = (own.next(), own.next()) else { return Vec::new() };
            Some(*own)
        }
    };
    let becomes = |came: &Packet, went: &Packet| (went != came).then_some(*went);
    let begin = Crossing::plain(first, sender, journey.hops.first().map(|hop| hop.receiver));
    let mut crossings = vec![Crossing { becomes: becomes(&journey.packet, &journey.went), ..begin }];
    for (index, hop) in journey.hops.iter().enumerate() {
        let Some(sends) = hop.sends else { continue };
        let Some(segment) = segment_of(sends) else { return Vec::new() };
        let next = journey.hops.get(index + 1).map(|hop| hop.receiver);
        if next.is_some_and(|receiver| segment_of(receiver) != Some(segment)) {
            return Vec::new();
        }
        let becomes = becomes(&hop.came, &hop.went);
        crossings.push(Crossing { becomes, ..Crossing::plain(segment, Some(sends), next) });
    }
    crossings
}
