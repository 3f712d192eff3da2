//! Not by chance but all of them: every network of a tiny family, with every packet of its universe, by both readings.
//!
//! `s0 -- r0 -- s1 -- r1 -- s2`, a host on `s0` and one on `s2`. Each router has one of the lists and one of the routes below;
//! four questions are asked of each of the 1600 networks. Packets go between the two hosts, from or to port 80, with SYN or ACK:
//! nothing in the family tells others apart, and neither answers nor filters make other packets of these.

use super::{explored, query};
use crate::support::compare::between;
use crate::support::line::{adversary, honest};
use crate::support::net::{Net, chain, prefix, ranges, rule, stateless};
use crate::support::packets::{flagged, syn};
use isoaudit::engine::Compiled;
use isoaudit::header::{Packet, proto, tcp_flags};
use isoaudit::model::RouteAction::Send;
use isoaudit::model::{
    Action, Assumption, InterfaceId, NextHop, NodeId, Reading, Rule, SegmentId, Service, Stage, State, Test,
};
use isoaudit::replay::{Place, Question, explore};
use rayon::prelude::*;

const H0: &str = "10.0.0.9";
const H2: &str = "10.0.2.9";

/// What a list has besides the rule for connections.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Allows {
    Nothing,
    Web,
    NotFromH2,
    UnknownMatch,
    UnknownTarget,
}

/// A list: what it allows, whether it knows connections, and whether what it allows opens them.
#[derive(Debug, Clone, Copy)]
enum List {
    None,
    Stateless(Allows),
    Knows(Allows),
    KnowsButOpensNothing(Allows),
}

#[derive(Debug, Clone, Copy)]
enum Way {
    None,
    Right,
    Wrong,
    PerhapsRight,
}

const WAYS: [Way; 4] = [Way::None, Way::Right, Way::Wrong, Way::PerhapsRight];

const LISTS: [List; 10] = [
    List::None,
    List::Stateless(Allows::Nothing),
    List::Stateless(Allows::Web),
    List::Stateless(Allows::NotFromH2),
    List::Stateless(Allows::UnknownMatch),
    List::Knows(Allows::Web),
    List::Knows(Allows::NotFromH2),
    List::Knows(Allows::UnknownMatch),
    List::Knows(Allows::UnknownTarget),
    List::KnowsButOpensNothing(Allows::Web),
];

struct Tiny {
    net: Net,
    routers: [NodeId; 2],
    /// Of each router: the neighbour on the inner segment, and the host on its other side.
    hops: [[(InterfaceId, &'static str); 2]; 2],
}

fn tiny() -> Tiny {
    let mut net = Net::new();
    net.assume(Assumption::NoReflection);
    net.assume(Assumption::StaticNeighbours);
    let s = [0, 1, 2].map(|index| net.segment(&format!("s{index}")));
    let [r0, r1] = ["r0", "r1"].map(|name| net.router(name));
    let r00 = net.interface(r0, s[0], &["10.0.0.1/24"]);
    let r01 = net.interface(r0, s[1], &["10.0.1.1/24"]);
    let r11 = net.interface(r1, s[1], &["10.0.1.2/24"]);
    let r12 = net.interface(r1, s[2], &["10.0.2.1/24"]);
    for (name, segment, own, gateway) in [("h0", s[0], H0, "10.0.0.1"), ("h2", s[2], H2, "10.0.2.1")] {
        let host = net.host(name);
        let id = net.interface(host, segment, &[&format!("{own}/24")]);
        net.route(host, "0.0.0.0/0", &[(id, gateway)]);
    }
    let hops = [[(r01, "10.0.1.2"), (r00, H0)], [(r11, "10.0.1.1"), (r12, H2)]];
    Tiny { net, routers: [r0, r1], hops }
}

impl Tiny {
    fn bind(&mut self, router: usize, list: List) {
        let (tracks, opens, allows) = match list {
            List::None => return,
            List::Stateless(allows) => (false, true, allows),
            List::Knows(allows) => (true, true, allows),
            List::KnowsButOpensNothing(allows) => (true, false, allows),
        };
        let mut rules: Vec<Rule> = Vec::new();
        if tracks {
            rules.push(rule("established", vec![Test::State(vec![State::Established])], Action::Accept));
        }
        let accept = |tests| Some(rule("open", tests, Action::Accept));
        let one = match allows {
            Allows::Nothing => None,
            Allows::Web => accept(vec![
                Test::Destination(ranges(&["10.0.2.9/32"])),
                Test::Service(vec![Service::ports(proto::TCP, 80, 80)]),
            ]),
            Allows::NotFromH2 => accept(vec![Test::Source(ranges(&["10.0.2.9/32"]))]).map(|mut one| {
                one.matches[0].negated = true;
                one
            }),
            Allows::UnknownMatch => accept(vec![Test::Unknown(self.net.unknown("a match"))]),
            Allows::UnknownTarget => {
                Some(rule("open", Vec::new(), Action::Unknown(self.net.unknown("a target"))))
            }
        };
        rules.extend(one.map(|one| if opens { one } else { stateless(one) }));
        let filter = self.net.filter(tracks, vec![chain(Some(Action::Drop), rules)]);
        self.net.bind(self.routers[router], Stage::Forward, filter);
    }

    fn route(&mut self, router: usize, way: Way) {
        let [right, wrong] = self.hops[router];
        let (interface, via) = match way {
            Way::None => return,
            Way::Right | Way::PerhapsRight => right,
            Way::Wrong => wrong,
        };
        let to = prefix(["10.0.2.0/24", "10.0.0.0/24"][router]);
        let hop = NextHop { interface, via: Some(via.parse().unwrap()) };
        let unknown = matches!(way, Way::PerhapsRight).then(|| self.net.unknown("a route"));
        self.net.add_route(self.routers[router], 0, to, Send(vec![hop])).unknown = unknown;
    }
}

fn packets() -> Vec<Packet> {
    let mut all = Vec::new();
    for (src, dst) in [(H0, H2), (H2, H0)] {
        let web = syn(src, dst, 80);
        for one in [web, Packet { sport: 80, dport: 40000, ..web }] {
            all.extend([one, flagged(one, tcp_flags::ACK)]);
        }
    }
    all.sort_unstable();
    all
}

/// The adversary or the honest host on the left; nobody or an accomplice on the right who opens connections.
fn questions() -> Vec<Question> {
    let [left, right] = [0, 2].map(|index| Place::Segment(SegmentId::at(index)));
    let mut all = Vec::new();
    for foothold in [adversary(left), honest(NodeId::at(2))] {
        for openers in [Vec::new(), vec![adversary(right)]] {
            all.push(Question { footholds: vec![foothold], openers, ..Question::default() });
        }
    }
    all
}

/// A network of the family: the lists of its routers, and their routes to the other side.
type Member = ([List; 2], [Way; 2]);

/// Asks a network everything. How many hosts get something, in [must, may], over all questions.
fn ask(member: &Member, packets: &[Packet], questions: &[Question]) -> [usize; 2] {
    let mut tiny = tiny();
    for router in [0, 1] {
        tiny.bind(router, member.0[router]);
        tiny.route(router, member.1[router]);
    }
    let network = &tiny.net.network;
    let compiled = Compiled::new(network);
    let mut delivered = [0, 0];
    for question in questions {
        let readings = [Reading::Must, Reading::May];
        let ours = readings.map(|reading| explore(network, reading, question, packets));
        let theirs =
            readings.map(|reading| explored(network, &compiled, &query(network, reading, question), packets));
        let found = between(network, packets, &ours, &theirs);
        assert!(found.is_empty(), "{member:?}: {question:?}: {:?}", found[0]);
        for (count, reached) in delivered.iter_mut().zip(&ours) {
            *count += reached.delivered.len();
        }
    }
    delivered
}

#[test]
fn every_network_of_a_tiny_family_is_understood_alike() {
    let (packets, questions) = (packets(), questions());
    let mut members: Vec<Member> = Vec::new();
    for lists in LISTS.iter().flat_map(|one| LISTS.map(|two| [*one, two])) {
        members.extend(WAYS.iter().flat_map(|one| WAYS.map(|two| (lists, [*one, two]))));
    }
    assert_eq!((members.len(), questions.len(), packets.len()), (1600, 4, 8));
    let all: Vec<[usize; 2]> = members.par_iter().map(|member| ask(member, &packets, &questions)).collect();
    let sum = |reading: usize| -> usize { all.iter().map(|delivered| delivered[reading]).sum() };
    let (must, may) = (sum(0), sum(1));
    println!("delivered to {must} hosts for certain, to {may} possibly");
    assert!(must > 1000 && may > must, "nothing happens: {must}, {may}");
}
