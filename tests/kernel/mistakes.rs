//! A comparison that cannot fail shows nothing: each of these mistakes in the model is noticed.

use super::bench::{Bench, From};
use super::beside::{Probe, Sets, beside_engine, beside_interpreter, observe, walked};
use super::described::{Described, describe, folder};
use super::guard::isolated;
use super::marked::marked;
use super::order::ordered;
use super::probes::Asker;
use super::random::network;
use super::rules::Coverage;
use super::spec::Spec;
use super::talk::{Sent, talk};
use ipnet::IpNet;
use isoaudit::engine::Compiled;
use isoaudit::header::AddressRange;
use isoaudit::model::{
    Action, Antispoof, Assumption, Fact, Match, Network, NewAddress, RouteAction, Rule, Test, Translation,
};
use isoaudit::source::{SourceId, Span, Spanned};
use std::collections::BTreeMap;

/// A network with what the kernel did there.
struct Recorded {
    spec: Spec,
    described: Described,
    /// Packets in order, each list from the beginning.
    sent: Vec<Vec<Sent>>,
}

/// A network by chance.
fn record(seed: u64) -> Recorded {
    let spec = network(seed, &mut Coverage::new());
    let mut asker = Asker::new(&spec, seed);
    let singles = (0..150).map(|_| asker.single()).collect();
    let mut bench = Bench::build(&spec).unwrap();
    let mut recorded = send_each(&spec, &mut bench, &format!("mistakes-{seed}"), singles);
    let hosts = (0..spec.nodes.len()).filter(|node| spec.nodes[*node].is_host);
    hosts.for_each(|node| bench.mute(node).unwrap());
    for _ in 0..15 {
        recorded.sent.push(talk(&mut asker, &mut bench));
        forget(&spec, &mut bench);
    }
    recorded
}

fn record_made(name: &str, (spec, probes): (Spec, Vec<Probe>)) -> Recorded {
    let mut bench = Bench::build(&spec).unwrap();
    send_each(&spec, &mut bench, &format!("mistakes-{name}"), probes)
}

/// Sends each packet by itself.
fn send_each(spec: &Spec, bench: &mut Bench, name: &str, probes: Vec<Probe>) -> Recorded {
    let described = describe(spec, bench, folder(name)).unwrap();
    let mut sent = Vec::new();
    for probe in probes {
        let seen = observe(bench, &probe);
        sent.push(vec![(probe, seen)]);
        forget(spec, bench);
    }
    Recorded { spec: spec.clone(), described, sent }
}

fn forget(spec: &Spec, bench: &mut Bench) {
    (0..spec.nodes.len()).for_each(|node| bench.forget(node).unwrap());
}

/// What a model with other facts says of what the kernel did.
fn difference(recorded: &Recorded, described: &Described) -> Option<String> {
    let Recorded { spec, sent, .. } = recorded;
    let compiled = Compiled::new(&described.network);
    let mut sets: BTreeMap<usize, Sets<'_>> = BTreeMap::new();
    for list in sent {
        for ((probe, seen), walked) in list.iter().zip(walked(spec, described, list)) {
            if let Err(what) = beside_interpreter(probe, seen, &walked) {
                return Some(what);
            }
            let (From::Line { link, .. }, [_]) = (probe.from, list.as_slice()) else { continue };
            // The engine takes its time where something translates, and says there what the interpreter says.
            if spec.translates() {
                continue;
            }
            let sets = sets.entry(link).or_insert_with(|| Sets::new(described, &compiled, link));
            if let Err(what) = beside_engine(spec, described, sets, probe, seen, &walked) {
                return Some(what);
            }
        }
    }
    None
}

fn rules(network: &mut Network) -> impl Iterator<Item = &mut Rule> {
    network.filters.iter_mut().flat_map(|filter| &mut filter.chains).flat_map(|chain| &mut chain.rules)
}

fn matches(network: &mut Network) -> impl Iterator<Item = &mut Match> {
    rules(network).flat_map(|rule| &mut rule.matches)
}

fn assume(network: &mut Network, assumption: Assumption) {
    let nowhere = Span::new(SourceId(0), 0, 0);
    network.assumptions.insert(assumption, Spanned::new("by mistake".to_owned(), nowhere));
}

/// One address less at the end of a range.
fn shorter(range: &mut AddressRange) {
    let number = isoaudit::header::address_number(range.high);
    let low = isoaudit::header::address_number(range.low);
    range.high = isoaudit::header::address_from_number(range.family(), number.saturating_sub(1).max(low));
}

fn translations(network: &mut Network) -> impl Iterator<Item = &mut Translation> {
    network.filters.iter_mut().flat_map(|filter| &mut filter.translations)
}

/// Lets every `MASQUERADE` and `REDIRECT` of a node take the address of its first interface.
fn lend_the_first(network: &mut Network) {
    for node in &network.nodes {
        let first = node.interfaces.first().map(|id| &network.interfaces[id.index()].addresses);
        let filters: Vec<usize> = node.translating.all().map(|hook| hook.filter.index()).collect();
        for filter in filters {
            for translation in &mut network.filters[filter].translations {
                let address = first.and_then(|all| all.first()).map(|one| one.net.addr());
                if let (NewAddress::Interface, Some(address)) = (translation.to, address) {
                    translation.to = NewAddress::Range(AddressRange::single(address));
                }
            }
        }
    }
}

type Mistake = fn(&mut Network);

const MISTAKES: &[(&str, Mistake)] = &[
    ("a rule that is forgotten", |network| {
        let chains = network.filters.iter_mut().flat_map(|filter| &mut filter.chains);
        chains.for_each(|chain| drop(chain.rules.pop()));
    }),
    ("the order of rules", |network| {
        let chains = network.filters.iter_mut().flat_map(|filter| &mut filter.chains);
        chains.for_each(|chain| chain.rules.reverse());
    }),
    ("a negation", |network| matches(network).for_each(|one| one.negated = false)),
    ("the end of a range of addresses", |network| {
        matches(network).for_each(|one| match &mut one.test {
            Test::Source(ranges) | Test::Destination(ranges) => ranges.iter_mut().for_each(shorter),
            _ => {}
        });
    }),
    ("the end of a range of ports", |network| {
        matches(network).for_each(|one| match &mut one.test {
            Test::SourcePort(ranges) | Test::DestinationPort(ranges) => {
                ranges.iter_mut().for_each(|(low, high)| *high = high.saturating_sub(1).max(*low));
            }
            _ => {}
        });
    }),
    ("a bit of a prefix of routes", |network| {
        let routes =
            network.nodes.iter_mut().flat_map(|node| &mut node.tables).flat_map(|table| &mut table.routes);
        for route in routes.filter(|route| route.prefix.prefix_len() > 0) {
            let shorter = ipnet::IpNet::new(route.prefix.addr(), route.prefix.prefix_len() - 1).unwrap();
            route.prefix = shorter.trunc();
        }
    }),
    ("a blackhole that answers nobody and is passed over", |network| {
        let tables = network.nodes.iter_mut().flat_map(|node| &mut node.tables);
        tables.for_each(|table| table.routes.retain(|route| route.action != RouteAction::Blackhole));
    }),
    ("that a table without a route falls through", |network| {
        let rules = network.nodes.iter_mut().flat_map(|node| &mut node.lookup);
        rules.for_each(|rule| rule.falls_through = Fact::No);
    }),
    ("rules of routing", |network| {
        let nodes = network.nodes.iter_mut();
        nodes.for_each(|node| node.lookup.retain(|rule| rule.incoming.is_none() && rule.from.is_none()));
    }),
    ("the mask of a mark", |network| {
        matches(network).for_each(|one| {
            if let Test::Mark { mask, .. } = &mut one.test {
                *mask = u32::MAX;
            }
        });
        let tests =
            network.nodes.iter_mut().flat_map(|node| &mut node.lookup).filter_map(|rule| rule.mark.as_mut());
        tests.for_each(|test| test.mask = u32::MAX);
    }),
    ("the bits of a mark that are kept", |network| {
        rules(network).for_each(|rule| {
            if let Action::Mark(change) = &mut rule.action {
                change.packet = 0;
            }
        });
    }),
    ("the marks that choose tables", |network| {
        let nodes = network.nodes.iter_mut();
        nodes.for_each(|node| node.lookup.retain(|rule| rule.mark.is_none()));
    }),
    ("that own packets are routed again by their marks", |network| {
        network.nodes.iter_mut().for_each(|node| node.rerouting.clear());
    }),
    ("the check of sources", |network| {
        network.interfaces.iter_mut().for_each(|interface| interface.antispoof = [Antispoof::Off; 2]);
    }),
    ("a check of sources that is not there", |network| {
        network.interfaces.iter_mut().for_each(|interface| interface.antispoof = [Antispoof::Strict; 2]);
    }),
    ("a source that is translated", |network| {
        network.nodes.iter_mut().for_each(|node| node.translating.postrouting.clear());
    }),
    ("a destination that is translated", |network| {
        network.nodes.iter_mut().for_each(|node| node.translating.prerouting.clear());
    }),
    ("what is translated before it is delivered", |network| {
        network.nodes.iter_mut().for_each(|node| node.translating.input.clear());
    }),
    ("that own packets are translated", |network| {
        network.nodes.iter_mut().for_each(|node| node.translating.output.clear());
    }),
    ("that filters see the first way of own packets", |network| {
        for node in network.nodes.iter_mut().filter(|node| !node.translating.output.is_empty()) {
            let own = std::mem::take(&mut node.output);
            node.late_output.splice(0..0, own);
        }
    }),
    ("that mangle sees own packets untranslated", |network| {
        for node in &mut network.nodes {
            let early = std::mem::take(&mut node.early_output);
            node.output.splice(0..0, early);
        }
    }),
    ("a bit of a prefix that is put in place of another", |network| {
        translations(network).for_each(|one| {
            if let NewAddress::Prefix(net) = one.to {
                one.to = NewAddress::Prefix(IpNet::new(net.addr(), net.prefix_len() + 1).unwrap_or(net));
            }
        });
    }),
    ("the bits of a host behind a prefix", |network| {
        translations(network).for_each(|one| {
            if let NewAddress::Prefix(net) = one.to {
                one.to = NewAddress::Range(AddressRange::single(net.network()));
            }
        });
    }),
    ("the end of a pool", |network| {
        translations(network).for_each(|one| {
            if let NewAddress::Range(range) = &mut one.to {
                shorter(range);
            }
        });
    }),
    ("the end of the ports of a translation", |network| {
        let ports = translations(network).filter_map(|one| one.ports.as_mut());
        ports.for_each(|(low, high)| {
            *high = high.saturating_sub(1);
            *low = *high.min(low);
        });
    }),
    ("that a translation changes ports", |network| translations(network).for_each(|one| one.ports = None)),
    ("whether a connection is translated", |network| {
        for one in matches(network) {
            one.negated ^= matches!(one.test, Test::Translated(_));
        }
    }),
    ("whose address is borrowed", lend_the_first),
    ("that mangle comes before nat", |network| {
        for node in &mut network.nodes {
            let early = std::mem::take(&mut node.prerouting);
            node.forward.splice(0..0, early.iter().copied());
            node.input.splice(0..0, early);
        }
    }),
    ("that filters see the old source", |network| {
        for node in network.nodes.iter_mut().filter(|node| !node.translating.postrouting.is_empty()) {
            for id in &node.interfaces {
                network.interfaces[id.index()].egress.extend(&node.forward);
            }
            node.forward.clear();
        }
    }),
    ("connections", |network| network.filters.iter_mut().for_each(|filter| filter.tracks = false)),
    ("reflection", |network| assume(network, Assumption::NoReflection)),
    ("that later fragments have no ports", |network| assume(network, Assumption::Reassembled)),
    ("which device an address is", |network| {
        for interface in &mut network.interfaces {
            interface.addresses.pop();
        }
    }),
];

#[test]
fn each_seeded_mistake_is_noticed() {
    isolated("mistakes::each_seeded_mistake_is_noticed", || {
        // Networks that show several of them each; which do hangs on the generator.
        let telling = [1, 3, 6, 9, 10, 11, 22, 28, 42];
        let mut hidden: Vec<_> = MISTAKES.iter().collect();
        let made = [("order", ordered as fn() -> _), ("marked", marked)];
        let made = made.into_iter().map(|(name, make)| (0, record_made(name, make())));
        let by_chance = telling.iter().copied().chain(1..=60).map(|seed| (seed, record(seed)));
        for (seed, recorded) in made.chain(by_chance) {
            assert_eq!(difference(&recorded, &recorded.described), None, "seed {seed}");
            hidden.retain(|(name, mistake)| {
                let mut wrong = recorded.described.clone();
                mistake(&mut wrong.network);
                let found = difference(&recorded, &wrong);
                if let Some(what) = &found {
                    println!("{name}: seed {seed}, {}", what.lines().next().unwrap_or_default());
                }
                found.is_none()
            });
            if hidden.is_empty() {
                return;
            }
        }
        let names: Vec<&str> = hidden.iter().map(|(name, _)| *name).collect();
        panic!("no network shows: {names:?}");
    });
}
