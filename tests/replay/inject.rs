//! Rule 1: who sends.

use crate::support::line::{HOST, LEFT, Line, NO, YES, adversary, honest};
use crate::support::packets::syn;
use isoaudit::model::Existence;
use isoaudit::replay::Place;

#[test]
fn rule_1_whoever_stands_on_a_segment_puts_any_packet_there_and_everybody_receives_it() {
    let line = Line::new().quiet();
    // Neither the source nor the next hop matters.
    for packet in [syn(LEFT, HOST, 80), syn("203.0.113.5", HOST, 80)] {
        assert_eq!(line.arrives(Place::Segment(line.left), packet, &[]), YES);
        assert_eq!(line.is_delivered(packet), YES);
    }
}

#[test]
fn rule_1_a_node_taken_over_sends_past_its_own_filters_and_processes_nothing() {
    let mut line = Line::new().quiet();
    let deny = crate::support::net::chain(Some(isoaudit::model::Action::Drop), Vec::new());
    line.stateless(isoaudit::model::Stage::Output, deny.clone());
    line.stateless(isoaudit::model::Stage::Forward, deny);
    line.question.footholds = vec![adversary(Place::Node(line.r))];
    line.question.adversary_nodes.insert(line.r);
    assert_eq!(line.is_delivered(syn("203.0.113.5", HOST, 80)), YES);
    assert_eq!(line.arrives(Place::Segment(line.left), syn(LEFT, HOST, 80), &[]), YES);
    // It does not deliver to itself what it could only send.
    assert_eq!(line.arrives(Place::Node(line.r), syn(LEFT, "10.0.0.1", 80), &[]), NO);
}

#[test]
fn rule_1_an_honest_node_sends_with_its_own_addresses_only() {
    let mut line = Line::new().quiet();
    line.question.footholds = vec![honest(line.h)];
    let to = "10.0.0.1";
    assert_eq!(line.arrives(Place::Node(line.r), syn(HOST, to, 80), &[]), YES);
    assert_eq!(line.arrives(Place::Node(line.r), syn("10.0.1.10", to, 80), &[]), NO);
}

#[test]
fn rule_1_honest_senders_send_what_the_claim_speaks_of() {
    let mut line = Line::new().quiet();
    line.question.footholds = vec![honest(line.h)];
    line.question.services = vec![isoaudit::model::Service::ports(6, 80, 80)];
    line.question.destinations = crate::support::net::ranges(&["10.0.0.1/32"]);
    assert_eq!(line.arrives(Place::Node(line.r), syn(HOST, "10.0.0.1", 80), &[]), YES);
    assert_eq!(line.arrives(Place::Node(line.r), syn(HOST, "10.0.0.1", 81), &[]), NO);
    assert_eq!(line.arrives(Place::Node(line.r), syn(HOST, "10.0.1.1", 80), &[]), NO);
}

#[test]
fn rule_1_what_is_only_possibly_there_is_no_foothold_on_must() {
    let mut line = Line::new().quiet();
    let why = line.net.unknown("whether the tunnel is there");
    line.net.segment_mut(line.left).existence = Existence::Possible(why);
    assert_eq!(line.crosses(syn(LEFT, HOST, 80)), [false, true]);
}

#[test]
fn rule_1_an_opener_does_not_count() {
    let mut line = Line::new().quiet();
    line.question.openers = std::mem::take(&mut line.question.footholds);
    assert_eq!(line.crosses(syn(LEFT, HOST, 80)), NO);
}
