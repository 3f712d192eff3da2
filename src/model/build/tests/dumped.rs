//! What dumps say of interfaces and rules, in place of the description.

use super::describe::*;
use crate::diag::Code;
use crate::model::build::*;
use crate::model::{Fact, Lookup};

/// A sub-interface as a dump shows it.
fn tagged(name: &str, text: &str, parent: &str, tag: u16) -> InterfaceSpec {
    let mut spec = interface(name, text);
    spec.tagged = Some(TaggedSpec { parent: word(parent), tag });
    spec
}

fn router(interfaces: Vec<InterfaceSpec>) -> NodeSpec {
    let mut spec = node("router", "r", &[]);
    spec.interfaces = interfaces;
    spec
}

/// The only error of a router with these interfaces.
fn only_error(interfaces: Vec<InterfaceSpec>) -> (Code, String) {
    let found = wrong(builder(vec![router(interfaces)], &[]));
    assert_eq!(found.len(), 1, "{found:#?}");
    (found[0].code, found[0].message.clone())
}

#[test]
fn a_dump_names_parents_and_tags_freely() {
    let spec = router(vec![interface("eth1", ""), tagged("app", "10.9.0.254/24", "eth1", 110)]);
    let host = node("host", "h", &[("eth0", "10.9.0.1/24")]);
    let switch = node("switch", "s", &[("up", "trunk=app,edge"), ("p", "access=app")]);
    let network = network(builder(vec![spec, host, switch], &["r:eth1 s:up", "s:p h:eth0"]));
    assert_eq!(network.segment_at("r:app"), network.segment_at("h:eth0"));
    assert_ne!(network.segment_at("r:app"), network.segment_at("r:eth1"));
    let vlan = network.segment(network.segment_at("r:app")).vlan.unwrap();
    assert_eq!(network.vlans[vlan.index()].name, "app");
}

#[test]
fn the_description_may_only_confirm_tags() {
    assert_eq!(
        only_error(vec![interface("eth1", ""), tagged("x", "vlan=edge", "eth1", 110)]),
        (Code::Conflict, "`r:x` has the tag 120 here, but 110 in its dump".to_owned())
    );
    assert_eq!(
        only_error(vec![interface("eth1", "trunk=edge"), tagged("x", "", "eth1", 110)]),
        (Code::Conflict, "`r:eth1` does not carry the tag 110, which `r:x` has".to_owned())
    );
    assert_eq!(
        only_error(vec![tagged("x", "", "eth1", 110)]),
        (Code::UnknownName, "`r:x` stands on `eth1`, which is no interface of its node".to_owned())
    );
    let stacked = vec![interface("eth1", ""), tagged("x", "", "eth1", 110), tagged("y", "", "x", 120)];
    assert_eq!(
        only_error(stacked),
        (Code::NotBuilt, "`r:y` stands on `r:x`, which ends no cable of its own".to_owned())
    );
    assert_eq!(
        only_error(vec![interface("eth1", "master=br0")]),
        (Code::UnknownName, "`r:eth1` is a port of `br0`, which is no interface of the node".to_owned())
    );
}

/// A rule that asks for an interface, if one is named.
fn rule(incoming: Option<&str>, action: LookupSpec) -> LookupRuleSpec {
    LookupRuleSpec {
        from: None,
        to: Some("10.0.0.0/8".parse().unwrap()),
        incoming: incoming.map(|name| vec![word(name)]),
        mark: None,
        unknown: None,
        action,
        span: Some(place()),
        falls_through: Fact::Yes,
    }
}

#[test]
fn dumped_rules_replace_derived_ones() {
    let mut spec =
        router(vec![interface("eth0", "192.0.2.1/24"), interface("mgmt0", "172.20.0.1/24 vrf=mgmt")]);
    let mut dumped = route("10.0.0.0/8 192.0.2.9 dev=eth0");
    dumped.table = TableName::Dumped("100".to_owned());
    spec.routes = vec![dumped];
    spec.lookup = Some(vec![
        rule(Some("eth0"), LookupSpec::Table(TableName::Dumped("100".to_owned()))),
        rule(None, LookupSpec::Blackhole),
        rule(None, LookupSpec::Table(TableName::Dumped("main".to_owned()))),
        rule(None, LookupSpec::Table(TableName::Dumped("empty".to_owned()))),
    ]);
    let network = network(builder(vec![spec.clone()], &[]));
    let node = network.node(network.id("r"));
    let tables: Vec<&str> = node.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(tables, ["main", "mgmt", "100", "empty"]);
    let actions: Vec<Lookup> = node.lookup.iter().map(|rule| rule.action).collect();
    assert_eq!(actions, [Lookup::Table(2), Lookup::Blackhole, Lookup::Table(0), Lookup::Table(3)]);
    assert_eq!(node.lookup[0].incoming.as_deref(), Some(&[network.at("r:eth0")][..]));
    assert_eq!(node.lookup[0].bound, None, "no packet of its own comes in on eth0");
    assert_eq!(node.tables[2].routes.len(), 1);

    spec.lookup = Some(vec![rule(Some("mgmt0"), LookupSpec::Table(TableName::Vrf("mgmt".to_owned())))]);
    let network = self::network(builder(vec![spec.clone()], &[]));
    assert!(network.node(network.id("r")).lookup[0].bound.is_some());

    spec.lookup = Some(vec![rule(Some("eth9"), LookupSpec::Unreachable)]);
    let found = wrong(builder(vec![spec], &[]));
    assert_eq!(found[0].message, "`r` has no interface of the name `eth9`");
}
