//! What belongs to an open connection, where the packets of a random universe stand for too many kinds at once.

use super::answers::arrives;
use super::witnesses::packets_to;
use crate::support::line::{HOST, HOST6, LEFT, LEFT6, Line, NO, OPEN, YES, adversary, honest};
use crate::support::net::{chain, ranges, rule};
use crate::support::packets::{icmp, reply, syn};
use isoaudit::claim::Door;
use isoaudit::header::proto;
use isoaudit::model::{Action, Fact, Rule, Service, Stage, State, Test};
use isoaudit::replay::Place;

/// The adversary stands on the right; an accomplice on the left may open connections by one type of ICMP.
fn asked_from_the_left(number: u8, request: u8) -> Line {
    let mut line = Line::new().quiet();
    let known = rule("established", vec![Test::State(vec![State::Established])], Action::Accept);
    let asks = Test::Service(vec![Service::icmp(number, request)]);
    let asks = rule("asks", vec![asks, Test::InName("eth0".to_owned())], Action::Accept);
    line.tracking(Stage::Forward, chain(Some(Action::Drop), vec![known, asks]));
    line.question.openers = vec![adversary(Place::Segment(line.left))];
    line.question.footholds = vec![adversary(Place::Segment(line.right))];
    line
}

#[test]
fn a_reply_of_icmp_belongs_to_its_request_alone() {
    let v4 = [(8, 0), (13, 14), (15, 16), (17, 18)].map(|pair| (proto::ICMP, LEFT, HOST, pair));
    let v6 = [(128, 129), (139, 140)].map(|pair| (proto::ICMPV6, LEFT6, HOST6, pair));
    for (number, left, host, (request, reply)) in v4.into_iter().chain(v6) {
        let line = asked_from_the_left(number, request);
        let comes = |kind: u8| {
            let packets = [icmp(left, host, request), icmp(host, left, kind)];
            let at = Place::Segment(line.left);
            // What the accomplice sends is put there too, but does not count.
            arrives(&line.net.network, &line.question, at, &packets)
        };
        assert_eq!(comes(reply), YES, "{request} is answered by {reply}");
        assert_eq!(comes(reply + 1), NO, "{request} is not answered by {}", reply + 1);
    }
}

#[test]
fn an_error_may_belong_to_a_connection_from_any_source() {
    let mut line = asked_from_the_left(proto::ICMP, 8);
    let filter = &mut line.net.network.filters[0];
    filter.chains[0].rules[0].matches[0].test = Test::State(vec![State::Related]);
    let packets = [icmp(LEFT, HOST, 8), icmp("10.0.1.77", LEFT, 3)];
    assert_eq!(arrives(&line.net.network, &line.question, Place::Segment(line.left), &packets), OPEN);
    line.question.openers.clear();
    assert_eq!(arrives(&line.net.network, &line.question, Place::Segment(line.left), &packets), NO);
}

fn established() -> Rule {
    rule("established", vec![Test::State(vec![State::Established])], Action::Accept)
}

#[test]
fn what_lets_an_honest_sender_answer_is_shown_first() {
    let mut line = Line::new().quiet();
    line.tracking(Stage::Input, chain(Some(Action::Accept), Vec::new()));
    line.tracking(Stage::Output, chain(Some(Action::Drop), vec![established()]));
    line.question.footholds = vec![honest(line.r)];
    let left = Place::Segment(line.left);
    assert_eq!(packets_to(&line.net.network, &line.question, left), 0);
    line.question.openers = vec![adversary(left)];
    assert_eq!(packets_to(&line.net.network, &line.question, left), 2);
}

#[test]
fn a_connection_that_was_opened_through_a_door_leads_past_it() {
    let mut line = Line::new().quiet();
    let rules = vec![established(), rule("door", vec![Test::InName("eth0".to_owned())], Action::Accept)];
    let filter = line.tracking(Stage::Forward, chain(Some(Action::Drop), rules));
    let right = Place::Segment(line.right);
    assert_eq!(packets_to(&line.net.network, &line.question, right), 1);
    line.question.cut = vec![Door::Rule { filter, chain: 0, rule: 1 }];
    assert_eq!(packets_to(&line.net.network, &line.question, right), 2);
    line.net.network.filters[0].chains[0].rules[1].opens = false;
    assert_eq!(packets_to(&line.net.network, &line.question, right), 0);
}

/// A packet that names its own way is forwarded with the device's address as its destination, and opens a connection so.
#[test]
fn what_is_routed_by_its_source_opens_a_connection() {
    for (routes_by_source, expected) in [(Fact::Yes, OPEN), (Fact::No, NO)] {
        let mut line = Line::new().quiet();
        line.net.node_mut(line.r).source_routing = routes_by_source;
        let to_itself = rule("to itself", vec![Test::Destination(ranges(&["10.0.1.1/32"]))], Action::Accept);
        line.tracking(Stage::Forward, chain(Some(Action::Drop), vec![to_itself]));
        line.tracking(Stage::Input, chain(Some(Action::Drop), vec![established()]));
        line.question.openers = vec![adversary(Place::Segment(line.left))];
        line.question.footholds = vec![adversary(Place::Segment(line.right))];
        let asked = syn(LEFT, "10.0.1.1", 22);
        let packets = [asked, reply(asked)];
        assert_eq!(arrives(&line.net.network, &line.question, Place::Node(line.r), &packets), expected);
    }
}
