//! Rule 7: what devices answer.

use crate::support::line::{FAR, HOST, LEFT, LEFT6, Line, NO, OPEN, adversary};
use crate::support::net::{chain, prefix, ranges, rule};
use crate::support::packets::{icmp, syn, udp};
use isoaudit::header::Packet;
use isoaudit::model::{
    Action, Antispoof, Assumption, Existence, Fact, Kind, NextHop, RouteAction, Stage, State, Test,
};
use isoaudit::replay::Place;

/// The adversary stands on the right, and pretends to be somebody on the left; what comes to the left is an answer.
fn mirrored() -> Line {
    let mut line = Line::new();
    line.net.assume(Assumption::StaticNeighbours);
    line.question.footholds = vec![adversary(Place::Segment(line.right))];
    line
}

/// A router that forwards nothing, so that only answers come to the left.
fn closed() -> Line {
    let mut line = mirrored();
    line.stateless(Stage::Forward, chain(Some(Action::Drop), Vec::new()));
    line
}

const R1: &str = "10.0.1.1";

/// Whether an answer of the router to LEFT comes to the left, caused by a packet.
fn answered(line: &Line, cause: Packet) -> [bool; 2] {
    line.arrives(Place::Segment(line.left), icmp(R1, LEFT, 0), &[cause])
}

#[test]
fn rule_7_what_is_delivered_is_answered_to_its_source_on_may() {
    let line = closed();
    assert_eq!(answered(&line, icmp(LEFT, R1, 8)), OPEN);
    // With any protocol and ports, from any own address, but only to that source.
    let cause = [icmp(LEFT, R1, 8)];
    let left = Place::Segment(line.left);
    assert_eq!(line.arrives(left, udp("10.0.0.1", LEFT, 9), &cause), OPEN);
    assert_eq!(line.arrives(left, udp("10.0.1.200", LEFT, 9), &cause), NO);
    assert_eq!(line.arrives(left, icmp(R1, "10.0.0.67", 0), &cause), NO);
    assert_eq!(line.arrives(left, icmp("fd00::1", LEFT6, 129), &[icmp(LEFT6, "fd00:0:0:1::1", 128)]), OPEN);
}

#[test]
fn rule_7_it_can_be_assumed_away() {
    let mut line = closed();
    line.net.assume(Assumption::NoReflection);
    assert_eq!(answered(&line, icmp(LEFT, R1, 8)), NO);
}

#[test]
fn rule_7_what_cannot_be_passed_on_is_answered_before_the_forward_filter() {
    assert_eq!(answered(&closed(), syn(LEFT, FAR, 80)), OPEN);
    let mut line = closed();
    line.net.node_mut(line.r).forwarding = [Fact::No; 2];
    assert_eq!(answered(&line, syn(LEFT, FAR, 80)), NO);
    assert_eq!(answered(&line, icmp(LEFT, R1, 8)), OPEN);
}

#[test]
fn rule_7_what_the_source_check_drops_is_answered_only_where_there_is_no_route() {
    let mut line = closed();
    line.net.interface_mut(line.r1).antispoof = [Antispoof::Strict; 2];
    assert_eq!(answered(&line, syn(LEFT, FAR, 80)), OPEN);
    assert_eq!(answered(&line, syn(LEFT, HOST, 80)), NO);
    assert_eq!(answered(&line, icmp(LEFT, R1, 8)), NO);
}

#[test]
fn rule_7_the_ingress_list_stops_everything() {
    let mut line = closed();
    let deny = line.net.filter(false, vec![chain(Some(Action::Drop), Vec::new())]);
    line.net.bind_interface(line.r1, Stage::Ingress, deny);
    assert_eq!(answered(&line, syn(LEFT, FAR, 80)), NO);
    assert_eq!(answered(&line, icmp(LEFT, R1, 8)), NO);
}

#[test]
fn rule_7_what_the_input_filter_drops_is_not_answered_and_what_it_rejects_is() {
    for (policy, expected) in [(Action::Drop, NO), (Action::Reject, OPEN), (Action::Accept, OPEN)] {
        let mut line = closed();
        line.stateless(Stage::Input, chain(Some(policy), Vec::new()));
        assert_eq!(answered(&line, icmp(LEFT, R1, 8)), expected, "{policy:?}");
    }
}

#[test]
fn rule_7_a_reset_borrows_the_address_of_whom_it_resets() {
    let borrowed = udp(HOST, LEFT, 9);
    let mut line = closed();
    let left = Place::Segment(line.left);
    assert_eq!(line.arrives(left, borrowed, &[syn(LEFT, FAR, 80)]), NO);
    line.stateless(Stage::Input, chain(Some(Action::Reject), Vec::new()));
    assert_eq!(line.arrives(left, borrowed, &[syn(LEFT, FAR, 80)]), NO);
    assert_eq!(line.arrives(left, borrowed, &[syn(LEFT, HOST, 80)]), OPEN);
}

#[test]
fn rule_7_answers_leave_through_the_output_filter_under_their_states() {
    let out = |states: &[State]| {
        let mut line = closed();
        let allow = rule("out", vec![Test::State(states.to_vec())], Action::Accept);
        let filter = line.net.filter(true, vec![chain(Some(Action::Drop), vec![allow])]);
        line.net.bind(line.r, Stage::Output, filter);
        [answered(&line, icmp(LEFT, R1, 8)), answered(&line, syn(LEFT, FAR, 80))]
    };
    // To what was delivered, and to what could not be passed on.
    assert_eq!(out(&[]), [NO, NO]);
    assert_eq!(out(&[State::New]), [OPEN, OPEN]);
    assert_eq!(out(&[State::Established]), [OPEN, NO]);
    assert_eq!(out(&[State::Related]), [OPEN, NO]);
    assert_eq!(out(&[State::Invalid]), [NO, OPEN]);
    assert_eq!(out(&[State::Untracked]), [NO, OPEN]);
    // For netfilter an error of its own is related to the packet that it is about.
    let mut line = closed();
    let allow = rule("out", vec![Test::State(vec![State::Related])], Action::Accept);
    let filter = line.net.filter(true, vec![chain(Some(Action::Drop), vec![allow])]);
    line.net.network.filters[filter.index()].relates_own_errors = true;
    line.net.bind(line.r, Stage::Output, filter);
    assert_eq!(answered(&line, syn(LEFT, FAR, 80)), OPEN);
}

#[test]
fn rule_7_answers_about_an_established_packet_leave_as_established() {
    let mut line = mirrored();
    let opens =
        rule("in", vec![Test::State(vec![State::New]), Test::InName("eth0".to_owned())], Action::Accept);
    line.tracking(Stage::Forward, chain(Some(Action::Drop), vec![opens]));
    let established = rule("est", vec![Test::State(vec![State::Established])], Action::Accept);
    let filter = line.net.filter(true, vec![chain(Some(Action::Drop), vec![established])]);
    line.net.bind(line.r, Stage::Output, filter);
    // The adversary repeats from the right what somebody on the left has opened. The forward filter drops it there, but
    // it belongs to a connection.
    let opening = udp(LEFT, HOST, 53);
    let answer = icmp(R1, LEFT, 11);
    assert_eq!(line.arrives(Place::Segment(line.left), answer, &[opening]), NO);
    line.question.openers = vec![adversary(Place::Segment(line.left))];
    assert_eq!(line.arrives(Place::Segment(line.left), answer, &[opening]), OPEN);
}

#[test]
fn rule_7_an_answer_follows_the_routes_of_the_node() {
    let mut line = closed();
    line.net.add_route(
        line.r,
        0,
        crate::support::net::prefix("10.0.0.66/32"),
        isoaudit::model::RouteAction::Blackhole,
    );
    assert_eq!(answered(&line, icmp(LEFT, R1, 8)), NO);
}

#[test]
fn rule_7_neither_the_adversary_nor_what_may_not_be_there_reflects() {
    let mut line = closed();
    line.question.adversary_nodes.insert(line.r);
    assert_eq!(answered(&line, icmp(LEFT, R1, 8)), NO);
    let mut line = closed();
    line.net.node_mut(line.r).kind = Kind::Unknown("odd".to_owned());
    assert_eq!(answered(&line, icmp(LEFT, R1, 8)), OPEN);
    let mut line = closed();
    let why = line.net.unknown("whether r is there");
    line.net.node_mut(line.r).existence = Existence::Possible(why);
    // It is a source of anything on may, which is more than an answer.
    assert_eq!(
        line.arrives(Place::Segment(line.left), udp("1.1.1.1", "2.2.2.2", 9), &[icmp(LEFT, R1, 8)]),
        OPEN
    );
}

#[test]
fn rule_7_an_answer_counts_and_is_walked_on() {
    let mut line = closed();
    line.net.add_route(
        line.h,
        0,
        crate::support::net::prefix("10.0.0.0/24"),
        isoaudit::model::RouteAction::Send(vec![isoaudit::model::NextHop {
            interface: line.h0,
            via: Some(crate::support::net::ip(R1)),
        }]),
    );
    // The adversary sits behind the host, on a line of its own, and may not send through the router itself.
    let back = line.net.segment("back");
    let b0 = line.net.interface(line.h, back, &["10.0.4.9/24"]);
    line.question.footholds = vec![adversary(Place::Segment(back))];
    let answer = icmp(HOST, LEFT, 0);
    let left = Place::Segment(line.left);
    assert_eq!(line.arrives(left, answer, &[icmp(LEFT, HOST, 8)]), NO);
    let from_host = rule("host", vec![Test::Source(ranges(&["10.0.1.9/32"]))], Action::Accept);
    line.net.network.filters[0].chains[0].rules.push(from_host);
    assert_eq!(line.arrives(left, answer, &[icmp(LEFT, HOST, 8)]), OPEN);
    line.net.interface_mut(b0).antispoof = [Antispoof::Strict; 2];
    assert_eq!(line.arrives(left, answer, &[icmp(LEFT, HOST, 8)]), NO);
}

#[test]
fn rule_7_what_no_device_takes_is_not_answered() {
    let mut line = closed();
    let on_link = RouteAction::Send(vec![NextHop { interface: line.r0, via: None }]);
    line.net.add_route(line.r, 0, prefix("0.0.0.0/0"), on_link);
    let left = Place::Segment(line.left);
    for (source, expected) in [("192.0.2.9", OPEN), ("224.0.0.9", NO), ("255.255.255.255", NO)] {
        assert_eq!(line.arrives(left, icmp(R1, source, 0), &[icmp(source, R1, 8)]), expected, "{source}");
    }
}
