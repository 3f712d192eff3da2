//! What the quick proof rules out must not arrive: the coarse run beside the exact one, with hosts that it takes for one.

use super::support::net::{Net, chain, ip, prefix, ranges, rule};
use super::support::random::{Case, Chance, case};
use super::support::universe::universe;
use super::{explored, query, setting};
use isoaudit::engine::{self, Compiled, Limits};
use isoaudit::header::Family;
use isoaudit::model::{
    Action, Antispoof, Fact, NextHop, NodeId, Reading, Role, RouteAction, SegmentId, Stage, Test,
};
use isoaudit::replay::{Foothold, Place, Question, Stance};

/// Packets that are looked at of a universe.
const MOST_PACKETS: usize = 600;

/// A random case with hosts on each segment that differ only in their addresses, and perhaps honest senders among them.
fn with_hosts(seed: u64) -> Case {
    let (Case { network, mut question }, mut chance) = (case(seed), Chance::new(!seed));
    let mut net = Net { network };
    for index in 0..net.network.segments.len() {
        let segment = SegmentId::at(index);
        let attached = net.network.segment(segment).attached.clone();
        let known: Vec<_> =
            attached.iter().flat_map(|id| net.network.interface(*id).addresses.clone()).collect();
        let Some(gateway) = known.first().map(|address| address.net.addr()) else { continue };
        let routes = chance.percent(80);
        let antispoof = chance.pick(&[Antispoof::Off, Antispoof::Strict, Antispoof::Loose]);
        let ipv6 = chance.percent(30);
        let hosts: Vec<NodeId> = (0..2 + chance.below(2))
            .map(|_| {
                let number = 1 + net.network.segment(segment).attached.len();
                let host = net.host(&format!("h{index}-{number}"));
                let v4 = format!("10.0.{index}.{number}/29");
                let v6 = format!("fd00:0:0:{index}::{number}/64");
                let both = [v4.as_str(), v6.as_str()];
                let id = net.interface(host, segment, if ipv6 { &both } else { &both[..1] });
                let spec = net.interface_mut(id);
                spec.antispoof = [antispoof; 2];
                spec.ipv6 = if ipv6 { Fact::Yes } else { Fact::No };
                if routes {
                    let all = if Family::of(gateway) == Family::V4 { "0.0.0.0/0" } else { "::/0" };
                    let hop = NextHop { interface: id, via: Some(gateway) };
                    net.add_route(host, 0, prefix(all), RouteAction::Send(vec![hop]));
                }
                host
            })
            .collect();
        if chance.percent(60) {
            let honest = hosts.iter().take(if chance.percent(70) { hosts.len() } else { 1 });
            let place = |id: &NodeId| Foothold { place: Place::Node(*id), stance: Stance::Honest };
            question.footholds.extend(honest.map(place));
        }
        if chance.percent(20) {
            // Somebody routes through one of them.
            let via = ip(&format!("10.0.{index}.{}", 1 + attached.len()));
            let routers = net.network.nodes_by_id().filter(|(_, node)| node.role == Role::Router);
            let routers: Vec<NodeId> = routers.map(|(id, _)| id).collect();
            for router in routers {
                let onto = net.network.node(router).interfaces.iter().copied();
                if let Some(interface) =
                    onto.into_iter().find(|id| net.network.interface(*id).segment == Some(segment))
                {
                    net.add_route(
                        router,
                        0,
                        prefix("10.0.0.0/16"),
                        RouteAction::Send(vec![NextHop { interface, via: Some(via) }]),
                    );
                }
            }
        }
    }
    Case { network: net.network, question }
}

#[test]
fn what_a_coarse_run_rules_out_does_not_arrive() {
    let (mut ruled_out, mut left) = (0, 0);
    let first = setting("ISOAUDIT_ORACLE_SEED", 100);
    for seed in first..first + setting("ISOAUDIT_ORACLE_NETWORKS", 200) {
        let case = with_hosts(seed);
        let compiled = Compiled::new(&case.network);
        let all = universe(&case.network, &case.question);
        let step = all.len().div_ceil(MOST_PACKETS).max(1);
        let packets: Vec<_> = all.into_iter().step_by(step).collect();
        for reading in [Reading::May, Reading::Must] {
            for own_sources in [false, true] {
                let mut query = query(&case.network, reading, &case.question);
                query.own_sources = own_sources;
                let exact = explored(&case.network, &compiled, &query, &packets);
                for place in super::places(&case.network) {
                    let mut one = query.clone();
                    match place {
                        Place::Node(id) => one.targets.nodes[id.index()] = true,
                        Place::Segment(id) => one.targets.segments[id.index()] = true,
                    }
                    if !engine::is_surely_empty(&compiled, &one, Limits::default()) {
                        left += 1;
                        continue;
                    }
                    ruled_out += 1;
                    let missed = packets.iter().find(|packet| exact.holds(place, packet));
                    assert!(missed.is_none(), "seed {seed}, {reading:?}: {missed:?} at {place:?}\n{case:#?}");
                }
            }
        }
    }
    assert!(ruled_out > 0 && left > 0, "{ruled_out} ruled out, {left} left");
    println!("{ruled_out} ruled out, {left} left");
}

/// Three hosts behind a router that lets one of them out.
#[test]
fn each_of_hosts_that_are_alike_sends_with_its_own_address() {
    let mut net = Net::new();
    let (near, far) = (net.segment("near"), net.segment("far"));
    let router = net.router("r");
    net.interface(router, near, &["10.0.0.1/24"]);
    net.interface(router, far, &["10.0.1.1/24"]);
    let last = rule("last", vec![Test::Source(ranges(&["10.0.0.4/32"]))], Action::Accept);
    let list = net.filter(false, vec![chain(Some(Action::Drop), vec![last])]);
    net.bind(router, Stage::Forward, list);
    let mut question = Question::default();
    for number in 2..5 {
        let host = net.host(&format!("h{number}"));
        let id = net.interface(host, near, &[&format!("10.0.0.{number}/24")]);
        let hop = NextHop { interface: id, via: Some(ip("10.0.0.1")) };
        net.add_route(host, 0, prefix("0.0.0.0/0"), RouteAction::Send(vec![hop]));
        question.footholds.push(Foothold { place: Place::Node(host), stance: Stance::Honest });
    }
    let compiled = Compiled::new(&net.network);
    for reading in [Reading::May, Reading::Must] {
        let mut query = query(&net.network, reading, &question);
        query.targets.segments[far.index()] = true;
        assert!(!engine::is_surely_empty(&compiled, &query, Limits::default()), "{reading:?}");
    }
}
