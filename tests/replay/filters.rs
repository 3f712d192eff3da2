//! Rule 5: chains as first-match lists of pairs.

use crate::support::line::{HOST, HOST6, LEFT, LEFT6, Line, NO, OPEN, YES};
use crate::support::net::{chain, negated, ranges, rule};
use crate::support::packets::syn;
use isoaudit::claim::Door;
use isoaudit::header::{Family, Packet};
use isoaudit::model::{Action, Chain, Stage, Test};

fn web() -> Packet {
    syn(LEFT, HOST, 80)
}

fn http() -> Vec<Test> {
    vec![Test::DestinationPort(vec![(80, 80)])]
}

/// Whether web traffic crosses a router with these chains, the first bound to forwarding.
fn with(chains: Vec<Chain>) -> [bool; 2] {
    let mut line = Line::new().quiet();
    let filter = line.net.filter(false, chains);
    line.net.bind(line.r, Stage::Forward, filter);
    line.crosses(web())
}

#[test]
fn rule_5_the_first_rule_that_matches_decides() {
    let allow = || rule("allow", http(), Action::Accept);
    let deny = || rule("deny", http(), Action::Drop);
    assert_eq!(with(vec![chain(Some(Action::Drop), vec![allow(), deny()])]), YES);
    assert_eq!(with(vec![chain(Some(Action::Accept), vec![deny(), allow()])]), NO);
    assert_eq!(with(vec![chain(Some(Action::Accept), vec![rule("r", http(), Action::Reject)])]), NO);
}

#[test]
fn rule_5_behind_the_last_rule_comes_the_policy_and_without_one_an_entry_chain_accepts() {
    assert_eq!(with(vec![chain(Some(Action::Drop), Vec::new())]), NO);
    assert_eq!(with(vec![chain(Some(Action::Accept), Vec::new())]), YES);
    assert_eq!(with(vec![chain(None, Vec::new())]), YES);
}

#[test]
fn rule_5_jump_comes_back_goto_does_not_return_leaves() {
    let all = Vec::new;
    let called = |action| chain(None, vec![rule("called", http(), action)]);
    let entry = |how| {
        chain(Some(Action::Drop), vec![rule("call", all(), how), rule("behind", all(), Action::Accept)])
    };
    // What the called chain decides is decided.
    assert_eq!(with(vec![entry(Action::Jump(1)), called(Action::Drop)]), NO);
    assert_eq!(with(vec![entry(Action::Goto(1)), called(Action::Accept)]), YES);
    // What it does not decide goes on behind the jump, and to the policy behind the goto.
    assert_eq!(with(vec![entry(Action::Jump(1)), called(Action::Return)]), YES);
    assert_eq!(with(vec![entry(Action::Goto(1)), called(Action::Return)]), NO);
    assert_eq!(with(vec![entry(Action::Jump(1)), called(Action::Continue)]), YES);
    // A chain that is called and has a policy does not come back.
    assert_eq!(with(vec![entry(Action::Jump(1)), chain(Some(Action::Drop), Vec::new())]), NO);
    // Returning from the entry chain meets its policy.
    assert_eq!(with(vec![entry(Action::Return)]), NO);
    // A goto inside a called chain returns to where that was called.
    let middle = chain(None, vec![rule("go", all(), Action::Goto(2)), rule("never", all(), Action::Drop)]);
    assert_eq!(with(vec![entry(Action::Jump(1)), middle, chain(None, Vec::new())]), YES);
}

#[test]
fn rule_5_an_unknown_match_takes_the_branch_and_falls_through_on_may_only() {
    let mut line = Line::new().quiet();
    let unknown = line.unknown_test();
    let both = |policy, action| vec![chain(Some(policy), vec![rule("u", vec![unknown.clone()], action)])];
    assert_eq!(with_unknowns(both(Action::Drop, Action::Accept)), OPEN);
    assert_eq!(with_unknowns(both(Action::Accept, Action::Drop)), OPEN);
    // Even where every future accepts, nothing is certain: the pair knows only its bounds.
    assert_eq!(with_unknowns(both(Action::Accept, Action::Accept)), OPEN);
    assert_eq!(with_unknowns(both(Action::Drop, Action::Drop)), NO);
    // A log line does the same whether it matches or not.
    assert_eq!(with_unknowns(both(Action::Accept, Action::Continue)), YES);
    let turned =
        vec![chain(Some(Action::Drop), vec![negated(rule("u", vec![unknown.clone()], Action::Accept))])];
    assert_eq!(with_unknowns(turned), OPEN);
    // Where the known part of a rule does not match, the unknown part is of no matter.
    let tests = vec![Test::DestinationPort(vec![(81, 81)]), unknown];
    assert_eq!(with_unknowns(vec![chain(Some(Action::Accept), vec![rule("u", tests, Action::Drop)])]), YES);
}

/// As [`with`], in a network that has an unknown.
fn with_unknowns(chains: Vec<Chain>) -> [bool; 2] {
    let mut line = Line::new().quiet();
    line.net.unknown("a match");
    let filter = line.net.filter(false, chains);
    line.net.bind(line.r, Stage::Forward, filter);
    line.crosses(web())
}

#[test]
fn rule_5_an_unknown_target_accepts_drops_and_goes_on() {
    let mut line = Line::new().quiet();
    let target = line.unknown_action();
    assert_eq!(with_unknowns(vec![chain(Some(Action::Drop), vec![rule("u", http(), target)])]), OPEN);
    assert_eq!(with_unknowns(vec![chain(Some(Action::Accept), vec![rule("u", http(), target)])]), OPEN);
    let then = vec![rule("u", http(), target), rule("deny", http(), Action::Drop)];
    assert_eq!(with_unknowns(vec![chain(Some(Action::Accept), then)]), OPEN);
}

#[test]
fn rule_5_an_unknown_jump_is_taken_and_passed_over() {
    let mut line = Line::new().quiet();
    let unknown = line.unknown_test();
    let entry = chain(Some(Action::Drop), vec![rule("u", vec![unknown], Action::Jump(1))]);
    let called = chain(None, vec![rule("in", http(), Action::Accept)]);
    assert_eq!(with_unknowns(vec![entry.clone(), called]), OPEN);
    assert_eq!(with_unknowns(vec![entry, chain(None, vec![rule("in", http(), Action::Drop)])]), NO);
}

#[test]
fn rule_5_every_list_that_binds_the_family_must_accept() {
    let mut line = Line::new().quiet();
    let allow = line.net.filter(false, vec![chain(Some(Action::Accept), Vec::new())]);
    let deny = line.net.filter(false, vec![chain(Some(Action::Drop), Vec::new())]);
    line.net.bind(line.r, Stage::Forward, allow);
    assert_eq!(line.crosses(web()), YES);
    line.net.bind(line.r, Stage::Forward, deny);
    assert_eq!(line.crosses(web()), NO);
    line.net.node_mut(line.r).forward[1].family = Some(Family::V6);
    assert_eq!(line.crosses(web()), YES);
    assert_eq!(line.crosses(syn(LEFT6, HOST6, 80)), NO);
}

#[test]
fn a_closed_rule_is_not_there_and_a_later_one_decides() {
    let mut line = Line::new().quiet();
    let rules = vec![
        rule("web", http(), Action::Accept),
        rule("all", vec![Test::Source(ranges(&["10.0.0.0/24"]))], Action::Accept),
    ];
    let filter = line.stateless(Stage::Forward, chain(Some(Action::Drop), rules));
    let ssh = syn(LEFT, HOST, 22);
    line.question.cut = vec![Door::Rule { filter, chain: 0, rule: 0 }];
    assert_eq!(line.crosses(web()), YES);
    assert_eq!(line.crosses(ssh), YES);
    line.question.cut = vec![Door::Rule { filter, chain: 0, rule: 1 }];
    assert_eq!(line.crosses(web()), YES);
    assert_eq!(line.crosses(ssh), NO);
    line.question.cut.push(Door::Rule { filter, chain: 0, rule: 0 });
    assert_eq!(line.crosses(web()), NO);
}

#[test]
fn chains_that_call_each_other_many_times_are_walked_once_each() {
    // 60 chains that each call the next one twice: 2^60 walks for whoever follows them one by one.
    let twice = |next| {
        let call = || rule("call", Vec::new(), Action::Jump(next));
        chain(None, vec![call(), call()])
    };
    let mut chains: Vec<Chain> = (1..60).map(twice).collect();
    chains.push(chain(None, Vec::new()));
    assert_eq!(with(chains), YES);
}

#[test]
fn chains_deeper_than_any_device_takes_are_not_understood() {
    let mut chains: Vec<Chain> =
        (1..5000).map(|next| chain(None, vec![rule("call", Vec::new(), Action::Jump(next))])).collect();
    chains.push(chain(None, Vec::new()));
    assert_eq!(with(chains), OPEN);
}
