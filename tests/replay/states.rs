//! Rule 5: connection states, and what opens a connection.

use crate::support::line::{HOST, HOST6, LEFT, LEFT6, Line, NO, OPEN, YES, adversary, honest};
use crate::support::net::{chain, ranges, rule, stateless};
use crate::support::packets::{flagged, icmp, reply, syn, udp};
use isoaudit::claim::Door;
use isoaudit::header::{Packet, proto, tcp_flags};
use isoaudit::model::{Action, Reading, Rule, Stage, State, Test};
use isoaudit::replay::Place;

fn in_state(states: &[State]) -> Rule {
    rule("state", vec![Test::State(states.to_vec())], Action::Accept)
}

fn from(prefix: &str) -> Test {
    Test::Source(ranges(&[prefix]))
}

/// A router that lets the right side open connections to the left, and established packets pass both ways. The
/// adversary stands on the left, accomplices on the right.
fn one_way(opening: Rule) -> Line {
    let mut line = Line::new().quiet();
    let mut opening = opening;
    // From its own side only: else the adversary opens with a source that is not its own.
    opening.matches.extend(rule("side", vec![Test::InName("eth1".to_owned())], Action::Accept).matches);
    let rules = vec![in_state(&[State::Established, State::Related]), opening];
    line.tracking(Stage::Forward, chain(Some(Action::Drop), rules));
    line.question.openers = vec![adversary(Place::Segment(line.right))];
    line
}

fn from_right() -> Rule {
    rule("out", vec![from("10.0.1.0/24")], Action::Accept)
}

/// Whether the answer to a packet from the right crosses, in [must, may].
fn answer_crosses(line: &Line, opening: Packet) -> [bool; 2] {
    line.arrives(Place::Segment(line.right), reply(opening), &[opening])
}

#[test]
fn rule_5_an_answer_is_established_once_somebody_has_opened() {
    let opening = syn(HOST, LEFT, 443);
    let line = one_way(from_right());
    assert_eq!(answer_crosses(&line, opening), YES);
    assert_eq!(line.crosses(reply(opening)), NO);
    // Nothing of the opener's counts as arriving, and what it opened is told.
    let reached = line.explore(Reading::Must, &[opening, reply(opening)]);
    assert!(!reached.holds(Place::Node(line.h), &opening));
    assert!(reached.holds(Place::Segment(line.right), &reply(opening)));
    assert!(reached.opened[&line.r].contains(&opening));
}

#[test]
fn rule_5_stateless_rules_open_nothing_and_policies_do() {
    let opening = udp(HOST, LEFT, 53);
    assert_eq!(answer_crosses(&one_way(stateless(from_right())), opening), NO);
    let mut line = one_way(from_right());
    let rules = vec![in_state(&[State::Established]), rule("in", vec![from("10.0.0.0/24")], Action::Drop)];
    line.net.network.filters[0].chains[0] = chain(Some(Action::Accept), rules);
    assert_eq!(answer_crosses(&line, opening), YES);
}

#[test]
fn rule_5_ports_and_types_are_part_of_a_connection() {
    let opening = udp(HOST, LEFT, 53);
    let line = one_way(from_right());
    let wrong = Packet { sport: 54, ..reply(opening) };
    assert_eq!(line.arrives(Place::Segment(line.right), wrong, &[opening]), NO);
    let ping = icmp(HOST, LEFT, 8);
    assert_eq!(line.arrives(Place::Segment(line.right), icmp(LEFT, HOST, 0), &[ping]), YES);
    assert_eq!(line.arrives(Place::Segment(line.right), icmp(LEFT, HOST, 8), &[ping]), NO);
    assert_eq!(line.arrives(Place::Segment(line.right), icmp(LEFT, HOST, 14), &[icmp(HOST, LEFT, 13)]), YES);
    let mut line = one_way(rule("out", vec![from("fd00:0:0:1::/64")], Action::Accept));
    line.net.node_mut(line.h).output.clear();
    let ping = icmp(HOST6, LEFT6, 128);
    assert_eq!(line.arrives(Place::Segment(line.right), icmp(LEFT6, HOST6, 129), &[ping]), YES);
}

#[test]
fn rule_5_a_repeated_packet_is_established_on_any_interface() {
    let mut line = one_way(from_right());
    // The same packet as the one from the right, but sent from the left and routed back to it.
    let far = line.net.segment("far");
    line.net.interface(line.r, far, &["10.0.2.1/24"]);
    let opening = udp("10.0.1.200", "10.0.2.5", 53);
    line.question.openers.clear();
    assert_eq!(line.arrives(Place::Segment(far), opening, &[]), NO);
    line.question.openers = vec![adversary(Place::Segment(line.right))];
    // The tracker counts it as new until an answer comes, and nobody says whether one does.
    assert_eq!(line.arrives(Place::Segment(far), opening, &[]), OPEN);
}

#[test]
fn rule_5_of_tcp_only_some_flags_are_certainly_an_answer() {
    use tcp_flags::{ACK, FIN, PSH, RST, SYN};
    let opening = syn(HOST, LEFT, 443);
    let line = one_way(from_right());
    let answers = |flags| {
        let answer = Packet { flags, ..reply(opening) };
        line.arrives(Place::Segment(line.right), answer, &[opening])
    };
    for flags in [SYN, SYN | ACK, ACK, ACK | PSH, RST, RST | ACK] {
        assert_eq!(answers(flags), YES, "{flags:#x}");
    }
    for flags in [0, FIN, FIN | ACK, SYN | FIN, SYN | RST] {
        assert_eq!(answers(flags), OPEN, "{flags:#x}");
    }
}

#[test]
fn rule_5_the_state_of_some_packets_is_not_known() {
    let only_new = |packet| {
        let mut line = Line::new().quiet();
        line.tracking(Stage::Forward, chain(Some(Action::Drop), vec![in_state(&[State::New])]));
        line.crosses(packet)
    };
    let web = syn(LEFT, HOST, 80);
    assert_eq!(only_new(web), YES);
    for flags in [0, tcp_flags::ACK, tcp_flags::SYN | tcp_flags::ACK, tcp_flags::SYN | tcp_flags::RST] {
        assert_eq!(only_new(flagged(web, flags)), OPEN, "{flags}");
    }
    assert_eq!(only_new(flagged(web, tcp_flags::SYN | tcp_flags::PSH)), YES);
    assert_eq!(only_new(udp(LEFT, HOST, 80)), YES);
    assert_eq!(only_new(Packet { proto: proto::GRE, ..udp(LEFT, HOST, 0) }), YES);
    for (kind, expected) in [(8, YES), (13, YES), (15, YES), (17, YES), (0, OPEN), (3, OPEN), (9, OPEN)] {
        assert_eq!(only_new(icmp(LEFT, HOST, kind)), expected, "{kind}");
    }
    assert_eq!(only_new(icmp(LEFT6, HOST6, 128)), YES);
    assert_eq!(only_new(icmp(LEFT6, HOST6, 8)), OPEN);
}

#[test]
fn rule_5_for_certain_a_packet_passes_under_all_states_that_it_may_have() {
    let ack = flagged(syn(LEFT, HOST, 80), tcp_flags::ACK);
    for (states, expected) in [
        (vec![State::New, State::Invalid], OPEN),
        (vec![State::New, State::Invalid, State::Untracked], YES),
        (vec![State::Untracked], OPEN),
        (vec![State::Established], NO),
    ] {
        let mut line = Line::new().quiet();
        line.tracking(Stage::Forward, chain(Some(Action::Drop), vec![in_state(&states)]));
        assert_eq!(line.crosses(ack), expected, "{states:?}");
    }
}

#[test]
fn rule_5_all_lists_of_a_device_see_the_same_state() {
    let mut line = Line::new().quiet();
    let ack = flagged(syn(LEFT, HOST, 80), tcp_flags::ACK);
    line.tracking(Stage::Forward, chain(Some(Action::Drop), vec![in_state(&[State::New])]));
    let filter = line.net.filter(true, vec![chain(Some(Action::Drop), vec![in_state(&[State::Invalid])])]);
    line.net.bind_interface(line.r1, Stage::Egress, filter);
    // Either list may let it pass; both together never do.
    assert_eq!(line.crosses(ack), NO);
}

#[test]
fn rule_5_errors_about_a_connection_are_related_from_any_source_on_may() {
    let opening = udp(HOST, LEFT, 53);
    let line = one_way(from_right());
    let right = Place::Segment(line.right);
    for kind in [3, 4, 5, 11, 12] {
        let error = icmp("203.0.113.9", HOST, kind);
        assert_eq!(line.arrives(right, error, &[opening]), OPEN, "{kind}");
        assert_eq!(line.arrives(right, error, &[]), NO, "{kind}");
    }
    assert_eq!(line.arrives(right, icmp("203.0.113.9", HOST, 8), &[opening]), NO);
    assert_eq!(line.arrives(right, icmp("203.0.113.9", "10.0.1.8", 3), &[opening]), NO);
}

#[test]
fn rule_5_what_does_not_get_through_opens_nothing() {
    let mut line = one_way(from_right());
    let deny = line.net.filter(false, vec![chain(Some(Action::Drop), vec![in_state(&[])])]);
    line.net.bind_interface(line.r0, Stage::Egress, deny);
    assert_eq!(answer_crosses(&line, udp(HOST, LEFT, 53)), NO);
    assert!(line.explore(Reading::May, &[udp(HOST, LEFT, 53)]).opened.is_empty());
}

#[test]
fn rule_5_only_a_certainly_new_packet_opens_for_certain() {
    let any = flagged(syn(HOST, LEFT, 80), tcp_flags::ACK);
    let mut line = one_way(from_right());
    line.question.footholds = vec![adversary(Place::Segment(line.right))];
    let opened = |reading| line.explore(reading, &[any]).opened.contains_key(&line.r);
    assert!(!opened(Reading::Must));
    assert!(opened(Reading::May));
}

#[test]
fn rule_5_an_opening_can_wait_for_another_device() {
    // Two routers in a row, each of which lets connections be opened from its right only: the answer that the first
    // lets pass is new at the second, and must have been opened there too.
    let mut line = one_way(from_right());
    let outer = line.net.segment("outer");
    let border = line.net.router("border");
    line.net.interface(border, outer, &["10.0.9.1/24"]);
    let b1 = line.net.interface(border, line.left, &["10.0.0.2/24"]);
    line.net.route(border, "10.0.1.0/24", &[(b1, "10.0.0.1")]);
    line.net.route(line.r, "10.0.9.0/24", &[(line.r0, "10.0.0.2")]);
    let filter = line
        .net
        .filter(true, vec![chain(Some(Action::Drop), vec![in_state(&[State::Established]), from_right()])]);
    line.net.bind(border, Stage::Forward, filter);
    line.question.footholds = vec![adversary(Place::Segment(outer))];
    let opening = syn(HOST, "10.0.9.7", 443);
    assert_eq!(answer_crosses(&line, opening), YES);
    // Without the way out through the first, nothing opens at the second.
    line.net.network.filters[0].chains[0].rules.pop();
    assert_eq!(answer_crosses(&line, opening), NO);
}

#[test]
fn rule_5_connections_are_opened_through_doors_that_are_closed_to_what_counts() {
    let opening = syn(HOST, LEFT, 443);
    let mut line = one_way(from_right());
    let filter = isoaudit::model::FilterId(0);
    line.question.cut = vec![Door::Rule { filter, chain: 0, rule: 1 }];
    assert_eq!(answer_crosses(&line, opening), YES);
    // Whoever sends through the door itself does so once; what then repeats may be established, and passes beside it.
    line.question.footholds = vec![adversary(Place::Segment(line.right))];
    assert_eq!(line.arrives(Place::Segment(line.left), opening, &[]), OPEN);
    line.net.network.filters[0].chains[0].rules[0]
        .matches
        .extend(rule("x", vec![from("10.0.0.0/24")], Action::Accept).matches);
    assert_eq!(line.arrives(Place::Segment(line.left), opening, &[]), NO);
}

#[test]
fn rule_5_on_may_every_node_may_have_sent_as_itself() {
    let opening = udp(HOST, LEFT, 53);
    let mut line = one_way(from_right());
    line.question.openers.clear();
    assert_eq!(answer_crosses(&line, opening), OPEN);
    line.question.openers = vec![honest(line.h)];
    assert_eq!(answer_crosses(&line, opening), YES);
    let not_its_own = udp("10.0.1.200", LEFT, 53);
    assert_eq!(answer_crosses(&line, not_its_own), NO);
}
