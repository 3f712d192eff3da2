//! Ordered schedules.

use crate::support::line::{HOST, LEFT, Line, adversary, honest};
use crate::support::net::{chain, ranges, rule};
use crate::support::packets::{icmp, reply, syn, udp};
use isoaudit::header::Packet;
use isoaudit::model::{Action, NextHop, Reading, RouteAction, Stage, State, Test};
use isoaudit::replay::trail::End;
use isoaudit::replay::{Crossing, Origin, Place, Send, Walked, walk};

fn send(origin: Origin, packet: Packet) -> Send {
    Send { origin, packet, path: Vec::new() }
}

fn must(line: &Line, sends: &[Send]) -> Walked {
    walk(&line.net.network, Reading::Must, &line.question, sends)
}

/// As in the tests of states: only the right side opens connections.
fn one_way() -> Line {
    let mut line = Line::new().quiet();
    let rules = vec![
        rule("established", vec![Test::State(vec![State::Established])], Action::Accept),
        rule("out", vec![Test::Source(ranges(&["10.0.1.0/24"]))], Action::Accept),
    ];
    line.tracking(Stage::Forward, chain(Some(Action::Drop), rules));
    line.question.openers = vec![honest(line.h)];
    line
}

#[test]
fn a_single_send_is_confirmed_where_it_arrives_and_nowhere_else() {
    let line = Line::new().quiet();
    let walked = must(&line, &[send(Origin::Segment(line.left), syn(LEFT, HOST, 80))]);
    for (place, expected) in [
        (Place::Segment(line.left), true),
        (Place::Segment(line.right), true),
        (Place::Node(line.h), true),
        (Place::Node(line.r), false),
    ] {
        assert_eq!(walked.confirms(place), expected, "{place:?}");
    }
}

#[test]
fn the_order_of_sends_matters() {
    let line = one_way();
    let opening = send(Origin::Honest(line.h), syn(HOST, LEFT, 443));
    let answer = send(Origin::Segment(line.left), reply(opening.packet));
    let right = Place::Segment(line.right);
    let walked = must(&line, &[opening.clone(), answer.clone()]);
    assert!(walked.confirms(right));
    assert!(!walked.legs[0].counts);
    assert_eq!(walked.legs[0].opened, [line.r]);
    assert!(!must(&line, &[answer.clone()]).confirms(right));
    assert!(!must(&line, &[answer, opening]).confirms(right));
}

#[test]
fn what_an_opener_sends_never_confirms() {
    let line = one_way();
    let opening = send(Origin::Honest(line.h), syn(HOST, LEFT, 443));
    let walked = must(&line, &[opening]);
    assert!(walked.legs[0].arrived.contains(&Place::Segment(line.left)));
    assert!(!walked.confirms(Place::Segment(line.left)));
}

#[test]
fn nobody_sends_from_where_nobody_stands() {
    let line = Line::new().quiet();
    for origin in
        [Origin::Segment(line.right), Origin::Node(line.r), Origin::Honest(line.h), Origin::Answer(line.r)]
    {
        let walked = must(&line, &[send(origin, syn(HOST, LEFT, 80))]);
        assert_eq!(walked.legs[0].branches[0].end, End::NotSent, "{origin:?}");
        assert!(walked.legs[0].arrived.is_empty());
    }
    // An honest node does not lie about its address.
    let mut line = line;
    line.question.footholds = vec![honest(line.h)];
    assert_eq!(
        must(&line, &[send(Origin::Honest(line.h), syn(LEFT, HOST, 80))]).legs[0].branches[0].end,
        End::NotSent
    );
}

#[test]
fn a_named_path_is_followed_and_no_other() {
    let mut line = Line::new().quiet();
    let hops = vec![NextHop { interface: line.r0, via: None }, NextHop { interface: line.r1, via: None }];
    line.net.add_route(line.r, 0, crate::support::net::prefix("192.0.2.0/24"), RouteAction::Send(hops));
    let packet = syn(LEFT, "192.0.2.1", 80);
    let first = Crossing::plain(line.left, None, Some(line.r0));
    let along = |second| Send { origin: Origin::Segment(line.left), packet, path: vec![first, second] };
    let good = must(&line, &[along(Crossing::plain(line.right, Some(line.r1), None))]);
    assert!(good.confirms(Place::Segment(line.right)));
    assert_eq!(good.legs[0].branches.len(), 1);
    assert_eq!(good.legs[0].branches[0].end, End::OnSegment(line.right));
    // Somebody who does not get it, and an interface that does not send it.
    let wrong = [
        Crossing::plain(line.right, Some(line.r1), Some(line.h0)),
        Crossing::plain(line.right, Some(line.h0), None),
        Crossing::plain(line.right, None, None),
    ];
    for crossing in wrong {
        let walked = must(&line, &[along(crossing)]);
        assert!(!walked.confirms(Place::Segment(line.right)), "{crossing:?}");
        assert_eq!(walked.legs[0].branches[0].end, End::Elsewhere);
    }
}

#[test]
fn a_named_path_that_a_filter_stops_says_which_rule() {
    let mut line = Line::new().quiet();
    let filter = line.stateless(Stage::Forward, chain(None, vec![rule("deny", Vec::new(), Action::Drop)]));
    let path = vec![
        Crossing::plain(line.left, None, Some(line.r0)),
        Crossing::plain(line.right, Some(line.r1), None),
    ];
    let walked =
        must(&line, &[Send { origin: Origin::Segment(line.left), packet: syn(LEFT, HOST, 80), path }]);
    let End::Filtered { judgement, .. } = &walked.legs[0].branches[0].end else { panic!("{walked:?}") };
    let by = isoaudit::replay::filter::Decider::Rule { filter, chain: 0, rule: 0 };
    assert_eq!(judgement.by, by);
}

#[test]
fn a_path_that_ends_at_a_node_ends_with_its_delivery() {
    let line = Line::new().quiet();
    let path = vec![
        Crossing::plain(line.left, None, Some(line.r0)),
        Crossing::plain(line.right, Some(line.r1), Some(line.h0)),
    ];
    let to = |dst| {
        let path = path.clone();
        must(&line, &[Send { origin: Origin::Segment(line.left), packet: syn(LEFT, dst, 80), path }])
    };
    assert_eq!(to(HOST).legs[0].branches[0].end, End::Delivered(line.h));
    assert!(!to("10.0.1.8").confirms(Place::Node(line.h)));
}

#[test]
fn a_packet_in_a_loop_stops() {
    let mut line = Line::new().quiet();
    let other = line.net.router("other");
    let o = line.net.interface(other, line.right, &["10.0.1.2/24"]);
    line.net.route(line.r, "192.0.2.0/24", &[(line.r1, "10.0.1.2")]);
    line.net.route(other, "192.0.2.0/24", &[(o, "10.0.1.1")]);
    let walked = must(&line, &[send(Origin::Segment(line.left), syn(LEFT, "192.0.2.1", 80))]);
    assert_eq!(walked.legs[0].branches.last().unwrap().end, End::Loop);
}

#[test]
fn on_may_an_answer_can_be_sent_after_what_caused_it() {
    let mut line = Line::new();
    line.net.assume(isoaudit::model::Assumption::StaticNeighbours);
    line.stateless(Stage::Forward, chain(Some(Action::Drop), Vec::new()));
    line.question.footholds = vec![adversary(Place::Segment(line.right))];
    let cause = send(Origin::Segment(line.right), icmp(LEFT, "10.0.1.1", 8));
    let answer = send(Origin::Answer(line.r), icmp("10.0.1.1", LEFT, 0));
    let may = |sends: &[Send]| walk(&line.net.network, Reading::May, &line.question, sends);
    assert!(may(&[cause.clone(), answer.clone()]).confirms(Place::Segment(line.left)));
    assert!(!may(&[answer.clone()]).confirms(Place::Segment(line.left)));
    let elsewhere = send(Origin::Answer(line.r), icmp("10.0.1.1", "10.0.0.67", 0));
    assert!(!may(&[cause.clone(), elsewhere]).confirms(Place::Segment(line.left)));
    assert!(!must(&line, &[cause, answer]).confirms(Place::Segment(line.left)));
}

#[test]
fn on_may_somebody_undescribed_sends_once_it_was_reached() {
    let mut line = Line::new();
    line.net.assume(isoaudit::model::Assumption::NoReflection);
    let reach = send(Origin::Segment(line.left), syn(LEFT, "10.0.1.77", 80));
    let next = send(Origin::Segment(line.right), udp("10.0.1.77", HOST, 9));
    let may = |sends: &[Send]| walk(&line.net.network, Reading::May, &line.question, sends);
    assert!(may(&[reach, next.clone()]).confirms(Place::Node(line.h)));
    assert!(!may(&[next]).confirms(Place::Node(line.h)));
}

#[test]
fn what_is_open_is_established_in_a_schedule_and_not_new() {
    // A list that takes new packets only takes a connection's first packet once.
    let mut line = Line::new().quiet();
    let new = rule("new", vec![Test::State(vec![State::New])], Action::Accept);
    line.tracking(Stage::Forward, chain(Some(Action::Drop), vec![new]));
    let one = send(Origin::Segment(line.left), udp(LEFT, HOST, 53));
    assert!(must(&line, &[one.clone()]).confirms(Place::Segment(line.right)));
    assert!(!must(&line, &[one.clone(), one]).confirms(Place::Segment(line.right)));
}
