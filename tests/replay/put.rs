//! Rule 2: a packet on a segment.

use crate::support::line::{HOST, LEFT, Line, NO, OPEN, YES, adversary, honest};
use crate::support::net::ip;
use crate::support::packets::{syn, udp};
use isoaudit::header::Packet;
use isoaudit::model::{Assumption, Existence, Fact, Join, Kind, Reading, Role};
use isoaudit::replay::Place;

/// A second host on the right, with `.10`, which is not the next hop of anything that goes to the first.
fn with_second_host(line: &mut Line) -> isoaudit::model::NodeId {
    let other = line.net.host("other");
    line.net.interface(other, line.right, &["10.0.1.10/24"]);
    other
}

#[test]
fn rule_2_the_owner_of_the_next_hop_receives_and_nobody_else() {
    let mut line = Line::new().quiet();
    let other = with_second_host(&mut line);
    assert_eq!(line.is_delivered(syn(LEFT, HOST, 80)), YES);
    // Seen by the other on its segment, but never its own: it forwards nothing and has another address.
    line.net.node_mut(other).forwarding = [Fact::Yes; 2];
    let far = line.net.segment("far");
    line.net.interface(other, far, &["10.0.2.1/24"]);
    line.net.route(line.r, "10.0.2.0/24", &[(line.r1, HOST)]);
    assert_eq!(line.arrives(Place::Segment(far), syn(LEFT, "10.0.2.5", 80), &[]), NO);
}

#[test]
fn rule_2_forged_arp_draws_a_packet_to_anybody_on_the_segment() {
    let mut line = Line::new();
    line.net.assume(Assumption::NoReflection);
    let far = line.net.segment("far");
    let other = line.net.router("other");
    line.net.interface(other, line.right, &["10.0.1.10/24"]);
    line.net.interface(other, far, &["10.0.2.1/24"]);
    line.net.route(line.r, "10.0.2.0/24", &[(line.r1, HOST)]);
    let packet = syn(LEFT, "10.0.2.5", 80);
    assert_eq!(line.arrives(Place::Segment(far), packet, &[]), NO);
    line.question.adversary_segments.insert(line.right);
    assert_eq!(line.arrives(Place::Segment(far), packet, &[]), YES);
    line.net.assume(Assumption::StaticNeighbours);
    assert_eq!(line.arrives(Place::Segment(far), packet, &[]), NO);
}

#[test]
fn rule_2_a_group_address_is_heard_by_all_but_the_sender() {
    let mut line = Line::new().quiet();
    let other = with_second_host(&mut line);
    line.net.node_mut(line.r).multicast_forwarding = Fact::Yes;
    for group in ["10.0.1.255", "255.255.255.255", "224.0.0.5"] {
        line.net.route(line.r, &format!("{group}/32"), &[(line.r1, HOST)]);
        let packet = udp(LEFT, group, 53);
        // A host listens on may; for certain nobody knows.
        assert_eq!(line.arrives(Place::Node(other), packet, &[]), OPEN, "{group}");
        assert_eq!(line.is_delivered(packet), OPEN, "{group}");
    }
}

#[test]
fn rule_2_a_network_of_two_has_no_broadcast_address() {
    let mut line = Line::new().quiet();
    let far = line.net.segment("far");
    line.net.interface(line.r, far, &["10.0.3.0/31"]);
    let one = line.net.host("one");
    line.net.interface(one, far, &["10.0.3.1/31"]);
    // Were 10.0.3.1 a group, nothing would be certain about it.
    assert_eq!(line.arrives(Place::Node(one), syn(LEFT, "10.0.3.1", 80), &[]), YES);
}

#[test]
fn rule_2_the_internet_takes_what_nobody_described_would() {
    let mut line = Line::new().quiet();
    let internet = line.internet(line.right);
    let packet = syn(LEFT, "10.0.1.77", 80);
    assert_eq!(line.arrives(Place::Node(internet), packet, &[]), YES);
    assert_eq!(line.arrives(Place::Node(internet), syn(LEFT, HOST, 80), &[]), NO);
}

#[test]
fn rule_2_somebody_undescribed_may_answer_from_where_an_unowned_address_is_on_link() {
    let mut line = Line::new();
    line.net.assume(Assumption::NoReflection);
    let unowned = syn(LEFT, "10.0.1.77", 80);
    let anything = udp("203.0.113.1", "203.0.113.2", 9);
    let place = Place::Segment(line.right);
    assert_eq!(line.arrives(place, anything, &[]), NO);
    assert_eq!(line.arrives(place, anything, &[unowned]), OPEN);
    // A next hop that is not the destination is not on link.
    line.net.route(line.r, "192.0.2.0/24", &[(line.r1, "10.0.1.77")]);
    assert_eq!(line.arrives(place, anything, &[syn(LEFT, "192.0.2.9", 80)]), NO);
    line.net.assume(Assumption::StaticNeighbours);
    assert_eq!(line.arrives(place, anything, &[unowned]), NO);
}

#[test]
fn rule_2_a_join_carries_on_may_and_further_joins_carry_on() {
    let mut line = Line::new().quiet();
    let names: Vec<_> = ["a", "b"].iter().map(|name| line.net.segment(name)).collect();
    let end = line.net.host("end");
    line.net.interface(end, names[1], &["10.9.0.1/24"]);
    for (from, to) in [(line.left, names[0]), (names[0], names[1])] {
        let unknown = line.net.unknown("whether frames get across");
        line.net.segment_mut(from).joins.push(Join { to, unknown });
    }
    let packet = syn(LEFT, "10.9.0.1", 80);
    assert_eq!(line.arrives(Place::Segment(names[0]), packet, &[]), OPEN);
    assert_eq!(line.arrives(Place::Node(end), packet, &[]), OPEN);
    // Not backwards.
    line.question.footholds = vec![adversary(Place::Segment(names[1]))];
    assert_eq!(line.arrives(Place::Segment(line.left), packet, &[]), NO);
}

#[test]
fn rule_2_whoever_may_be_there_owns_its_address_on_may_only() {
    let mut line = Line::new().quiet();
    let why = line.net.unknown("who has 10.0.1.50");
    let somebody = line.net.node("somebody", Role::Host);
    line.net.node_mut(somebody).existence = Existence::Possible(why);
    line.net.interface(somebody, line.right, &["10.0.1.50/24"]);
    let internet = line.internet(line.right);
    let packet = syn(LEFT, "10.0.1.50", 80);
    assert_eq!(line.arrives(Place::Node(somebody), packet, &[]), OPEN);
    // As somebody may have it, it does not certainly go on to the internet; its neighbour's address does.
    assert!(!line.explore(Reading::Must, &[packet]).holds(Place::Node(internet), &packet));
    let other = syn(LEFT, "10.0.1.51", 80);
    assert!(line.explore(Reading::Must, &[other]).holds(Place::Node(internet), &other));
}

#[test]
fn rule_2_the_sender_does_not_hear_itself() {
    let mut line = Line::new().quiet();
    line.question.footholds = vec![honest(line.r)];
    line.net.node_mut(line.h).kind = Kind::Unknown("odd".to_owned());
    let own = Packet { src: ip("10.0.1.1"), ..udp("10.0.1.1", "10.0.1.255", 9) };
    assert_eq!(line.arrives(Place::Node(line.r), own, &[]), NO);
    assert_eq!(line.arrives(Place::Node(line.h), own, &[]), OPEN);
}
