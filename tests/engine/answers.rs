//! Answers by ways that are easily forgotten. Each network here is one about which an engine that forgets it says "holds".

use super::{explored, query};
use crate::support::line::{FAR, LEFT, Line, NO, OPEN, YES, adversary};
use crate::support::net::{Net, chain, lookup_rule, prefix, rule};
use crate::support::packets::{icmp, syn};
use isoaudit::engine::Compiled;
use isoaudit::header::Packet;
use isoaudit::model::{
    Action, Antispoof, Assumption, Existence, Fact, Lookup, Network, Reading, RouteAction, SegmentId, Stage,
    Table, Vrf, VrfId,
};
use isoaudit::replay::{Place, Question, explore};

/// Whether one of these packets comes to a place, in [must, may]; engine and interpreter have to agree on each.
pub(super) fn arrives(network: &Network, question: &Question, place: Place, packets: &[Packet]) -> [bool; 2] {
    let compiled = Compiled::new(network);
    [Reading::Must, Reading::May].map(|reading| {
        let naive = explore(network, reading, question, packets);
        let engine = explored(network, &compiled, &query(network, reading, question), packets);
        for packet in packets {
            let both = [naive.holds(place, packet), engine.holds(place, packet)];
            assert_eq!(both[0], both[1], "{packet} by {reading:?}, interpreter first");
        }
        packets.iter().any(|packet| naive.holds(place, packet))
    })
}

/// Two networks of one VRF at a router that forwards nothing between them and has no other route.
struct Bound {
    net: Net,
    question: Question,
    far: SegmentId,
}

const R_NEAR: &str = "10.0.0.1";
const R_FAR: &str = "10.0.1.1";
const VICTIM: &str = "10.0.1.9";

fn bound() -> Bound {
    let mut net = Net::new();
    net.assume(Assumption::StaticNeighbours);
    let (near, far) = (net.segment("near"), net.segment("far"));
    let r = net.router("r");
    let members = [(near, "10.0.0.1/24"), (far, "10.0.1.1/24")].map(|(segment, address)| {
        let id = net.interface(r, segment, &[address]);
        net.interface_mut(id).vrf = Some(VrfId(0));
        id
    });
    net.network.vrfs = vec![Vrf { name: "blue".to_owned() }];
    let deny = net.filter(false, vec![chain(Some(Action::Drop), Vec::new())]);
    net.bind(r, Stage::Forward, deny);
    let why = net.unknown("whether something is bound to the VRF");
    let mut in_vrf = lookup_rule(Lookup::Table(1));
    (in_vrf.incoming, in_vrf.bound) = (Some(members.to_vec()), Some(why));
    let node = net.node_mut(r);
    let routes = std::mem::take(&mut node.tables[0].routes);
    node.tables.push(Table { name: "blue".to_owned(), routes });
    node.lookup.insert(0, in_vrf);
    let mut question = Question::default();
    question.footholds.push(adversary(Place::Segment(near)));
    Bound { net, question, far }
}

fn comes_far(case: &Bound) -> [bool; 2] {
    // The adversary pretends to be the victim; what comes to the victim is the answer.
    let packets = [icmp(VICTIM, R_NEAR, 8), icmp(R_NEAR, VICTIM, 0), icmp(R_FAR, VICTIM, 0)];
    arrives(&case.net.network, &case.question, Place::Segment(case.far), &packets)
}

#[test]
fn answers_leave_by_the_vrf_that_the_packet_came_in_on() {
    let case = bound();
    assert_eq!(comes_far(&case), OPEN);
    let mut forgotten = bound();
    forgotten.net.network.nodes[0].lookup[0].bound = None;
    assert_eq!(comes_far(&forgotten), NO, "nothing else leads there");
}

#[test]
fn a_vrf_that_routes_nothing_there_leads_nowhere() {
    let mut case = bound();
    let table = &mut case.net.network.nodes[0].tables[1];
    table.routes.retain(|route| route.prefix != prefix("10.0.1.0/24"));
    assert_eq!(comes_far(&case), NO);
}

#[test]
fn what_is_certain_of_own_packets_bears_no_address_of_a_vrf() {
    let mut case = bound();
    let r = isoaudit::model::NodeId(0);
    case.question.footholds = vec![crate::support::line::honest(r)];
    let sends = |case: &Bound| comes_far(case);
    // The main table has no route, so that even on may only the VRF leads there.
    assert_eq!(sends(&case), OPEN);
    // A main table that has one is certain for other addresses than those of the VRF only.
    let out = case.net.network.nodes[0].interfaces[1];
    let on_link = RouteAction::Send(vec![isoaudit::model::NextHop { interface: out, via: None }]);
    case.net.add_route(r, 0, prefix("10.0.1.0/24"), on_link);
    assert_eq!(sends(&case), OPEN);
    let lone = case.net.segment("lone");
    case.net.interface(r, lone, &["10.0.2.1/24"]);
    let packet = icmp("10.0.2.1", VICTIM, 8);
    let at = Place::Segment(case.far);
    assert_eq!(arrives(&case.net.network, &case.question, at, &[packet]), [true, true]);
}

/// The adversary stands on the right, and pretends to be somebody on the left. The router forwards nothing.
fn mirrored(action: Action) -> Line {
    let mut line = Line::new();
    line.net.assume(Assumption::StaticNeighbours);
    line.question.footholds = vec![adversary(Place::Segment(line.right))];
    line.net.node_mut(line.r).forwarding = [Fact::No; 2];
    let list = line.net.filter(false, vec![chain(Some(action), Vec::new())]);
    line.net.bind_interface(line.r1, Stage::Ingress, list);
    line
}

fn comes_left(line: &Line, cause: Packet) -> [bool; 2] {
    let packets = [cause, icmp("10.0.1.1", LEFT, 3)];
    arrives(&line.net.network, &line.question, Place::Segment(line.left), &packets)
}

#[test]
fn what_an_ingress_list_rejects_is_answered() {
    for cause in [syn(LEFT, "10.0.1.1", 80), syn(LEFT, FAR, 80)] {
        assert_eq!(comes_left(&mirrored(Action::Reject), cause), OPEN, "{cause}");
        assert_eq!(comes_left(&mirrored(Action::Drop), cause), NO, "{cause}");
    }
}

#[test]
fn a_target_that_is_not_understood_may_reject() {
    let mut line = mirrored(Action::Drop);
    let target = line.unknown_action();
    let rules = vec![rule("1", Vec::new(), target)];
    let list = line.net.filter(false, vec![chain(Some(Action::Drop), rules)]);
    line.net.interface_mut(line.r1).ingress.clear();
    line.net.bind_interface(line.r1, Stage::Ingress, list);
    assert_eq!(comes_left(&line, syn(LEFT, FAR, 80)), OPEN);
}

#[test]
fn a_reset_of_a_list_on_receive_borrows_the_destination() {
    let far = syn(LEFT, FAR, 80);
    let reset = syn(FAR, LEFT, 80);
    let comes =
        |line: &Line| arrives(&line.net.network, &line.question, Place::Segment(line.left), &[far, reset]);
    assert_eq!(comes(&mirrored(Action::Reject)), OPEN);
    assert_eq!(comes(&mirrored(Action::Drop)), NO);
}

#[test]
fn a_list_for_one_family_rejects_nothing_of_the_other() {
    let mut line = mirrored(Action::Reject);
    for hook in &mut line.net.interface_mut(line.r1).ingress {
        hook.family = Some(isoaudit::header::Family::V6);
    }
    let drops = line.net.filter(false, vec![chain(Some(Action::Drop), Vec::new())]);
    line.net.bind_interface(line.r1, Stage::Ingress, drops);
    assert_eq!(comes_left(&line, syn(LEFT, FAR, 80)), NO);
}

#[test]
fn the_internet_certainly_carries_packets_to_whoever_is_certainly_there() {
    for (is_there, expected) in [(true, YES), (false, OPEN)] {
        let mut line = Line::new();
        let beyond = line.net.segment("beyond");
        let internet = line.internet(line.left);
        line.net.interface(internet, beyond, &[]);
        let somebody = line.net.host("somebody");
        line.net.interface(somebody, beyond, &["198.51.100.7/24"]);
        if !is_there {
            let why = line.net.unknown("whether somebody is there");
            line.net.node_mut(somebody).existence = Existence::Possible(why);
        }
        let packet = syn(LEFT, "198.51.100.7", 80);
        let at = Place::Segment(beyond);
        assert_eq!(arrives(&line.net.network, &line.question, at, &[packet]), expected, "{is_there}");
    }
}

#[test]
fn who_may_be_there_makes_no_broadcast_address() {
    let mut line = Line::new().quiet();
    let somebody = line.net.host("somebody");
    line.net.interface(somebody, line.left, &["10.0.9.3/29"]);
    let out = RouteAction::Send(vec![isoaudit::model::NextHop { interface: line.r1, via: None }]);
    line.net.add_route(line.r, 0, prefix("10.0.9.0/24"), out);
    let packet = syn(LEFT, "10.0.9.7", 80);
    let right = Place::Segment(line.right);
    assert_eq!(arrives(&line.net.network, &line.question, right, &[packet]), NO);
    let why = line.net.unknown("whether somebody is there");
    line.net.node_mut(somebody).existence = Existence::Possible(why);
    assert_eq!(arrives(&line.net.network, &line.question, right, &[packet]), YES);
}

#[test]
fn a_table_that_perhaps_ends_the_lookup_answers_what_the_source_check_drops() {
    for (falls_through, expected) in
        [(Fact::Yes, NO), (Fact::No, OPEN), (Fact::Unknown(isoaudit::model::UnknownId(0)), OPEN)]
    {
        let mut line = Line::new();
        line.net.unknown("whether the lookup goes on");
        line.net.assume(Assumption::StaticNeighbours);
        line.question.footholds = vec![adversary(Place::Segment(line.right))];
        line.net.interface_mut(line.r1).antispoof = [Antispoof::Strict; 2];
        let out = RouteAction::Send(vec![isoaudit::model::NextHop { interface: line.r1, via: None }]);
        line.net.add_route(line.r, 0, prefix("0.0.0.0/0"), out);
        let mut first = lookup_rule(Lookup::Table(1));
        (first.incoming, first.falls_through) = (Some(vec![line.r1]), falls_through);
        let r = line.net.node_mut(line.r);
        r.tables.push(Table { name: "blue".to_owned(), routes: Vec::new() });
        r.lookup.insert(0, first);
        assert_eq!(comes_left(&line, syn(LEFT, FAR, 80)), expected, "{falls_through:?}");
    }
}

#[test]
fn answers_meet_the_output_list() {
    for (action, expected) in [(Action::Accept, OPEN), (Action::Drop, NO)] {
        let mut line = mirrored(Action::Accept);
        line.stateless(Stage::Output, chain(Some(action), Vec::new()));
        assert_eq!(comes_left(&line, icmp(LEFT, "10.0.1.1", 8)), expected, "{action:?}");
    }
}
