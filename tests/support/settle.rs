//! Settling what is not known: one of the networks that a description with unknowns may be of.

use super::random::{Case, Chance};
use isoaudit::model::{Action, Antispoof, Assumption, Fact, Kind, Match, Node, Test};

/// The same case with every fact, match, target and route settled one way or the other. Whether things are there at all
/// stays open: what may be there is havoc on *may*, which no settled network contains.
pub(crate) fn settle(case: &Case, seed: u64) -> Case {
    let mut chance = Chance::new(seed);
    let mut settled = case.clone();
    // Under this assumption a node of which nobody says that it forwards does not.
    let may_forward = !settled.network.assumes(Assumption::NoHiddenForwarding);
    for node in &mut settled.network.nodes {
        settle_node(node, may_forward, &mut chance);
    }
    for interface in &mut settled.network.interfaces {
        interface.ipv6 = fact(interface.ipv6, &mut chance);
        for antispoof in &mut interface.antispoof {
            if matches!(antispoof, Antispoof::Undeclared(_)) {
                *antispoof = chance.pick(&[Antispoof::Strict, Antispoof::Loose, Antispoof::Off]);
            }
        }
    }
    for rule in settled.network.filters.iter_mut().flat_map(|f| &mut f.chains).flat_map(|c| &mut c.rules) {
        rule.matches.iter_mut().for_each(|one| settle_match(one, &mut chance));
        if matches!(rule.action, Action::Unknown(_)) {
            rule.action = chance.pick(&[Action::Accept, Action::Drop, Action::Continue]);
        }
    }
    settled
}

fn settle_node(node: &mut Node, may_forward: bool, chance: &mut Chance) {
    node.forwarding = node.forwarding.map(|old| match old {
        Fact::Unknown(_) if !may_forward => Fact::No,
        _ => fact(old, chance),
    });
    node.source_routing = fact(node.source_routing, chance);
    node.multicast_forwarding = fact(node.multicast_forwarding, chance);
    node.dynamic_routes = None;
    if matches!(node.kind, Kind::Unknown(_)) {
        node.kind = Kind::Linux;
    }
    node.lookup.retain(|rule| rule.unknown.is_none() || chance.percent(50));
    for rule in &mut node.lookup {
        rule.unknown = None;
        rule.bound = None;
        rule.falls_through = fact(rule.falls_through, chance);
    }
    for table in &mut node.tables {
        table.routes.retain(|route| route.unknown.is_none() || chance.percent(50));
        table.routes.iter_mut().for_each(|route| route.unknown = None);
    }
}

fn settle_match(one: &mut Match, chance: &mut Chance) {
    match &mut one.test {
        // A list of no families matches nothing, and its negation everything.
        Test::Unknown(_) => {
            one.test = Test::Fragment(Vec::new());
            one.negated = chance.percent(50);
        }
        Test::Any(inner) => inner.iter_mut().for_each(|one| settle_match(one, chance)),
        _ => {}
    }
}

fn fact(old: Fact, chance: &mut Chance) -> Fact {
    match old {
        Fact::Yes | Fact::No => old,
        Fact::Unknown(_) => chance.pick(&[Fact::Yes, Fact::No]),
    }
}
