//! Rule 6: what a device sends itself.

use crate::support::line::{HOST, LEFT, LEFT6, Line, NO, OPEN, YES, honest};
use crate::support::net::{chain, prefix, ranges, rule};
use crate::support::packets::{reply, syn, udp};
use isoaudit::model::{Action, Fact, Reading, RouteAction, Stage, State, Test};
use isoaudit::replay::Place;

fn from_host() -> Line {
    let mut line = Line::new().quiet();
    line.question.footholds = vec![honest(line.h)];
    line
}

#[test]
fn rule_6_its_own_routes_choose_the_way() {
    let mut line = from_host();
    let packet = syn(HOST, LEFT, 80);
    assert_eq!(line.arrives(Place::Segment(line.left), packet, &[]), YES);
    line.net.node_mut(line.h).tables[0].routes.retain(|route| route.prefix.prefix_len() > 0);
    assert_eq!(line.arrives(Place::Segment(line.left), packet, &[]), NO);
}

#[test]
fn rule_6_the_output_filter_and_the_egress_list_bind_it_and_the_forward_filter_does_not() {
    let packet = syn(HOST, LEFT, 80);
    let deny = || chain(Some(Action::Drop), Vec::new());
    let mut line = from_host();
    let filter = line.net.filter(false, vec![deny()]);
    line.net.bind(line.h, Stage::Forward, filter);
    line.net.bind(line.h, Stage::Input, filter);
    assert_eq!(line.crosses(packet), YES);
    line.net.bind(line.h, Stage::Output, filter);
    assert_eq!(line.crosses(packet), NO);
    line.net.node_mut(line.h).output.clear();
    line.net.bind_interface(line.h0, Stage::Egress, filter);
    assert_eq!(line.crosses(packet), NO);
}

#[test]
fn rule_6_output_sees_the_out_interface_and_no_in_interface() {
    let packet = syn(HOST, LEFT, 80);
    for (test, expected) in [
        (Test::OutName("eth0".to_owned()), YES),
        (Test::OutName("eth1".to_owned()), NO),
        (Test::InName("eth+".to_owned()), NO),
    ] {
        let mut line = from_host();
        let allow = rule("it", vec![test], Action::Accept);
        let filter = line.net.filter(false, vec![chain(Some(Action::Drop), vec![allow])]);
        line.net.bind(line.h, Stage::Output, filter);
        assert_eq!(line.crosses(packet), expected);
    }
}

#[test]
fn rule_6_a_rule_about_in_interfaces_is_not_about_own_packets() {
    let mut line = from_host();
    let mut drop_all = crate::support::net::lookup_rule(isoaudit::model::Lookup::Blackhole);
    drop_all.incoming = Some(vec![line.h0]);
    line.net.node_mut(line.h).lookup.insert(0, drop_all.clone());
    assert_eq!(line.crosses(syn(HOST, LEFT, 80)), YES);
    drop_all.incoming = None;
    line.net.node_mut(line.h).lookup.insert(0, drop_all);
    assert_eq!(line.crosses(syn(HOST, LEFT, 80)), NO);
}

#[test]
fn rule_6_a_v6_address_is_sent_from_only_where_ipv6_holds() {
    let mut line = from_host();
    let packet = syn("fd00:0:0:1::9", LEFT6, 80);
    assert_eq!(line.crosses(packet), YES);
    line.net.interface_mut(line.h0).ipv6 = Fact::Unknown(line.net.unknown("ipv6"));
    assert_eq!(line.crosses(packet), OPEN);
    line.net.interface_mut(line.h0).ipv6 = Fact::No;
    assert_eq!(line.crosses(packet), NO);
}

#[test]
fn rule_6_its_own_packets_open_connections_at_itself() {
    let mut line = Line::new().quiet();
    let established = rule("est", vec![Test::State(vec![State::Established])], Action::Accept);
    let allow = rule("dns", vec![Test::DestinationPort(vec![(53, 53)])], Action::Accept);
    let chains = vec![chain(Some(Action::Drop), vec![established]), chain(Some(Action::Drop), vec![allow])];
    let filter = line.net.filter(true, chains);
    line.net.bind(line.h, Stage::Input, filter);
    line.net.bind(line.h, Stage::Output, filter);
    line.net.node_mut(line.h).output[0].chain = 1;
    line.question.openers = vec![honest(line.h)];
    let asked = udp(HOST, LEFT, 53);
    assert_eq!(line.arrives(Place::Node(line.h), reply(asked), &[asked]), YES);
    assert_eq!(line.arrives(Place::Node(line.h), reply(udp(HOST, LEFT, 54)), &[udp(HOST, LEFT, 54)]), NO);
    assert!(line.explore(Reading::Must, &[asked]).opened[&line.h].contains(&asked));
}

#[test]
fn rule_6_each_equal_next_hop_is_tried() {
    let mut line = from_host();
    let second = line.net.segment("second");
    let h1 = line.net.interface(line.h, second, &["10.0.5.9/24"]);
    line.net.node_mut(line.h).tables[0].routes.retain(|route| route.prefix.prefix_len() > 0);
    line.net.route(line.h, "0.0.0.0/0", &[(line.h0, "10.0.1.1"), (h1, "10.0.5.1")]);
    let packet = syn(HOST, LEFT, 80);
    assert_eq!(line.crosses(packet), YES);
    assert_eq!(line.arrives(Place::Segment(second), packet, &[]), YES);
    // A list may bind one of them only.
    let mine = Test::Destination(ranges(&["10.0.0.0/24"]));
    let deny =
        vec![chain(None, vec![rule("no", vec![mine, Test::OutName("eth1".to_owned())], Action::Drop)])];
    let filter = line.net.filter(false, deny);
    line.net.bind(line.h, Stage::Output, filter);
    assert_eq!(line.crosses(packet), YES);
    assert_eq!(line.arrives(Place::Segment(second), packet, &[]), NO);
}

#[test]
fn rule_6_broadcasts_of_own_prefixes_go_out_before_any_route() {
    let mut line = Line::new().quiet();
    line.question.footholds = vec![honest(line.r)];
    line.net.add_route(line.r, 0, prefix("10.0.1.128/25"), RouteAction::Blackhole);
    assert_eq!(line.crosses(udp("10.0.1.1", "10.0.1.255", 9)), YES);
    assert_eq!(line.crosses(udp("10.0.1.1", "10.0.1.254", 9)), NO);
}
