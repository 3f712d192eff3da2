//! What a walk says of itself.

use crate::support::line::{FAR, HOST, LEFT, Line, honest};
use crate::support::net::{chain, ranges, rule};
use crate::support::packets::{reply, syn};
use isoaudit::header::Packet;
use isoaudit::model::{Action, Antispoof, NextHop, Reading, RouteAction, Stage, State, Test};
use isoaudit::replay::describe::{Told, tell, tell_end};
use isoaudit::replay::{Origin, Send, trace, walk};

fn told(line: &Line, reading: Reading, packet: Packet) -> Vec<Vec<String>> {
    let branches = trace(&line.net.network, reading, Origin::Segment(line.left), &packet);
    let words =
        |steps: Vec<Told>| steps.into_iter().map(|s| format!("{}: {}", s.stage, s.text)).collect::<Vec<_>>();
    branches
        .iter()
        .map(|branch| {
            tell(&line.net.network, &packet, branch).into_iter().flat_map(|hop| words(hop.steps)).collect()
        })
        .collect()
}

/// Whether some branch has a step that says so.
fn says(line: &Line, reading: Reading, packet: Packet, text: &str) -> bool {
    told(line, reading, packet).iter().flatten().any(|step| step == text)
}

#[test]
fn a_plain_walk_reads_like_a_sentence() {
    let mut line = Line::new().quiet();
    line.net.interface_mut(line.r0).antispoof = [Antispoof::Strict; 2];
    let branches = told(&line, Reading::Must, syn(LEFT, HOST, 80));
    assert_eq!(
        branches,
        [[
            "arrive: sent to r:eth0",
            "source: anti-spoofing passes: route back is eth0",
            "route: routes 10.0.1.0/24 directly on eth1",
            "forward: no policy: forwards everything",
            "arrive: 10.0.1.9 is h:eth0",
            "route: the destination is its own",
            "input: no policy: accepts everything",
            "arrive: delivered to h",
        ]]
    );
}

#[test]
fn every_end_is_named() {
    let mut line = Line::new().quiet();
    let web = syn(LEFT, HOST, 80);
    let must = Reading::Must;
    assert!(says(&line, must, syn(LEFT, FAR, 80), "route: there is no route"));
    assert!(says(&line, must, syn(LEFT, "10.0.1.77", 80), "arrive: nobody has 10.0.1.77"));
    assert!(says(
        &line,
        must,
        syn("127.0.0.1", HOST, 80),
        "ingress: no device takes such an address from outside"
    ));
    line.net.add_route(line.r, 0, crate::support::net::prefix("192.0.2.0/24"), RouteAction::Blackhole);
    assert!(says(&line, must, syn(LEFT, FAR, 80), "route: the route 192.0.2.0/24 drops it"));
    line.net.interface_mut(line.r0).antispoof = [Antispoof::Strict; 2];
    assert!(says(
        &line,
        must,
        syn("10.0.1.5", HOST, 80),
        "source: anti-spoofing drops it: route back is eth1"
    ));
    line.stateless(Stage::Forward, chain(Some(Action::Drop), vec![rule("no-web", vec![], Action::Reject)]));
    assert!(says(&line, must, web, "forward: rule no-web rejects"));
    line.net.network.filters[0].chains[0].rules.clear();
    assert!(says(&line, must, web, "forward: the default of chain drops"));
}

#[test]
fn rules_looked_at_are_counted_and_unknown_ones_named() {
    let mut line = Line::new().quiet();
    let unknown = line.unknown_test();
    let rules = vec![
        rule("one", vec![Test::DestinationPort(vec![(1, 1)])], Action::Drop),
        rule("maybe", vec![unknown], Action::Drop),
        rule("3", vec![], Action::Accept),
    ];
    line.stateless(Stage::Forward, chain(Some(Action::Drop), rules));
    let branches = trace(&line.net.network, Reading::May, Origin::Segment(line.left), &syn(LEFT, HOST, 80));
    let steps: Vec<Told> = branches
        .iter()
        .flat_map(|branch| tell(&line.net.network, &syn(LEFT, HOST, 80), branch))
        .flat_map(|hop| hop.steps)
        .filter(|step| step.stage == "forward")
        .collect();
    let one = |text: &str| steps.iter().find(|step| step.text == text).unwrap_or_else(|| panic!("{steps:?}"));
    assert_eq!(one("rule 3 of chain may allow").passed_over, 2);
    assert_eq!(one("rule maybe may drop").passed_over, 1);
    assert_eq!(one("rule maybe may drop").uncertain.len(), 1);
    // For certain nothing can be said, and that is said.
    assert!(says(&line, Reading::Must, syn(LEFT, HOST, 80), "arrive: nothing is certain from here on"));
}

#[test]
fn each_equal_next_hop_is_a_branch() {
    let mut line = Line::new().quiet();
    let hops = vec![NextHop { interface: line.r0, via: None }, NextHop { interface: line.r1, via: None }];
    line.net.add_route(line.r, 0, crate::support::net::prefix("192.0.2.0/24"), RouteAction::Send(hops));
    let branches = told(&line, Reading::Must, syn(LEFT, FAR, 80));
    assert_eq!(branches.len(), 2);
    for (branch, out) in branches.iter().zip(["eth0", "eth1"]) {
        let text = format!("route: routes 192.0.2.0/24 directly on {out} (one of 2 equal next hops)");
        assert!(branch.contains(&text), "{branch:?}");
    }
}

#[test]
fn an_established_packet_names_the_packet_that_opened() {
    let mut line = Line::new().quiet();
    let rules = vec![
        rule("established", vec![Test::State(vec![State::Established])], Action::Accept),
        rule("out", vec![Test::Source(ranges(&["10.0.1.0/24"]))], Action::Accept),
    ];
    line.tracking(Stage::Forward, chain(Some(Action::Drop), rules));
    line.question.openers = vec![honest(line.h)];
    let opening = syn(HOST, LEFT, 443);
    let sends = [
        Send { origin: Origin::Honest(line.h), packet: opening, path: Vec::new() },
        Send { origin: Origin::Segment(line.left), packet: reply(opening), path: Vec::new() },
    ];
    let walked = walk(&line.net.network, Reading::Must, &line.question, &sends);
    let hops = tell(&line.net.network, &sends[1].packet, &walked.legs[1].branches[0]);
    let texts: Vec<&str> = hops.iter().flat_map(|hop| &hop.steps).map(|step| step.text.as_str()).collect();
    assert!(texts.contains(&"established: reverses the connection opened by packet 1"), "{texts:?}");
    assert!(texts.contains(&"rule established allows"), "{texts:?}");
    // The first hop of an own packet is the node that sends it.
    let first = &tell(&line.net.network, &opening, &walked.legs[0].branches[0])[0];
    assert_eq!((first.name.as_str(), first.outgoing.as_deref()), ("h", Some("eth0")));
}

#[test]
fn what_is_not_sent_is_told_without_a_place() {
    let line = Line::new().quiet();
    let sends = [Send { origin: Origin::Node(line.h), packet: syn(HOST, LEFT, 80), path: Vec::new() }];
    let walked = walk(&line.net.network, Reading::Must, &line.question, &sends);
    let end = tell_end(&line.net.network, None, &walked.legs[0].branches[0].end).unwrap();
    assert_eq!(end.text, "the named sender cannot send this");
}
