//! Routers in a row with lists, by chance: `s0 -- r0 -- s1 [-- r1 -- s2]`, with a host on the first segment and on the last.
//! Little else happens, so that it matters what lists see of a packet, and who opens which connection. Packets go between the
//! nodes only, so that there are few even where the lists tell many apart.

use super::net::{Net, chain, nowhere, prefix, ranges, rule, stateless};
use super::random::{Case, Chance};
use isoaudit::header::{Fragment, Packet, proto, tcp_flags};
use isoaudit::model::{
    Action, Antispoof, Assumption, FilterId, InterfaceId, Match, Network, NodeId, RouteAction, Rule,
    SegmentId, Service, Stage, State, Test,
};
use isoaudit::replay::{Foothold, Place, Question, Stance};
use std::collections::BTreeSet;
use std::net::IpAddr;

struct Row {
    chance: Chance,
    net: Net,
    routers: Vec<NodeId>,
    hosts: [NodeId; 2],
    /// Whether the lists know of connections.
    tracks: bool,
}

/// The packets of a universe that go between nodes. What belongs to one of them does too.
pub(crate) fn between_nodes(network: &Network, mut packets: Vec<Packet>) -> Vec<Packet> {
    let own: BTreeSet<IpAddr> =
        network.nodes_by_id().flat_map(|(id, _)| network.own_addresses(id).collect::<Vec<_>>()).collect();
    packets.retain(|packet| own.contains(&packet.src) && own.contains(&packet.dst));
    packets
}

/// The network and the question of a seed.
pub(crate) fn row(seed: u64) -> Case {
    let mut chance = Chance::new(seed ^ 0x0005_1a7e);
    let mut net = Net::new();
    let routers = 1 + chance.below(2);
    let segments: Vec<SegmentId> = (0..=routers).map(|index| net.segment(&format!("s{index}"))).collect();
    let mut all = Vec::new();
    for index in 0..routers {
        let r = net.router(&format!("r{index}"));
        let left = net.interface(r, segments[index], &[&format!("10.0.{index}.2/29")]);
        let right = net.interface(r, segments[index + 1], &[&format!("10.0.{}.1/29", index + 1)]);
        all.push((r, left, right));
    }
    route(&mut net, &all);
    let hosts = [(0, 5, 2), (routers, 6, 1)].map(|(segment, own, gateway)| {
        let h = net.host(&format!("h{segment}"));
        let id = net.interface(h, segments[segment], &[&format!("10.0.{segment}.{own}/29")]);
        net.route(h, "0.0.0.0/0", &[(id, &format!("10.0.{segment}.{gateway}"))]);
        h
    });
    let routers = all.iter().map(|(r, ..)| *r).collect();
    let tracks = chance.percent(65);
    let mut row = Row { chance, net, routers, hosts, tracks };
    row.facts();
    row.filters();
    let question = row.question();
    Case { network: row.net.network, question }
}

/// Each router has a route to either end.
fn route(net: &mut Net, all: &[(NodeId, InterfaceId, InterfaceId)]) {
    if let [(r0, _, right), (r1, left, _)] = all {
        net.route(*r0, "10.0.2.0/29", &[(*right, "10.0.1.2")]);
        net.route(*r1, "10.0.0.0/29", &[(*left, "10.0.1.1")]);
    }
}

impl Row {
    fn facts(&mut self) {
        // Else packets to nobody have answers between nodes.
        self.net.assume(Assumption::NoReflection);
        self.net.assume(Assumption::StaticNeighbours);
        for index in 0..self.net.network.interfaces.len() {
            if self.chance.percent(30) {
                self.net.network.interfaces[index].antispoof = [Antispoof::Strict; 2];
            }
        }
        if self.chance.percent(20) {
            let r = self.routers[0];
            self.net.add_route(r, 0, prefix("10.0.0.5/32"), RouteAction::Blackhole);
        }
    }

    fn filters(&mut self) {
        for r in self.routers.clone() {
            for (stage, percent) in [(Stage::Forward, 95), (Stage::Input, 50), (Stage::Output, 50)] {
                if self.chance.percent(percent) {
                    let filter = self.filter();
                    self.net.bind(r, stage, filter);
                }
            }
        }
        if self.chance.percent(40) {
            let filter = self.filter();
            self.net.bind(self.hosts[1], Stage::Input, filter);
        }
    }

    fn filter(&mut self) -> FilterId {
        let mut rules: Vec<Rule> = (0..1 + self.chance.below(2)).map(|_| self.rule()).collect();
        if self.tracks {
            // Whether an error is related may hang on packets that do not go between nodes.
            let states = vec![State::Established];
            rules.insert(0, rule("established", vec![Test::State(states)], Action::Accept));
        }
        if self.chance.percent(20) {
            rules.rotate_left(1);
        }
        self.net.filter(self.tracks, vec![chain(Some(Action::Drop), rules)])
    }

    fn rule(&mut self) -> Rule {
        let places = ["10.0.0.0/29", "10.0.0.5/32", "10.0.1.0/29", "10.0.2.0/29"];
        let both = tcp_flags::SYN | tcp_flags::ACK;
        let of_ports = [
            Test::Service(vec![Service::ports(proto::TCP, 80, 80)]),
            Test::Service(vec![Service::protocol(proto::TCP)]),
            Test::DestinationPort(vec![(80, 80)]),
            Test::SourcePort(vec![(80, 80)]),
            Test::EitherPort(vec![(80, 80)]),
        ];
        let mut tests = Vec::new();
        for (percent, test) in [
            (60, Test::Source(ranges(&[self.chance.pick(&places)]))),
            (40, Test::Destination(ranges(&[self.chance.pick(&places)]))),
            (60, self.chance.pick(&of_ports)),
            (15, Test::TcpFlags { mask: both, value: tcp_flags::SYN }),
            (8, Test::Fragment(vec![self.chance.pick(&Fragment::ALL)])),
            (if self.tracks { 30 } else { 0 }, Test::State(vec![State::New])),
        ] {
            if self.chance.percent(percent) {
                tests.push(test);
            }
        }
        if self.chance.percent(15) {
            tests.push(Test::Unknown(self.net.unknown("a match")));
        }
        if self.chance.percent(15) {
            let either = [Test::Unknown(self.net.unknown("a match")), self.chance.pick(&of_ports)];
            let match_of = |test| Match { test, negated: false, span: nowhere() };
            tests.push(Test::Any(either.map(match_of).to_vec()));
        }
        let action = if self.chance.percent(25) { Action::Drop } else { Action::Accept };
        let mut one = rule("one", tests, action);
        for test in &mut one.matches {
            let percent = match test.test {
                Test::State(_) => 0,
                Test::Any(_) => 60,
                _ => 15,
            };
            test.negated = self.chance.percent(percent);
        }
        if self.chance.percent(15) { stateless(one) } else { one }
    }

    fn question(&mut self) -> Question {
        let last = self.net.network.segments.len() - 1;
        let mut ends = [(0, self.hosts[0]), (last, self.hosts[1])];
        if self.chance.percent(50) {
            ends.reverse();
        }
        let [(near, near_host), (far, far_host)] = ends;
        let adversary = |place| Foothold { place, stance: Stance::Adversary };
        let at = |segment| adversary(Place::Segment(SegmentId::at(segment)));
        let honest = |node| Foothold { place: Place::Node(node), stance: Stance::Honest };
        let mut question = Question::default();
        let foothold = self.chance.pick(&[at(near), adversary(Place::Node(near_host)), honest(near_host)]);
        question.footholds.push(foothold);
        if foothold.stance == Stance::Adversary {
            question.adversary_segments.insert(SegmentId::at(near));
        }
        if foothold == adversary(Place::Node(near_host)) {
            question.adversary_nodes.insert(near_host);
        }
        let helper = self.chance.pick(&[at(far), honest(far_host), honest(self.routers[0])]);
        if self.chance.percent(85) {
            question.openers.push(helper);
        }
        question
    }
}
