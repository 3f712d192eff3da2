//! Marks within a device: set by lists, asked for by lists and by the routing policy.

use crate::support::line::{HOST, LEFT, Line, NO, OPEN, YES};
use crate::support::net::{chain, lookup_rule, rule};
use crate::support::packets::{syn, udp};
use isoaudit::header::Packet;
use isoaudit::model::{Action, Lookup, MarkChange, MarkTest, Marked, Rule, Stage, Test};

fn web() -> Packet {
    syn(LEFT, HOST, 80)
}

fn http() -> Test {
    Test::DestinationPort(vec![(80, 80)])
}

fn set(value: u32, mask: u32) -> Action {
    Action::Mark(MarkChange::within(Marked::Packet, value, mask))
}

fn marked(mask: u32, value: u32) -> Test {
    Test::Mark { of: Marked::Packet, mask, values: vec![(value, value)] }
}

/// Whether a packet crosses a router that marks before routing, and then drops by a rule of the policy or of the forward list.
fn with(marking: Vec<Rule>, policy: Option<MarkTest>, dropping: Option<Test>) -> [bool; 2] {
    let mut line = Line::new().quiet();
    let early = line.net.filter(false, vec![chain(Some(Action::Accept), marking)]);
    line.net.bind(line.r, Stage::Prerouting, early);
    if policy.is_some() {
        let blackhole = isoaudit::model::LookupRule { mark: policy, ..lookup_rule(Lookup::Blackhole) };
        line.net.node_mut(line.r).lookup.insert(0, blackhole);
    }
    if let Some(test) = dropping {
        let drop = rule("drop", vec![test], Action::Drop);
        let filter = line.net.filter(false, vec![chain(Some(Action::Accept), vec![drop])]);
        line.net.bind(line.r, Stage::Forward, filter);
    }
    line.crosses(web())
}

#[test]
fn rule_4_a_rule_of_the_policy_asks_for_the_mark_under_its_mask() {
    let is = |value, mask| Some(MarkTest { value, mask, negated: false });
    let mark = |value, mask| vec![rule("mark", vec![http()], set(value, mask))];
    assert_eq!(with(mark(1, u32::MAX), is(1, u32::MAX), None), NO);
    assert_eq!(with(mark(1, u32::MAX), is(2, u32::MAX), None), YES);
    assert_eq!(with(mark(0x11, u32::MAX), is(0x10, 0xf0), None), NO);
    // What comes in has none.
    assert_eq!(with(Vec::new(), is(0, u32::MAX), None), NO);
    assert_eq!(
        with(mark(1, u32::MAX), Some(MarkTest { value: 1, mask: u32::MAX, negated: true }), None),
        YES
    );
}

#[test]
fn rule_5_a_list_sees_the_marks_of_those_before_it() {
    let two = || vec![rule("one", vec![http()], set(0x1, 0xf)), rule("two", Vec::new(), set(0x20, 0xf0))];
    assert_eq!(with(two(), None, Some(marked(u32::MAX, 0x21))), NO);
    assert_eq!(with(two(), None, Some(marked(0xf0, 0x20))), NO);
    assert_eq!(with(two(), None, Some(marked(u32::MAX, 0x20))), YES);
    // A rule behind another sees what that has set.
    let follows =
        vec![rule("one", vec![http()], set(1, u32::MAX)), rule("two", vec![marked(1, 1)], Action::Drop)];
    assert_eq!(with(follows, None, None), NO);
}

#[test]
fn rule_5_a_mark_that_is_perhaps_set_has_two_futures() {
    for (value, expected) in [(0, OPEN), (1, OPEN), (2, NO)] {
        let mut line = Line::new().quiet();
        let unknown = Test::Unknown(line.net.unknown("a match"));
        let early =
            line.net.filter(false, vec![chain(None, vec![rule("perhaps", vec![unknown], set(1, 1))])]);
        line.net.bind(line.r, Stage::Prerouting, early);
        let pass = rule("pass", vec![marked(u32::MAX, value)], Action::Accept);
        let filter = line.net.filter(false, vec![chain(Some(Action::Drop), vec![pass])]);
        line.net.bind(line.r, Stage::Forward, filter);
        assert_eq!(line.crosses(web()), expected, "{value}");
    }
}

#[test]
fn rule_5_the_first_packet_of_a_connection_has_no_mark_of_one() {
    let restore = MarkChange { of: Marked::Packet, packet: 0, connection: u32::MAX, flip: 0 };
    let save = MarkChange { of: Marked::Connection, packet: u32::MAX, connection: 0, flip: 0 };
    let of = |saves: bool| {
        let mut line = Line::new().quiet();
        let mut rules = vec![
            rule("restore", Vec::new(), Action::Mark(restore)),
            rule("drop", vec![marked(u32::MAX, 7)], Action::Drop),
            rule("mark", Vec::new(), set(7, u32::MAX)),
        ];
        if saves {
            rules.push(rule("save", Vec::new(), Action::Mark(save)));
        }
        let early = line.net.filter(true, vec![chain(Some(Action::Accept), rules)]);
        line.net.bind(line.r, Stage::Prerouting, early);
        line.crosses(udp(LEFT, HOST, 53))
    };
    assert_eq!([of(false), of(true)], [YES, YES]);
}
