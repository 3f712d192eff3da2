//! Rule 3: receiving, and passing on.

use crate::support::line::{FAR, HOST, HOST6, LEFT, LEFT6, Line, NO, OPEN, YES, adversary};
use crate::support::net::{chain, lookup_rule, prefix, rule};
use crate::support::packets::{syn, udp};
use isoaudit::claim::Door;
use isoaudit::header::{Fragment, Packet};
use isoaudit::model::{
    Action, Antispoof, Assumption, Existence, Fact, Kind, Lookup, Reading, RouteAction, Stage, Table, Test,
};
use isoaudit::replay::Place;

#[test]
fn rule_3_nothing_is_received_where_ipv6_is_off() {
    let mut line = Line::new().quiet();
    assert_eq!(line.is_delivered(syn(LEFT6, HOST6, 80)), YES);
    line.net.interface_mut(line.r0).ipv6 = Fact::No;
    assert_eq!(line.is_delivered(syn(LEFT6, HOST6, 80)), NO);
    assert_eq!(line.is_delivered(syn(LEFT, HOST, 80)), YES);
    line.net.interface_mut(line.r0).ipv6 = Fact::Unknown(line.net.unknown("ipv6"));
    assert_eq!(line.is_delivered(syn(LEFT6, HOST6, 80)), OPEN);
}

#[test]
fn rule_3_nothing_is_sent_where_ipv6_is_off() {
    let mut line = Line::new().quiet();
    line.net.interface_mut(line.r1).ipv6 = Fact::No;
    assert_eq!(line.crosses(syn(LEFT6, HOST6, 80)), NO);
}

#[test]
fn rule_3_the_internet_may_answer_anything_and_for_certain_passes_on_to_the_owner() {
    let mut line = Line::new();
    line.net.assume(Assumption::StaticNeighbours);
    let far = line.net.segment("far");
    let internet = line.internet(line.right);
    line.net.interface(internet, far, &[]);
    let end = line.net.host("end");
    line.net.interface(end, far, &["192.0.2.7/24"]);
    line.net.route(line.r, "0.0.0.0/0", &[(line.r1, "10.0.1.254")]);
    let packet = syn(LEFT, FAR, 80);
    assert_eq!(line.arrives(Place::Node(internet), packet, &[]), YES);
    assert_eq!(line.arrives(Place::Node(end), packet, &[]), YES);
    // To an address that nobody there has, it is not certain that it is put on that line.
    let nobody = syn(LEFT, "192.0.2.8", 80);
    assert_eq!(line.arrives(Place::Segment(far), nobody, &[]), OPEN);
    let anything = udp("1.1.1.1", FAR, 9);
    line.question.footholds = vec![crate::support::line::honest(line.h)];
    assert_eq!(line.arrives(Place::Segment(far), anything, &[]), NO);
    assert_eq!(line.arrives(Place::Segment(far), anything, &[syn(HOST, "10.0.1.200", 80)]), OPEN);
}

#[test]
fn rule_3_without_reflection_the_internet_only_passes_on() {
    let mut line = Line::new().quiet();
    let far = line.net.segment("far");
    let internet = line.internet(line.right);
    line.net.interface(internet, far, &[]);
    line.net.route(line.r, "0.0.0.0/0", &[(line.r1, "10.0.1.254")]);
    let packet = syn(LEFT, FAR, 80);
    assert_eq!(line.arrives(Place::Segment(far), packet, &[]), OPEN);
    assert_eq!(line.arrives(Place::Segment(far), udp(FAR, "8.8.8.8", 9), &[packet]), OPEN);
    line.net.node_mut(line.r).tables[0].routes.clear();
    assert_eq!(line.arrives(Place::Segment(far), packet, &[]), NO);
}

#[test]
fn rule_3_a_place_nobody_described_is_an_exit_and_a_source() {
    let mut line = Line::new().quiet();
    let why = line.net.unknown("who has 10.0.1.2");
    let somebody = line.net.host("somebody");
    line.net.node_mut(somebody).existence = Existence::Possible(why);
    line.net.interface(somebody, line.right, &["10.0.1.2/24"]);
    let beyond = line.net.segment("beyond");
    line.net.interface(somebody, beyond, &[]);
    line.net.route(line.r, "0.0.0.0/0", &[(line.r1, "10.0.1.2")]);
    let anything = udp("1.1.1.1", "2.2.2.2", 9);
    let packet = syn(LEFT, FAR, 80);
    assert_eq!(line.arrives(Place::Node(somebody), packet, &[]), OPEN);
    assert_eq!(line.arrives(Place::Segment(beyond), anything, &[packet]), OPEN);
    line.net.node_mut(line.r).tables[0].routes.clear();
    assert_eq!(line.arrives(Place::Segment(beyond), anything, &[packet]), NO);
}

#[test]
fn rule_3_an_unknown_kind_delivers_nothing_for_certain() {
    let mut line = Line::new().quiet();
    line.net.node_mut(line.r).kind = Kind::Unknown("odd".to_owned());
    assert_eq!(line.crosses(syn(LEFT, HOST, 80)), OPEN);
}

#[test]
fn rule_3a_the_ingress_list_comes_first_and_sees_no_out_interface() {
    let mut line = Line::new().quiet();
    let by_name = |name: &str| {
        chain(Some(Action::Drop), vec![rule("a", vec![Test::InName(name.to_owned())], Action::Accept)])
    };
    let filter = line.net.filter(false, vec![by_name("eth0")]);
    line.net.bind_interface(line.r0, Stage::Ingress, filter);
    assert_eq!(line.crosses(syn(LEFT, HOST, 80)), YES);
    let out =
        chain(Some(Action::Drop), vec![rule("a", vec![Test::OutName("eth1".to_owned())], Action::Accept)]);
    let filter = line.net.filter(false, vec![out]);
    line.net.bind_interface(line.r0, Stage::Ingress, filter);
    assert_eq!(line.crosses(syn(LEFT, HOST, 80)), NO);
}

#[test]
fn rule_3b_martians_are_certain_to_go_nowhere_and_may_where_linux_can_be_told_to_take_them() {
    let line = Line::new().quiet();
    for src in ["0.0.0.1", "127.0.0.1", "10.0.0.1", "10.0.1.1"] {
        assert_eq!(line.crosses(syn(src, HOST, 80)), OPEN, "{src}");
    }
    for src in ["224.0.0.1", "255.255.255.255"] {
        assert_eq!(line.crosses(syn(src, HOST, 80)), NO, "{src}");
    }
    for (src, expected) in [("::", OPEN), ("fd00::1", OPEN), ("::1", NO), ("ff02::1", NO)] {
        assert_eq!(line.crosses(syn(src, HOST6, 80)), expected, "{src}");
    }
    assert_eq!(line.crosses(syn("169.254.1.1", HOST, 80)), YES);
    let mut odd = Line::new().quiet();
    odd.net.node_mut(odd.r).kind = Kind::Unknown("odd".to_owned());
    assert_eq!(odd.crosses(syn("224.0.0.1", HOST, 80)), OPEN);
    let mut line = line;
    line.net.route(line.r, "127.0.0.0/8", &[(line.r1, HOST)]);
    assert_eq!(line.crosses(syn(LEFT, "127.0.0.1", 80)), OPEN);
}

#[test]
fn rule_3c_the_way_back_to_an_own_address_is_no_way_out() {
    for (kind, expected) in [(Antispoof::Strict, NO), (Antispoof::Loose, NO), (Antispoof::Off, OPEN)] {
        let mut line = Line::new().quiet();
        line.net.interface_mut(line.r0).antispoof = [kind; 2];
        assert_eq!(line.crosses(syn("10.0.0.1", HOST, 80)), expected, "{kind:?}");
        assert_eq!(line.crosses(syn("fd00::1", HOST6, 80)), expected, "{kind:?}");
    }
}

#[test]
fn rule_3c_strict_wants_the_way_back_by_the_same_interface_loose_wants_any() {
    let expected =
        [(Antispoof::Strict, YES, NO, NO), (Antispoof::Loose, YES, YES, NO), (Antispoof::Off, YES, YES, YES)];
    for (kind, near, other_side, nowhere) in expected {
        let mut line = Line::new().quiet();
        line.net.interface_mut(line.r0).antispoof = [kind; 2];
        assert_eq!(line.crosses(syn(LEFT, HOST, 80)), near, "{kind:?}");
        assert_eq!(line.crosses(syn("10.0.1.200", HOST, 80)), other_side, "{kind:?}");
        assert_eq!(line.crosses(syn(FAR, HOST, 80)), nowhere, "{kind:?}");
        assert_eq!(line.crosses(syn(LEFT6, HOST6, 80)), near, "{kind:?}");
        assert_eq!(line.crosses(syn("fd00:0:0:1::200", HOST6, 80)), other_side, "{kind:?}");
    }
}

#[test]
fn rule_3c_undeclared_takes_what_strict_would_for_certain_and_the_rest_perhaps() {
    let mut line = Line::new().quiet();
    let why = line.net.unknown("whether r checks sources");
    line.net.interface_mut(line.r0).antispoof = [Antispoof::Undeclared(why); 2];
    assert_eq!(line.crosses(syn(LEFT, HOST, 80)), YES);
    assert_eq!(line.crosses(syn(FAR, HOST, 80)), OPEN);
}

#[test]
fn rule_3c_a_blackhole_is_no_way_back_and_link_local_sources_need_none() {
    let mut line = Line::new().quiet();
    line.net.interface_mut(line.r0).antispoof = [Antispoof::Loose; 2];
    line.net.add_route(line.r, 0, prefix("192.0.2.0/24"), RouteAction::Blackhole);
    assert_eq!(line.crosses(syn(FAR, HOST, 80)), NO);
    // A link-local source passes the check; being forwarded is another matter.
    assert_eq!(line.arrives(Place::Node(line.r), syn("fe80::5", "fd00::1", 80), &[]), YES);
    assert_eq!(line.crosses(syn("fe80::5", HOST6, 80)), OPEN);
}

#[test]
fn rule_3d_any_own_address_is_local_and_is_never_forwarded() {
    let mut line = Line::new().quiet();
    assert_eq!(line.arrives(Place::Node(line.r), syn(LEFT, "10.0.1.1", 80), &[]), YES);
    assert_eq!(line.crosses(syn(LEFT, "10.0.1.1", 80)), NO);
    line.stateless(Stage::Input, chain(Some(Action::Drop), Vec::new()));
    assert_eq!(line.arrives(Place::Node(line.r), syn(LEFT, "10.0.1.1", 80), &[]), NO);
    assert_eq!(line.crosses(syn(LEFT, HOST, 80)), YES);
}

#[test]
fn rule_3d_the_broadcast_address_of_any_own_prefix_is_local_and_is_not_passed_on() {
    let mut line = Line::new().quiet();
    // It comes from the left, and is the broadcast address of the right.
    let packet = udp(LEFT, "10.0.1.255", 9);
    assert_eq!(line.arrives(Place::Node(line.r), packet, &[]), OPEN);
    assert_eq!(line.crosses(packet), NO);
    line.net.node_mut(line.r).multicast_forwarding = Fact::Yes;
    assert_eq!(line.crosses(packet), OPEN);
}

#[test]
fn rule_3d_a_part_of_a_datagram_is_not_certainly_delivered() {
    let line = Line::new().quiet();
    for fragment in [Fragment::First, Fragment::Later] {
        let part = Packet { fragment, ..udp(LEFT, HOST, 80) };
        assert_eq!(line.crosses(part), YES);
        assert_eq!(line.is_delivered(part), OPEN);
    }
    assert_eq!(line.is_delivered(udp(LEFT, HOST, 80)), YES);
}

#[test]
fn rule_3b_nothing_is_certain_about_a_source_that_is_a_broadcast_address_here() {
    let line = Line::new().quiet();
    assert_eq!(line.crosses(syn("10.0.0.255", HOST, 80)), OPEN);
    assert_eq!(line.crosses(syn("10.0.9.255", HOST, 80)), YES);
    // Whoever checks sources takes none of them.
    let mut line = Line::new().quiet();
    line.net.interface_mut(line.r0).antispoof = [Antispoof::Strict; 2];
    assert_eq!(line.crosses(syn("10.0.0.254", HOST, 80)), YES);
    assert_eq!(line.crosses(syn("10.0.0.255", HOST, 80)), NO);
}

#[test]
fn rule_3c_the_way_back_is_looked_up_as_coming_in_where_the_packet_leaves() {
    let mut line = Line::new().quiet();
    line.net.interface_mut(line.r0).antispoof = [Antispoof::Strict; 2];
    // What comes in from the left is looked up in a table that has the way to the right alone.
    line.net.node_mut(line.r).tables.push(Table { name: "left".to_owned(), routes: Vec::new() });
    line.net.add_route(line.r, 1, prefix("10.0.0.0/24"), RouteAction::Blackhole);
    let mut rule = lookup_rule(Lookup::Table(1));
    rule.incoming = Some(vec![line.r0]);
    line.net.node_mut(line.r).lookup.insert(0, rule);
    assert_eq!(line.crosses(syn(LEFT, HOST, 80)), OPEN);
}

#[test]
fn rule_3d_groups_are_forwarded_on_may_where_the_node_may() {
    let mut line = Line::new().quiet();
    line.net.route(line.r, "224.0.0.0/4", &[(line.r1, HOST)]);
    let packet = udp(LEFT, "239.1.1.1", 9);
    assert_eq!(line.crosses(packet), NO);
    assert_eq!(line.arrives(Place::Node(line.r), packet, &[]), OPEN);
    line.net.node_mut(line.r).multicast_forwarding = Fact::Yes;
    assert_eq!(line.crosses(packet), OPEN);
}

#[test]
fn rule_3_forwarding_needs_a_node_that_forwards_the_family() {
    let mut line = Line::new().quiet();
    line.net.node_mut(line.r).forwarding = [Fact::No, Fact::Yes];
    assert_eq!(line.crosses(syn(LEFT, HOST, 80)), NO);
    assert_eq!(line.crosses(syn(LEFT6, HOST6, 80)), YES);
    let why = line.net.unknown("whether r forwards");
    line.net.node_mut(line.r).forwarding = [Fact::Unknown(why); 2];
    assert_eq!(line.crosses(syn(LEFT, HOST, 80)), OPEN);
    line.net.assume(Assumption::NoHiddenForwarding);
    assert_eq!(line.crosses(syn(LEFT, HOST, 80)), NO);
}

#[test]
fn rule_3_forward_and_egress_lists_see_both_interfaces() {
    let both = || {
        let tests = vec![Test::InName("eth0".to_owned()), Test::OutName("eth1".to_owned())];
        chain(Some(Action::Drop), vec![rule("both", tests, Action::Accept)])
    };
    let mut line = Line::new().quiet();
    line.stateless(Stage::Forward, both());
    let egress = line.net.filter(false, vec![both()]);
    line.net.bind_interface(line.r1, Stage::Egress, egress);
    assert_eq!(line.crosses(syn(LEFT, HOST, 80)), YES);
    let deny = line.net.filter(false, vec![chain(Some(Action::Drop), Vec::new())]);
    line.net.bind_interface(line.r1, Stage::Egress, deny);
    assert_eq!(line.crosses(syn(LEFT, HOST, 80)), NO);
}

#[test]
fn rule_3_a_packet_may_leave_by_the_interface_it_came_in_on() {
    let mut line = Line::new().quiet();
    let other = line.net.host("other");
    line.net.interface(other, line.left, &["10.0.0.2/24"]);
    line.net.route(line.r, "192.0.2.0/24", &[(line.r0, "10.0.0.2")]);
    line.question.footholds = vec![crate::support::line::honest(line.h)];
    let packet = syn(HOST, FAR, 80);
    assert_eq!(line.arrives(Place::Segment(line.left), packet, &[]), YES);
    let back = line.net.network.interface(line.r1).node;
    line.net.route(back, "198.51.100.0/24", &[(line.r1, HOST)]);
    let packet = syn(HOST, "198.51.100.1", 80);
    line.net.node_mut(line.h).forwarding = [Fact::Yes; 2];
    line.net.node_mut(line.h).input.clear();
    let trace = isoaudit::replay::trace(
        &line.net.network,
        Reading::Must,
        isoaudit::replay::Origin::Honest(line.h),
        &packet,
    );
    assert!(trace[0].hops.iter().any(|hop| hop.incoming == Some(line.r1) && hop.outgoing == Some(line.r1)));
}

#[test]
fn rule_3_learned_routes_may_be_replaced() {
    let mut line = Line::new().quiet();
    let why = line.net.unknown("what peers announce");
    line.net.node_mut(line.r).dynamic_routes = Some(why);
    assert_eq!(line.crosses(syn(LEFT, FAR, 80)), OPEN);
    line.stateless(Stage::Forward, chain(Some(Action::Drop), Vec::new()));
    assert_eq!(line.crosses(syn(LEFT, FAR, 80)), NO);
    line.net.node_mut(line.r).forward.clear();
    line.net.assume(Assumption::FixedRoutes);
    assert_eq!(line.crosses(syn(LEFT, FAR, 80)), NO);
}

#[test]
fn rule_3_source_routing_changes_the_destination_behind_the_filters_back() {
    let mut line = Line::new().quiet();
    let to_own = Test::Destination(crate::support::net::ranges(&["10.0.0.1/32"]));
    line.stateless(
        Stage::Forward,
        chain(Some(Action::Drop), vec![rule("own", vec![to_own], Action::Accept)]),
    );
    let wanted = syn(LEFT, HOST, 80);
    let shown = syn(LEFT, "10.0.0.1", 80);
    line.net.node_mut(line.r).source_routing = Fact::Yes;
    let place = Place::Node(line.h);
    assert_eq!(line.arrives(place, wanted, &[shown]), OPEN);
    assert_eq!(line.arrives(place, wanted, &[syn(LEFT, "10.0.1.1", 80)]), NO);
    line.net.node_mut(line.r).source_routing = Fact::No;
    assert_eq!(line.arrives(place, wanted, &[shown]), NO);
    line.net.node_mut(line.r).source_routing = Fact::Yes;
    line.net.assume(Assumption::NoSourceRouting);
    assert_eq!(line.arrives(place, wanted, &[shown]), NO);
}

#[test]
fn a_closed_interface_neither_receives_nor_sends_for_what_counts() {
    for door in [0, 1] {
        let mut line = Line::new().quiet();
        line.question.cut = vec![Door::Interface([line.r0, line.r1][door])];
        assert_eq!(line.crosses(syn(LEFT, HOST, 80)), NO);
    }
    let mut line = Line::new().quiet();
    line.question.footholds = vec![adversary(Place::Node(line.h))];
    line.question.adversary_nodes.insert(line.h);
    line.question.cut = vec![Door::Interface(line.h0)];
    assert_eq!(line.crosses(syn(HOST, LEFT, 80)), NO);
}
