//! Rule 4: routes and the rules that choose a table.

use crate::support::line::{FAR, HOST, LEFT, Line, NO, OPEN, YES};
use crate::support::net::{lookup_rule, prefix};
use crate::support::packets::syn;
use isoaudit::header::Packet;
use isoaudit::model::{Fact, Lookup, NextHop, RouteAction, Table};

fn to_right(line: &Line) -> RouteAction {
    RouteAction::Send(vec![NextHop { interface: line.r1, via: None }])
}

fn far() -> Packet {
    syn(LEFT, FAR, 80)
}

#[test]
fn rule_4_the_longest_prefix_wins() {
    let mut line = Line::new().quiet();
    let right = to_right(&line);
    line.net.add_route(line.r, 0, prefix("192.0.0.0/8"), right);
    assert_eq!(line.crosses(far()), YES);
    line.net.add_route(line.r, 0, prefix("192.0.2.0/24"), RouteAction::Blackhole);
    assert_eq!(line.crosses(far()), NO);
    assert_eq!(line.crosses(syn(LEFT, "192.0.3.1", 80)), YES);
}

#[test]
fn rule_4_of_equal_prefixes_the_first_wins() {
    let mut line = Line::new().quiet();
    let right = to_right(&line);
    // Each insertion goes behind those of its length.
    line.net.add_route(line.r, 0, prefix("192.0.2.0/24"), RouteAction::Unreachable);
    line.net.add_route(line.r, 0, prefix("192.0.2.0/24"), right);
    assert_eq!(line.crosses(far()), NO);
    line.net.node_mut(line.r).tables[0].routes.swap(0, 1);
    let first = line.net.network.node(line.r).tables[0]
        .routes
        .iter()
        .position(|r| r.prefix == prefix("192.0.2.0/24"));
    let at = first.unwrap();
    line.net.node_mut(line.r).tables[0].routes.swap(at, at + 1);
    assert_eq!(line.crosses(far()), YES);
}

#[test]
fn rule_4_an_unknown_route_applies_and_does_not_on_may_and_hides_the_rest_on_must() {
    let mut line = Line::new().quiet();
    let right = to_right(&line);
    let why = line.net.unknown("whether the route is up");
    line.net.add_route(line.r, 0, prefix("0.0.0.0/0"), right.clone());
    line.net.add_route(line.r, 0, prefix("192.0.2.0/24"), RouteAction::Blackhole).unknown = Some(why);
    assert_eq!(line.crosses(far()), OPEN);
    assert_eq!(line.crosses(syn(LEFT, "203.0.113.1", 80)), YES);
    line.net.add_route(line.r, 0, prefix("192.0.2.0/25"), right).unknown = Some(why);
    line.net.add_route(line.r, 0, prefix("0.0.0.0/0"), RouteAction::Blackhole);
    assert_eq!(line.crosses(far()), OPEN);
}

#[test]
fn rule_4_each_of_equal_next_hops_is_a_choice_of_the_network() {
    let mut line = Line::new().quiet();
    let hops = vec![NextHop { interface: line.r0, via: None }, NextHop { interface: line.r1, via: None }];
    line.net.add_route(line.r, 0, prefix("192.0.2.0/24"), RouteAction::Send(hops));
    assert_eq!(line.crosses(far()), YES);
}

#[test]
fn rule_4_a_table_without_a_route_falls_through_if_its_rule_says_so() {
    for (fact, expected) in [(Some(true), YES), (Some(false), NO), (None, OPEN)] {
        let mut line = Line::new().quiet();
        let right = to_right(&line);
        line.net.add_route(line.r, 0, prefix("192.0.2.0/24"), right);
        line.net.node_mut(line.r).tables.push(Table { name: "blue".to_owned(), routes: Vec::new() });
        let mut rule = lookup_rule(Lookup::Table(1));
        rule.falls_through = match fact {
            Some(true) => Fact::Yes,
            Some(false) => Fact::No,
            None => Fact::Unknown(line.net.unknown("whether it falls through")),
        };
        line.net.node_mut(line.r).lookup.insert(0, rule);
        assert_eq!(line.crosses(far()), expected, "{fact:?}");
    }
}

#[test]
fn rule_4_throw_ends_the_table_but_not_the_lookup() {
    let mut line = Line::new().quiet();
    let right = to_right(&line);
    line.net.add_route(line.r, 0, prefix("0.0.0.0/0"), right.clone());
    line.net.add_route(line.r, 0, prefix("192.0.2.0/24"), RouteAction::Throw);
    assert_eq!(line.crosses(far()), NO);
    line.net.node_mut(line.r).tables.push(Table { name: "blue".to_owned(), routes: Vec::new() });
    line.net.add_route(line.r, 1, prefix("0.0.0.0/0"), right);
    line.net.node_mut(line.r).lookup.push(lookup_rule(Lookup::Table(1)));
    assert_eq!(line.crosses(far()), YES);
}

#[test]
fn rule_4_rules_ask_for_source_destination_and_in_interface() {
    let blackhole = |change: &dyn Fn(&mut isoaudit::model::LookupRule, &Line)| {
        let mut line = Line::new().quiet();
        let right = to_right(&line);
        line.net.add_route(line.r, 0, prefix("0.0.0.0/0"), right);
        let mut rule = lookup_rule(Lookup::Blackhole);
        change(&mut rule, &line);
        line.net.node_mut(line.r).lookup.insert(0, rule);
        [line.crosses(far()), line.crosses(syn("10.0.0.99", HOST, 80))]
    };
    assert_eq!(blackhole(&|rule, _| rule.from = Some(prefix("10.0.0.66/32"))), [NO, YES]);
    assert_eq!(blackhole(&|rule, _| rule.to = Some(prefix("10.0.1.0/24"))), [YES, NO]);
    assert_eq!(blackhole(&|rule, line| rule.incoming = Some(vec![line.r0])), [NO, NO]);
    assert_eq!(blackhole(&|rule, line| rule.incoming = Some(vec![line.r1])), [YES, YES]);
}

#[test]
fn rule_4_an_unknown_rule_takes_both_futures_on_may_and_ends_certainty() {
    for action in [Lookup::Blackhole, Lookup::Unreachable, Lookup::Table(0)] {
        let mut line = Line::new().quiet();
        let right = to_right(&line);
        line.net.add_route(line.r, 0, prefix("0.0.0.0/0"), right);
        let mut rule = lookup_rule(action);
        rule.unknown = Some(line.net.unknown("what the rule asks"));
        line.net.node_mut(line.r).lookup.insert(0, rule);
        assert_eq!(line.crosses(far()), OPEN, "{action:?}");
    }
}

#[test]
fn rule_4_without_any_route_nothing_leaves() {
    let line = Line::new().quiet();
    assert_eq!(line.crosses(far()), NO);
}
