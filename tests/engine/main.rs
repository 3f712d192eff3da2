//! The engine beside the naive interpreter, on random networks: what is put on segments, delivered to nodes and opened
//! there must be the same, packet by packet, by both readings.
//!
//! `ISOAUDIT_ORACLE_NETWORKS` sets how many networks are looked at, `ISOAUDIT_ORACLE_SEED` where they begin.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "with --nocapture a test says how much it has compared")]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod coarse;
mod connections;
mod tiny;
mod witnesses;

use isoaudit::claim::Door;
use isoaudit::engine::{self, Compiled, Cut, Limits, Places, Query, RuleRef};
use isoaudit::header::Packet;
use isoaudit::model::{Network, NodeId, Reading, SegmentId};
use isoaudit::replay::{Foothold, Place, Question, Reached, Stance};
use support::compare::{MAX_UNIVERSE, between, both, differences, naive, places, shrink};
use support::random::{Case, case};
use support::row::{between_nodes, row};
use support::translating::translating_case;
use support::universe::universe;

/// What the engine says of a question, as the interpreter says it.
fn engine(network: &Network, reading: Reading, question: &Question, packets: &[Packet]) -> Reached {
    let compiled = Compiled::new(network);
    explored(network, &compiled, &query(network, reading, question), packets)
}

/// The places of adversaries, and of honest senders, among footholds.
fn stand(network: &Network, footholds: &[Foothold]) -> (Places, Vec<Place>) {
    let mut places = Places::none(network.nodes.len(), network.segments.len());
    let mut honest = Vec::new();
    for foothold in footholds {
        match (foothold.place, foothold.stance) {
            (Place::Segment(id), Stance::Adversary) => places.segments[id.index()] = true,
            (Place::Node(id), Stance::Adversary) => places.nodes[id.index()] = true,
            (place, Stance::Honest) => honest.push(place),
        }
    }
    (places, honest)
}

fn nodes(places: &[Place]) -> Vec<NodeId> {
    places.iter().filter_map(|place| if let Place::Node(id) = place { Some(*id) } else { None }).collect()
}

fn segments(places: &[Place]) -> Vec<SegmentId> {
    places.iter().filter_map(|place| if let Place::Segment(id) = place { Some(*id) } else { None }).collect()
}

/// The question as the engine is asked it.
fn query(network: &Network, reading: Reading, question: &Question) -> Query {
    let (footholds, honest) = stand(network, &question.footholds);
    let (accomplices, talkers) = stand(network, &question.openers);
    let mut cut = Cut::default();
    for door in &question.cut {
        match door {
            Door::Interface(id) => cut.interfaces.push(*id),
            Door::Rule { filter, chain, rule } => {
                cut.rules.push(RuleRef { filter: *filter, chain: *chain, rule: *rule })
            }
        }
    }
    let mut forged = vec![false; network.segments.len()];
    for id in &question.adversary_segments {
        forged[id.index()] = true;
    }
    Query {
        reading,
        footholds,
        honest: nodes(&honest),
        honest_segments: segments(&honest),
        talkers: nodes(&talkers),
        accomplices,
        forged,
        destinations: question.destinations.clone(),
        services: question.services.clone(),
        own_sources: false,
        targets: Places::none(network.nodes.len(), network.segments.len()),
        free: Vec::new(),
        cut,
    }
}

/// Where packets of a universe arrive by a query.
fn explored(network: &Network, compiled: &Compiled<'_>, query: &Query, packets: &[Packet]) -> Reached {
    let found = engine::explore(compiled, query, Limits::default()).expect("no limit");
    let mut reached = Reached::default();
    for place in places(network) {
        let at = match place {
            Place::Segment(id) => engine::Place::Segment(id),
            Place::Node(id) => engine::Place::Node(id),
        };
        for packet in packets {
            if found.contains(at, packet) {
                match place {
                    Place::Segment(id) => {
                        reached.on_segment.entry(id).or_default().insert(*packet);
                    }
                    Place::Node(id) => {
                        reached.delivered.entry(id).or_default().insert(*packet);
                    }
                }
            }
        }
    }
    for (id, _) in network.nodes_by_id() {
        for packet in packets {
            if found.opened(id, packet) {
                reached.opened.entry(id).or_default().insert(*packet);
            }
        }
    }
    reached
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The small cases that a test looks at, with their seeds.
fn cases(default: u64) -> impl Iterator<Item = (u64, Case)> {
    let all = (setting("ISOAUDIT_ORACLE_SEED", 0)..).map(|seed| (seed, case(seed)));
    let small = all.filter(|(_, case)| universe(&case.network, &case.question).len() <= MAX_UNIVERSE);
    small.take(setting("ISOAUDIT_ORACLE_NETWORKS", default) as usize)
}

/// Routers in a row, with their seeds.
fn rows(default: u64) -> impl Iterator<Item = (u64, Case)> {
    let seeds = setting("ISOAUDIT_ORACLE_SEED", 0)..;
    let all = seeds.map(|seed| (seed, row(seed)));
    all.take(setting("ISOAUDIT_ORACLE_NETWORKS", default) as usize)
}

#[test]
fn the_engine_and_the_interpreter_agree_about_routers_in_a_row() {
    for (seed, case) in rows(60) {
        let packets = between_nodes(&case.network, universe(&case.network, &case.question));
        let [ours, theirs] = [both(&case, &packets, &naive), both(&case, &packets, &engine)];
        let found = between(&case.network, &packets, &ours, &theirs);
        assert!(found.is_empty(), "seed {seed}: {:?}\n{case:#?}", found[0]);
    }
}

#[test]
fn the_engine_and_the_interpreter_agree() {
    let mut compared = 0;
    for (seed, case) in cases(100) {
        compared += universe(&case.network, &case.question).len();
        let found = differences(&case, &engine);
        if let Some(first) = found.first() {
            println!("seed {seed}: {first:?}");
            let small = shrink(case.clone(), |smaller| !differences(smaller, &engine).is_empty());
            let left = differences(&small, &engine);
            panic!("seed {seed}: {first:?}\nshrunk: {small:#?}\nthere: {left:?}");
        }
    }
    assert!(compared > 0, "no packet was compared");
    println!("{compared} packets");
}

/// Cases with nodes that translate, with their seeds.
fn translating_cases(default: u64) -> impl Iterator<Item = (u64, Case)> {
    let all = (setting("ISOAUDIT_ORACLE_SEED", 0)..).map(|seed| (seed, translating_case(seed)));
    let small = all.filter(|(_, case)| {
        case.network.translates() && universe(&case.network, &case.question).len() <= MAX_UNIVERSE
    });
    small.take(setting("ISOAUDIT_ORACLE_NETWORKS", default) as usize)
}

#[test]
fn the_engine_and_the_interpreter_agree_about_translations() {
    let mut compared = 0;
    for (seed, case) in translating_cases(60) {
        compared += universe(&case.network, &case.question).len();
        let found = differences(&case, &engine);
        if let Some(first) = found.first() {
            println!("seed {seed}: {first:?}");
            let small = shrink(case.clone(), |smaller| !differences(smaller, &engine).is_empty());
            let left = differences(&small, &engine);
            panic!("seed {seed}: {first:?}\nshrunk: {small:#?}\nthere: {left:?}");
        }
    }
    assert!(compared > 0, "no packet was compared");
    println!("{compared} packets");
}

#[test]
fn many_sources_on_one_layer_of_sets_arrive_where_each_arrives_alone() {
    let mut arrived = 0;
    for (seed, case) in cases(60) {
        let compiled = Compiled::new(&case.network);
        let mut queries = Vec::new();
        for reading in [Reading::May, Reading::Must, Reading::May] {
            let mut whole = query(&case.network, reading, &case.question);
            whole.targets.nodes.fill(true);
            whole.targets.segments.fill(true);
            // One foothold after the other, then all, so that the layer has seen other sets and other cuts.
            for foothold in whole.footholds.iter().collect::<Vec<_>>() {
                let mut one = whole.clone();
                one.footholds = Places::none(case.network.nodes.len(), case.network.segments.len());
                match foothold {
                    engine::Place::Node(id) => one.footholds.nodes[id.index()] = true,
                    engine::Place::Segment(id) => one.footholds.segments[id.index()] = true,
                }
                one.cut = Cut::default();
                queries.push(one);
            }
            queries.push(whole);
        }
        let together = engine::arrivals(&compiled, &queries, Limits::default());
        for (query, found) in queries.iter().zip(together) {
            let alone = engine::solve(&compiled, query, Limits::default()).reached;
            assert_eq!(found.expect("no limit"), alone, "seed {seed}: {query:?}");
            arrived += alone.len();
        }
    }
    assert!(arrived > 0, "nothing arrived anywhere");
}

/// A comparison that cannot fail shows nothing: an engine that is given a changed network is caught.
fn is_caught(mistake: fn(&mut Network, &mut Question)) -> bool {
    let wrong = |network: &Network, reading: Reading, question: &Question, packets: &[Packet]| {
        let (mut network, mut question) = (network.clone(), question.clone());
        mistake(&mut network, &mut question);
        engine(&network, reading, &question, packets)
    };
    // A difference that is there without the mistake as well does not catch it.
    let shows = |case: &Case| !differences(case, &wrong).is_empty() && differences(case, &engine).is_empty();
    cases(400).any(|(_, case)| shows(&case))
}

#[test]
fn a_filter_that_is_forgotten_is_caught() {
    assert!(is_caught(|network, _| network.nodes.iter_mut().for_each(|node| node.forward.clear())));
}

#[test]
fn a_tracker_that_is_forgotten_is_caught() {
    assert!(is_caught(|network, _| network.filters.iter_mut().for_each(|filter| filter.tracks = false)));
}

#[test]
fn an_opener_that_is_forgotten_is_caught() {
    assert!(is_caught(|_, question| question.openers.clear()));
}

#[test]
fn a_route_that_is_forgotten_is_caught() {
    assert!(is_caught(|network, _| {
        network.nodes.iter_mut().flat_map(|node| &mut node.tables).for_each(|table| {
            table.routes.pop();
        });
    }));
}

#[test]
fn a_door_that_is_left_open_is_caught() {
    assert!(is_caught(|_, question| question.cut.clear()));
}
