//! The engine beside the naive interpreter, on random networks.
mod support;

use isoaudit::engine::{self, Compiled, Cut, Limits, Places, Query, RuleRef};
use isoaudit::claim::Door;
use isoaudit::header::Packet;
use isoaudit::model::{Network, NodeId, Reading};
use isoaudit::replay::{Foothold, Place, Question, Reached, Stance};
use support::compare::{differences, MAX_UNIVERSE, places};
use support::random::case;
use support::universe::universe;

fn stand(network: &Network, footholds: &[Foothold]) -> (Places, Vec<NodeId>) {
    let mut places = Places::none(network.nodes.len(), network.segments.len());
    let mut honest = Vec::new();
    for foothold in footholds {
        match (foothold.place, foothold.stance) {
            (Place::Segment(id), _) => places.segments[id.index()] = true,
            (Place::Node(id), Stance::Adversary) => places.nodes[id.index()] = true,
            (Place::Node(id), Stance::Honest) => honest.push(id),
        }
    }
    (places, honest)
}

fn engine(network: &Network, reading: Reading, question: &Question, packets: &[Packet]) -> Reached {
    let (footholds, honest) = stand(network, &question.footholds);
    let (accomplices, talkers) = stand(network, &question.openers);
    let mut cut = Cut::default();
    for door in &question.cut {
        match door {
            Door::Interface(id) => cut.interfaces.push(*id),
            Door::Rule { filter, chain, rule } => cut.rules.push(RuleRef { filter: *filter, chain: *chain, rule: *rule }),
        }
    }
    let mut forged = vec![false; network.segments.len()];
    for id in &question.adversary_segments { forged[id.index()] = true; }
    let query = Query {
        reading, footholds, honest, talkers, accomplices, forged,
        destinations: question.destinations.clone(), services: question.services.clone(),
        own_sources: false,
        targets: Places::none(network.nodes.len(), network.segments.len()),
        free: Vec::new(), cut,
    };
    let compiled = Compiled::new(network);
    let found = engine::explore(&compiled, &query, Limits::default()).expect("no limit");
    let mut reached = Reached::default();
    for place in places(network) {
        let at = match place { Place::Segment(id) => engine::Place::Segment(id), Place::Node(id) => engine::Place::Node(id) };
        for packet in packets {
            if found.contains(at, packet) {
                match place {
                    Place::Segment(id) => { reached.on_segment.entry(id).or_default().insert(*packet); }
                    Place::Node(id) => { reached.delivered.entry(id).or_default().insert(*packet); }
                }
            }
        }
    }
    for (id, _) in network.nodes_by_id() {
        for packet in packets { if found.opened(id, packet) { reached.opened.entry(id).or_default().insert(*packet); } }
    }
    reached
}

#[test]
fn engine_agrees() {
    let from: u64 = std::env::var("FROM").ok().and_then(|t| t.parse().ok()).unwrap_or(0);
    let count: u64 = std::env::var("ISOAUDIT_ORACLE_NETWORKS").ok().and_then(|t| t.parse().ok()).unwrap_or(100);
    let mut bad = 0;
    for seed in from..from + count {
        let case = case(seed);
        if universe(&case.network, &case.question).len() > MAX_UNIVERSE { continue; }
        let found = differences(&case, &engine);
        if !found.is_empty() { bad += 1; eprintln!("{seed}: {} differences", found.len()); for d in found.iter().take(3) { eprintln!("   {:?} {} naive={} {}", d.reading, d.what, d.naive_says, d.packet); } }
    }
    assert_eq!(bad, 0);
}
