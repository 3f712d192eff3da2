//! The naive interpreter as an oracle: its laws on random networks, and the harness that holds another interpreter beside it.
//!
//! `ISOAUDIT_ORACLE_NETWORKS` sets how many networks each test looks at, `ISOAUDIT_ORACLE_SEED` where they begin.

mod support;

use isoaudit::model::{Assumption, Network, Reading};
use isoaudit::replay::{Foothold, Origin, Place, Question, Reached, Send, Stance, explore, walk};
use proptest::prelude::*;
use support::compare::{Difference, MAX_UNIVERSE, between, both, differences, naive, places, shrink};
use support::random::{Case, Chance, case};
use support::settle::settle;
use support::universe::universe;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The seeds of a test that by default looks at so many networks. Those whose universe is too large are left out.
fn seeds(default: u64) -> Vec<u64> {
    small_seeds().take(setting("ISOAUDIT_ORACLE_NETWORKS", default) as usize).collect()
}

fn small_seeds() -> impl Iterator<Item = u64> {
    (setting("ISOAUDIT_ORACLE_SEED", 0)..).filter(|seed| {
        let Case { network, question } = case(*seed);
        universe(&network, &question).len() <= MAX_UNIVERSE
    })
}

/// The first packet and place that one result has and the other lacks.
fn missing(network: &Network, less: &Reached, more: &Reached) -> Option<String> {
    for place in places(network) {
        let here = match place {
            Place::Segment(id) => less.on_segment.get(&id),
            Place::Node(id) => less.delivered.get(&id),
        };
        let gone = here.into_iter().flatten().find(|packet| !more.holds(place, packet));
        if let Some(packet) = gone {
            return Some(format!("{packet} at {place:?}"));
        }
    }
    let opened = less.opened.iter().flat_map(|(node, packets)| packets.iter().map(move |p| (node, p)));
    let mut closed = opened.filter(|(node, p)| !more.opened.get(node).is_some_and(|set| set.contains(p)));
    closed.next().map(|(node, packet)| format!("{packet} opened at {node:?}"))
}

#[test]
fn what_is_certain_is_possible() {
    let mut certain = 0;
    for seed in seeds(80) {
        let Case { network, question } = case(seed);
        let packets = universe(&network, &question);
        let [must, may] = [Reading::Must, Reading::May].map(|r| explore(&network, r, &question, &packets));
        assert_eq!(missing(&network, &must, &may), None, "seed {seed}");
        certain += must.on_segment.len() + must.delivered.len();
    }
    assert!(certain > 0, "nothing is certain anywhere: the networks show nothing");
}

/// A description with unknowns is of any of its settled networks: what is certain holds in each, and what happens in any was
/// possible.
#[test]
fn every_settled_network_lies_between_must_and_may() {
    for seed in seeds(60) {
        let open = case(seed);
        let packets = universe(&open.network, &open.question);
        let [must, may] =
            [Reading::Must, Reading::May].map(|r| explore(&open.network, r, &open.question, &packets));
        for variant in 0..2 {
            let settled = settle(&open, seed ^ (variant + 1) << 40);
            let [low, high] = [Reading::Must, Reading::May]
                .map(|r| explore(&settled.network, r, &settled.question, &packets));
            assert_eq!(missing(&open.network, &must, &low), None, "seed {seed} variant {variant}: must");
            assert_eq!(missing(&open.network, &high, &may), None, "seed {seed} variant {variant}: may");
        }
    }
}

#[test]
fn more_senders_reach_more() {
    for seed in seeds(30) {
        let Case { network, question } = case(seed);
        let packets = universe(&network, &question);
        for reading in [Reading::Must, Reading::May] {
            let before = explore(&network, reading, &question, &packets);
            let place = places(&network)[Chance::new(seed).below(places(&network).len())];
            let more = Foothold { place, stance: Stance::Adversary };
            let mut opened = question.clone();
            opened.openers.push(more);
            let with_opener = explore(&network, reading, &opened, &packets);
            assert_eq!(missing(&network, &before, &with_opener), None, "seed {seed}: opener");
            let mut standing = question.clone();
            standing.footholds.push(more);
            let with_foothold = explore(&network, reading, &standing, &packets);
            assert_eq!(missing(&network, &with_opener, &with_foothold), None, "seed {seed}: foothold");
        }
    }
}

#[test]
fn whatever_is_assumed_away_comes_back_without_the_assumption() {
    let freely = [
        Assumption::NoReflection,
        Assumption::StaticNeighbours,
        Assumption::NoSourceRouting,
        Assumption::FixedRoutes,
        Assumption::NoHiddenForwarding,
    ];
    for seed in seeds(40) {
        let Case { network, question } = case(seed);
        let packets = universe(&network, &question);
        let before = explore(&network, Reading::May, &question, &packets);
        let mut freed = network.clone();
        freed.assumptions.retain(|assumption, _| !freely.contains(assumption));
        let after = explore(&freed, Reading::May, &question, &packets);
        assert_eq!(missing(&network, &before, &after), None, "seed {seed}");
    }
}

/// Every send that a foothold can make.
fn sends(question: &Question, packets: &[isoaudit::header::Packet]) -> Vec<Send> {
    let origin = |foothold: &Foothold| match (foothold.place, foothold.stance) {
        (Place::Segment(segment), _) => Origin::Segment(segment),
        (Place::Node(node), Stance::Adversary) => Origin::Node(node),
        (Place::Node(node), Stance::Honest) => Origin::Honest(node),
    };
    let origins = question.footholds.iter().map(origin);
    let all = |origin| packets.iter().map(move |packet| Send { origin, packet: *packet, path: Vec::new() });
    origins.flat_map(all).collect()
}

/// Without connection tables, and for certain, a packet arrives iff one send brings it there.
#[test]
fn walks_and_exploration_agree() {
    let mut compared = 0;
    for seed in seeds(40) {
        let Case { mut network, question } = case(seed);
        network.filters.iter_mut().for_each(|filter| filter.tracks = false);
        let packets = universe(&network, &question);
        let explored = explore(&network, Reading::Must, &question, &packets);
        let mut walked = Reached::default();
        for send in sends(&question, &packets) {
            let packet = send.packet;
            let leg = walk(&network, Reading::Must, &question, &[send]).legs.remove(0);
            for place in leg.arrived.into_iter().filter(|_| leg.counts) {
                match place {
                    Place::Segment(id) => walked.on_segment.entry(id).or_default().insert(packet),
                    Place::Node(id) => walked.delivered.entry(id).or_default().insert(packet),
                };
                compared += 1;
            }
        }
        assert_eq!(missing(&network, &walked, &explored), None, "seed {seed}: explored too little");
        assert_eq!(missing(&network, &explored, &walked), None, "seed {seed}: walked too little");
    }
    assert!(compared > 1000, "only {compared} arrivals were compared");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Schedules never reach what exploration does not: with tables, in both readings.
    #[test]
    fn schedules_stay_within_what_is_explored(seed in any::<u64>(), picks in prop::collection::vec(any::<u32>(), 1..4)) {
        let Case { network, question } = case(seed);
        let packets = universe(&network, &question);
        prop_assume!(packets.len() <= MAX_UNIVERSE && !packets.is_empty() && !question.footholds.is_empty());
        let all = sends(&question, &packets);
        let schedule: Vec<Send> = picks.iter().map(|pick| all[*pick as usize % all.len()].clone()).collect();
        for reading in [Reading::Must, Reading::May] {
            let explored = explore(&network, reading, &question, &packets);
            for leg in walk(&network, reading, &question, &schedule).legs {
                for place in leg.arrived.iter().filter(|_| leg.counts) {
                    prop_assert!(explored.holds(*place, &leg.send.packet), "{} at {place:?}", leg.send.packet);
                }
            }
        }
    }
}

/// Describes a difference in a case made as small as it gets.
fn report(seed: u64, other: &impl support::compare::Interpreter) -> Option<String> {
    let found: Vec<Difference> = differences(&case(seed), other);
    let first = found.first()?;
    let small = shrink(case(seed), |smaller| !differences(smaller, other).is_empty());
    let left = differences(&small, other);
    Some(format!("seed {seed}: {first:?}\nshrunk: {:#?}\n{left:#?}", small))
}

#[test]
fn the_harness_finds_no_difference_between_the_interpreter_and_itself() {
    for seed in seeds(10) {
        assert_eq!(report(seed, &naive), None);
    }
}

/// A harness that finds nothing is worth nothing: each of these mistakes must be found in some network.
#[test]
fn the_harness_finds_seeded_mistakes() {
    type Mistake = fn(&mut Network, &mut Question);
    let mistakes: &[(&str, Mistake)] = &[
        ("forgets the last rule of each chain", |network, _| {
            network.filters.iter_mut().flat_map(|f| &mut f.chains).for_each(|chain| drop(chain.rules.pop()));
        }),
        ("does not track", |network, _| network.filters.iter_mut().for_each(|filter| filter.tracks = false)),
        ("takes one next hop of several", |network, _| {
            for route in network.nodes.iter_mut().flat_map(|n| &mut n.tables).flat_map(|t| &mut t.routes) {
                if let isoaudit::model::RouteAction::Send(hops) = &mut route.action {
                    hops.truncate(1);
                }
            }
        }),
        ("forgets negations", |network, _| {
            let rules = network.filters.iter_mut().flat_map(|f| &mut f.chains).flat_map(|c| &mut c.rules);
            rules.flat_map(|rule| &mut rule.matches).for_each(|one| one.negated = false);
        }),
        ("never falls through", |network, _| {
            let rules = network.nodes.iter_mut().flat_map(|node| &mut node.lookup);
            rules.for_each(|rule| rule.falls_through = isoaudit::model::Fact::No);
        }),
        ("checks no sources", |network, _| {
            let interfaces = network.interfaces.iter_mut();
            interfaces.for_each(|i| i.antispoof = [isoaudit::model::Antispoof::Off; 2]);
        }),
        ("forgets joins", |network, _| network.segments.iter_mut().for_each(|s| s.joins.clear())),
        ("lets nobody else open", |_, question| question.openers.clear()),
        ("forges no neighbours", |_, question| question.adversary_segments.clear()),
    ];
    let mut hidden: Vec<_> = mistakes.iter().collect();
    for seed in small_seeds().take(1500) {
        let case = case(seed);
        let packets = universe(&case.network, &case.question);
        let ours = both(&case, &packets, &naive);
        hidden.retain(|(_, mistake)| {
            let mistaken = |network: &Network, reading: Reading, question: &Question, packets: &[_]| {
                let (mut network, mut question) = (network.clone(), question.clone());
                mistake(&mut network, &mut question);
                explore(&network, reading, &question, packets)
            };
            between(&case.network, &packets, &ours, &both(&case, &packets, &mistaken)).is_empty()
        });
        if hidden.is_empty() {
            return;
        }
    }
    let names: Vec<&str> = hidden.iter().map(|(name, _)| *name).collect();
    panic!("no network shows an interpreter that {names:?}");
}

/// What the builder makes of a random description, as against what tests put together by hand.
fn built(seed: u64) -> Result<Case, String> {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle");
    support::text::case(seed, &directory)
}

#[test]
fn descriptions_obey_the_same_laws() {
    let wanted = setting("ISOAUDIT_ORACLE_NETWORKS", 40);
    let (mut looked_at, mut refused) = (0, 0);
    for seed in 0..200 * wanted {
        // Chance also writes what the builder refuses, such as a next hop on no network of the node.
        let Ok(open) = built(seed) else {
            refused += 1;
            continue;
        };
        let packets = universe(&open.network, &open.question);
        if packets.len() > MAX_UNIVERSE {
            continue;
        }
        let [must, may] = both(&open, &packets, &naive);
        assert_eq!(missing(&open.network, &must, &may), None, "seed {seed}");
        let [low, high] = both(&settle(&open, seed), &packets, &naive);
        assert_eq!(missing(&open.network, &must, &low), None, "seed {seed}: must");
        assert_eq!(missing(&open.network, &high, &may), None, "seed {seed}: may");
        looked_at += 1;
        if looked_at == wanted {
            return;
        }
    }
    panic!("only {looked_at} networks were read and small enough, and {refused} refused");
}
