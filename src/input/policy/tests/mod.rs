//! Tests of the whole folder: what policies mean, and what is said about broken ones.

mod broken;
mod layout;
mod semantics;

use super::*;
use crate::diag::Diagnostics;
use crate::header::AddressRange;
use crate::model::{Action, Filter, State, Test, Unknown, UnknownId, VrfId, ZoneId};
use crate::source::SourceId;

/// A description that knows a few names.
#[derive(Default)]
pub(super) struct World {
    pub(super) unknowns: Vec<Unknown>,
}

const ZONES: [&str; 4] = ["app", "edge", "wan", "oob"];
const INTERFACES: [&str; 3] = ["eth0", "eth1", "eth1.120"];

impl Names for World {
    fn zone(&self, name: &str) -> Option<ZoneId> {
        ZONES.iter().position(|zone| *zone == name).map(ZoneId::at)
    }

    fn zone_names(&self) -> Vec<&str> {
        ZONES.to_vec()
    }

    fn vrf(&self, name: &str) -> Option<VrfId> {
        (name == "mgmt").then_some(VrfId(0))
    }

    fn vrf_names(&self) -> Vec<&str> {
        vec!["mgmt"]
    }

    fn has_interface(&self, _: &str, name: &str) -> bool {
        INTERFACES.contains(&name)
    }

    fn interface_names(&self, _: &str) -> Vec<&str> {
        INTERFACES.to_vec()
    }

    fn labelled(&self, key: &str, value: &str) -> Option<Vec<AddressRange>> {
        let known = key == "pci" && (value == "cde" || value == "dumped");
        known.then(|| vec![range("10.1.0.20"), range("10.1.0.21")])
    }

    fn label_is_open(&self, _: &str, value: &str) -> bool {
        value == "dumped"
    }

    fn label_names(&self) -> Vec<String> {
        vec!["pci=cde".to_owned()]
    }

    fn unknown(&mut self, unknown: Unknown) -> UnknownId {
        self.unknowns.push(unknown);
        UnknownId::at(self.unknowns.len() - 1)
    }
}

/// An address or a prefix as a range.
pub(super) fn range(text: &str) -> AddressRange {
    match text.parse() {
        Ok(address) => AddressRange::single(address),
        Err(_) => AddressRange::prefix(text.parse().unwrap()),
    }
}

/// Reads a file and lowers all of it.
pub(super) fn lower_all(text: &str, as_of: Option<Date>) -> (Vec<Lowered>, World, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let file = parse(text, SourceId(0), &mut diagnostics);
    let mut world = World::default();
    let mut lowerer = Lowerer::new(&file, &mut world, as_of, &mut diagnostics);
    let mut lowered = Vec::new();
    for policy in file.policies() {
        lowered.extend(lowerer.policy(policy.name.value, &mut diagnostics));
    }
    for nat in file.nats() {
        lowerer.translations(nat.name.value, &mut diagnostics);
    }
    (lowered, world, diagnostics)
}

/// The filter of the only policy of a text without errors.
fn filter(text: &str) -> Filter {
    let (mut lowered, _, diagnostics) = lower_all(text, None);
    assert!(!diagnostics.has_errors(), "{text}: {diagnostics:?}");
    lowered.remove(0).filter
}

/// The rules of a chain as names.
fn names(filter: &Filter, part: Part) -> Vec<&str> {
    filter.chains[part.position()].rules.iter().map(|rule| rule.name.as_str()).collect()
}

/// The conditions of a rule in the forward chain, without their places.
fn tests(filter: &Filter, name: &str) -> Vec<(bool, Test)> {
    let rules = &filter.chains[Part::Forward.position()].rules;
    let rule = rules.iter().find(|rule| rule.name == name).unwrap();
    rule.matches.iter().map(|one| (!one.negated, one.test.clone())).collect()
}

const SAMPLE: &str = include_str!("../../../../grammar/examples/file.rules");

#[test]
fn the_example_of_a_whole_file_is_read() {
    let (lowered, world, diagnostics) = lower_all(SAMPLE, None);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let filter = &lowered[0].filter;
    assert_eq!(names(filter, Part::Forward), ["established", "db-in", "no-admin", "ping", "syn-only"]);
    assert_eq!(names(filter, Part::Input), ["established", "tunnel"]);
    assert_eq!(names(filter, Part::Output), ["established", "time"]);
    assert!(filter.tracks && filters_output(filter));
    assert!(world.unknowns.is_empty(), "the date of `syn-only` is no doubt about it");
    assert_eq!(tests(&lowered[1].filter, "web").len(), 4);
    assert!(!filters_output(&lowered[1].filter));
}

#[test]
fn a_rule_past_its_date_is_in_the_ledger_and_in_force() {
    for (day, listed) in [("2027-03-31", 0), ("2027-04-01", 1)] {
        let (lowered, world, _) = lower_all(SAMPLE, Date::read(day));
        assert!(world.unknowns.is_empty());
        assert_eq!(lowered[0].ledger.len(), listed);
        assert_eq!(tests(&lowered[0].filter, "syn-only").len(), 4);
    }
}

#[test]
fn mixed_sets_are_disjunctions_and_their_negations_conjunctions() {
    let text = "policy p { default deny
        rule a { allow from { zone app, 10.0.0.0/8, 10.0.0.1 } }
        rule b { allow from not { zone app, 10.0.0.0/8 } }
        rule c { allow from not { zone app, not 10.0.0.0/8 } } }";
    let filter = filter(text);
    let ten = Test::Source(vec![range("10.0.0.0/8")]);
    let app = Test::InZone(ZoneId(0));
    let [(true, Test::Any(any))] = &tests(&filter, "a")[..] else { panic!("one condition") };
    let any: Vec<_> = any.iter().map(|one| (!one.negated, one.test.clone())).collect();
    assert_eq!(any, [(true, ten.clone()), (true, app.clone())]);
    assert_eq!(tests(&filter, "b"), [(false, ten.clone()), (false, app.clone())]);
    assert_eq!(tests(&filter, "c"), [(false, app), (true, ten)]);
}

#[test]
fn self_chooses_the_chain() {
    let text = "policy p { default deny
        rule both { allow from zone app to { self, 10.0.0.0/8 } }
        rule through { deny from zone wan to not self }
        rule own { allow from { self, 10.1.0.0/16 } to 192.0.2.0/24 }
        rule loopback { allow from self to self } }";
    let (lowered, _, diagnostics) = lower_all(text, None);
    assert!(!diagnostics.has_errors());
    assert_eq!(diagnostics.sorted().len(), 1, "the rule that binds no packet of the network");
    let filter = &lowered[0].filter;
    assert_eq!(names(filter, Part::Forward), ["established", "both", "through", "own"]);
    assert_eq!(names(filter, Part::Input), ["established", "both"]);
    assert_eq!(names(filter, Part::Output), ["established", "own"]);
    assert_eq!(filter.chains[Part::Input.position()].rules[1].matches.len(), 1);
    assert_eq!(tests(filter, "through").len(), 1);
    assert_eq!(tests(filter, "own")[0], (true, Test::Source(vec![range("10.1.0.0/16")])));
}

#[test]
fn established_packets_pass_unless_a_rule_asks_for_states() {
    let with = |rest: &str| filter(&format!("policy p {{ default deny {rest} }}"));
    let stateful = with("rule a { allow from any to self }");
    assert_eq!(names(&stateful, Part::Forward), ["established"]);
    let expected = Test::State(vec![State::Established, State::Related]);
    assert_eq!(tests(&stateful, "established"), [(true, expected)]);
    assert!(stateful.tracks);
    let asking = with("rule a { allow from any to any state new }");
    assert_eq!(names(&asking, Part::Forward), ["a"]);
    assert!(asking.tracks);
    let stateless = with("rule a { allow service tcp/80 stateless } rule b { deny from any }");
    assert!(!stateless.tracks);
    assert!(!stateless.chains[0].rules[1].opens);
    let open = filter("policy p { default allow rule b { deny from zone wan } }");
    assert!(open.tracks, "what the default allows opens connections");
    assert_eq!(open.chains[Part::Output.position()].policy, Some(Action::Accept));
}

#[test]
fn a_list_of_an_interface_does_not_know_the_device() {
    let text = "policy p { default deny
        rule a { allow from zone app to self }
        rule b { allow to zone wan }
        rule c { allow to 10.0.0.0/8 } }";
    let filter = filter(text);
    let mut diagnostics = Diagnostics::default();
    let at = filter.span;
    check_list(&filter, crate::model::Stage::Ingress, at, &mut diagnostics);
    assert_eq!(diagnostics.sorted().len(), 2);
    let mut diagnostics = Diagnostics::default();
    check_list(&filter, crate::model::Stage::Egress, at, &mut diagnostics);
    assert_eq!(diagnostics.sorted().len(), 1);
}

#[test]
fn labels_and_vrfs_are_looked_up() {
    let filter = filter("policy p { default deny rule a { allow from label pci=cde vrf mgmt } }");
    let nodes = AddressRange { low: range("10.1.0.20").low, high: range("10.1.0.21").high };
    assert_eq!(tests(&filter, "a"), [(true, Test::Source(vec![nodes])), (true, Test::InVrf(VrfId(0)))]);
}

#[test]
fn addresses_that_only_the_device_shows_are_not_known() {
    let text = "policy p { default deny rule a { allow to not label pci=dumped } }";
    let (lowered, world, _) = lower_all(text, None);
    let nodes = AddressRange { low: range("10.1.0.20").low, high: range("10.1.0.21").high };
    let expected = [(false, Test::Destination(vec![nodes])), (false, Test::Unknown(UnknownId(0)))];
    assert_eq!(tests(&lowered[0].filter, "a"), expected);
    assert_eq!(world.unknowns.len(), 1);
}
