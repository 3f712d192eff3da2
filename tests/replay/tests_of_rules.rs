//! Rule 5: what the conditions of a rule ask.

use crate::support::line::{HOST, HOST6, LEFT, LEFT6, Line, NO, OPEN, YES};
use crate::support::net::{chain, negated, nowhere, ranges, rule};
use crate::support::packets::{flagged, icmp, part, syn, udp};
use isoaudit::header::{Family, Fragment, Packet, proto, tcp_flags};
use isoaudit::model::{Action, Assumption, Match, Service, Stage, Test, VrfId, ZoneId};

/// Whether a router that forwards only what passes the test forwards the packet: plain, and negated.
fn passes(test: &Test, packet: Packet) -> [bool; 2] {
    let plain = rule("it", vec![test.clone()], Action::Accept);
    let turned = negated(plain.clone());
    [plain, turned].map(|rule| {
        let line = line_with(false, rule);
        line.crosses(packet) == YES
    })
}

fn line_with(tracks: bool, rule: isoaudit::model::Rule) -> Line {
    let mut line = Line::new().quiet();
    line.net.interface_mut(line.r0).zone = Some(ZoneId(0));
    line.net.interface_mut(line.r1).zone = Some(ZoneId(1));
    line.net.interface_mut(line.r0).vrf = Some(VrfId(0));
    let filter = line.net.filter(tracks, vec![chain(Some(Action::Drop), vec![rule])]);
    line.net.bind(line.r, Stage::Forward, filter);
    line
}

const PLAIN: [bool; 2] = [true, false];
const TURNED: [bool; 2] = [false, true];
const NEITHER: [bool; 2] = [false, false];

#[test]
fn rule_5_addresses_and_their_complement_over_both_families() {
    let from = Test::Source(ranges(&["10.0.0.64/28"]));
    assert_eq!(passes(&from, syn(LEFT, HOST, 80)), PLAIN);
    assert_eq!(passes(&from, syn("10.0.0.80", HOST, 80)), TURNED);
    assert_eq!(passes(&from, syn(LEFT6, HOST6, 80)), TURNED);
    let to = Test::Destination(ranges(&["10.9.0.0/16", "10.0.1.9/32"]));
    assert_eq!(passes(&to, syn(LEFT, HOST, 80)), PLAIN);
    assert_eq!(passes(&to, syn(LEFT, "10.0.1.8", 80)), TURNED);
    assert_eq!(passes(&Test::Family(Family::V6), syn(LEFT6, HOST6, 80)), PLAIN);
    assert_eq!(passes(&Test::Family(Family::V6), syn(LEFT, HOST, 80)), TURNED);
}

#[test]
fn rule_5_protocols_and_services() {
    let tcp = Test::Protocol(vec![(6, 6)]);
    assert_eq!(passes(&tcp, syn(LEFT, HOST, 80)), PLAIN);
    assert_eq!(passes(&tcp, udp(LEFT, HOST, 80)), TURNED);
    let services = Test::Service(vec![Service::ports(proto::TCP, 80, 81), Service::icmp(proto::ICMP, 8)]);
    for (packet, expected) in [
        (syn(LEFT, HOST, 81), PLAIN),
        (syn(LEFT, HOST, 82), TURNED),
        (udp(LEFT, HOST, 80), TURNED),
        (icmp(LEFT, HOST, 8), PLAIN),
        (icmp(LEFT, HOST, 0), TURNED),
        (icmp(LEFT6, HOST6, 8), TURNED),
    ] {
        assert_eq!(passes(&services, packet), expected, "{packet}");
    }
    assert_eq!(passes(&Test::Service(vec![Service::ANY]), icmp(LEFT, HOST, 3)), PLAIN);
    assert_eq!(passes(&Test::Service(Vec::new()), icmp(LEFT, HOST, 3)), TURNED);
}

#[test]
fn rule_5_ports_need_a_protocol_that_has_them() {
    let to = Test::DestinationPort(vec![(80, 80)]);
    let from = Test::SourcePort(vec![(40000, 40000)]);
    let either = Test::EitherPort(vec![(40000, 40000), (53, 53)]);
    for (test, packet, expected) in [
        (&to, syn(LEFT, HOST, 80), PLAIN),
        (&to, udp(LEFT, HOST, 81), TURNED),
        (&to, icmp(LEFT, HOST, 8), TURNED),
        (&from, syn(LEFT, HOST, 80), PLAIN),
        (&from, Packet { sport: 1, ..syn(LEFT, HOST, 80) }, TURNED),
        (&either, syn(LEFT, HOST, 80), PLAIN),
        (&either, Packet { sport: 1, ..udp(LEFT, HOST, 53) }, PLAIN),
        (&either, Packet { sport: 1, ..udp(LEFT, HOST, 54) }, TURNED),
    ] {
        assert_eq!(passes(test, packet), expected, "{test:?} {packet}");
    }
    // Zero is the port of no ICMP message.
    assert_eq!(passes(&Test::SourcePort(vec![(0, 0)]), icmp(LEFT, HOST, 8)), TURNED);
}

#[test]
fn rule_5_tcp_flags_need_tcp() {
    let both = tcp_flags::SYN | tcp_flags::ACK;
    let opens = Test::TcpFlags { mask: both, value: tcp_flags::SYN };
    assert_eq!(passes(&opens, syn(LEFT, HOST, 80)), PLAIN);
    assert_eq!(passes(&opens, flagged(syn(LEFT, HOST, 80), tcp_flags::SYN | tcp_flags::URG)), PLAIN);
    assert_eq!(passes(&opens, flagged(syn(LEFT, HOST, 80), both)), TURNED);
    assert_eq!(passes(&Test::TcpFlags { mask: both, value: 0 }, udp(LEFT, HOST, 80)), TURNED);
}

#[test]
fn rule_5_interfaces_zones_and_vrfs() {
    let web = syn(LEFT, HOST, 80);
    for (test, expected) in [
        (Test::InZone(ZoneId(0)), PLAIN),
        (Test::InZone(ZoneId(1)), TURNED),
        (Test::OutZone(ZoneId(1)), PLAIN),
        (Test::OutZone(ZoneId(0)), TURNED),
        (Test::InName("eth+".to_owned()), PLAIN),
        (Test::InName("eth1".to_owned()), TURNED),
        (Test::OutName("eth1".to_owned()), PLAIN),
        (Test::InVrf(VrfId(0)), PLAIN),
        (Test::InVrf(VrfId(1)), TURNED),
    ] {
        assert_eq!(passes(&test, web), expected, "{test:?}");
    }
}

#[test]
fn rule_5_own_addresses() {
    let web = syn(LEFT, HOST, 80);
    assert_eq!(passes(&Test::SourceIsOwn, web), TURNED);
    assert_eq!(passes(&Test::DestinationIsOwn, web), TURNED);
    let mut line = Line::new().quiet();
    let own = rule("own", vec![Test::DestinationIsOwn], Action::Accept);
    line.stateless(Stage::Input, chain(Some(Action::Drop), vec![own]));
    let at_router = isoaudit::replay::Place::Node(line.r);
    assert_eq!(line.arrives(at_router, syn(LEFT, "10.0.1.1", 80), &[]), YES);
    let own = rule("own", vec![Test::SourceIsOwn], Action::Accept);
    let filter = line.net.filter(false, vec![chain(Some(Action::Drop), vec![own])]);
    line.net.bind(line.r, Stage::Output, filter);
    line.question.footholds = vec![crate::support::line::honest(line.r)];
    assert_eq!(line.is_delivered(syn("10.0.1.1", HOST, 80)), YES);
}

#[test]
fn rule_5_any_of_several_is_their_union_and_its_negation_none_of_them() {
    let one = |test, negated| Match { test, negated, span: nowhere() };
    let any = Test::Any(vec![
        one(Test::DestinationPort(vec![(80, 80)]), false),
        one(Test::Protocol(vec![(6, 6)]), true),
    ]);
    assert_eq!(passes(&any, syn(LEFT, HOST, 80)), PLAIN);
    assert_eq!(passes(&any, udp(LEFT, HOST, 9)), PLAIN);
    assert_eq!(passes(&any, syn(LEFT, HOST, 81)), TURNED);
    assert_eq!(passes(&Test::Any(Vec::new()), syn(LEFT, HOST, 81)), TURNED);
}

#[test]
fn rule_5_a_set_with_something_unknown_is_certain_where_the_rest_settles_it() {
    let mut line = Line::new().quiet();
    let unknown = line.unknown_test();
    let any = Test::Any(vec![
        Match { test: unknown, negated: false, span: nowhere() },
        Match { test: Test::DestinationPort(vec![(80, 80)]), negated: false, span: nowhere() },
    ]);
    let plain = rule("any", vec![any], Action::Accept);
    let turned = negated(plain.clone());
    line.stateless(Stage::Forward, chain(Some(Action::Drop), vec![plain]));
    assert_eq!(line.crosses(syn(LEFT, HOST, 80)), YES);
    assert_eq!(line.crosses(syn(LEFT, HOST, 81)), OPEN);
    line.net.network.filters[0].chains[0].rules = vec![turned];
    assert_eq!(line.crosses(syn(LEFT, HOST, 80)), NO);
    assert_eq!(line.crosses(syn(LEFT, HOST, 81)), OPEN);
}

#[test]
fn rule_5_who_does_not_track_cannot_see_the_ports_of_a_later_fragment() {
    let later = part(syn(LEFT, HOST, 80), Fragment::Later);
    let port = Test::DestinationPort(vec![(80, 80)]);
    for test in [
        port.clone(),
        Test::SourcePort(vec![(40000, 40000)]),
        Test::EitherPort(vec![(80, 80)]),
        Test::TcpFlags { mask: tcp_flags::SYN, value: tcp_flags::SYN },
        Test::Service(vec![Service::ports(proto::TCP, 80, 80)]),
        Test::Any(vec![Match { test: port.clone(), negated: false, span: nowhere() }]),
    ] {
        assert_eq!(passes(&test, later), NEITHER, "{test:?}");
        assert_eq!(passes(&test, part(later, Fragment::First)), PLAIN, "{test:?}");
    }
    // A protocol is in every fragment.
    assert_eq!(passes(&Test::Service(vec![Service::protocol(proto::TCP)]), later), PLAIN);
    assert_eq!(passes(&Test::Service(vec![Service::protocol(proto::UDP)]), later), TURNED);
    // So a mixed set holds where its portless part does, and its negation never does.
    let mixed = Test::Service(vec![Service::protocol(proto::TCP), Service::ports(proto::UDP, 53, 53)]);
    assert_eq!(passes(&mixed, later), PLAIN);
    assert_eq!(passes(&mixed, part(udp(LEFT, HOST, 9), Fragment::Later)), NEITHER);
    assert_eq!(passes(&Test::Fragment(vec![Fragment::Later]), later), PLAIN);
}

#[test]
fn rule_5_who_tracks_or_reassembles_judges_the_datagram() {
    let web = || rule("web", vec![Test::DestinationPort(vec![(80, 80)])], Action::Accept);
    let later = part(udp(LEFT, HOST, 80), Fragment::Later);
    assert_eq!(line_with(false, web()).crosses(later), NO);
    // Whether the rest of the datagram comes is another matter, so nothing is certain of a part.
    assert_eq!(line_with(true, web()).crosses(later), OPEN);
    assert_eq!(line_with(true, web()).crosses(part(later, Fragment::Whole)), YES);
    let mut line = line_with(false, web());
    line.net.assume(Assumption::Reassembled);
    assert_eq!(line.crosses(later), YES);
}
