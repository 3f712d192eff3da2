//! Tiny networks by chance: everything that the model can say, in a few nodes.

use super::net::{Net, chain, lookup_rule, nowhere, prefix, ranges, rule};
use isoaudit::header::{Family, Fragment, proto, tcp_flags};
use isoaudit::model::{
    Action, Antispoof, Assumption, Chain, Existence, Fact, FilterId, Hook, InterfaceId, Join, Kind, Lookup,
    Match, Network, NextHop, NodeId, Role, RouteAction, Rule, SegmentId, Service, State, Table, Test,
    UnknownId, Vrf, VrfId, Zone, ZoneId,
};
use isoaudit::replay::Question;

/// SplitMix64: small, fast, and the same everywhere.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def0)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a limit above zero.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// True this many times in a hundred.
    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

/// A network and a question about it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) network: Network,
    pub(crate) question: Question,
}

/// The network and the question of a seed.
pub(crate) fn case(seed: u64) -> Case {
    let mut maker = Maker { chance: Chance::new(seed), net: Net::new(), families: Vec::new() };
    maker.families = match maker.chance.below(6) {
        0..=2 => vec![Family::V4],
        3 => vec![Family::V6],
        _ => vec![Family::V4, Family::V6],
    };
    maker.assumptions();
    maker.topology();
    maker.facts();
    maker.routes();
    maker.filters();
    maker.marks();
    let question = maker.question();
    Case { network: maker.net.network, question }
}

pub(super) struct Maker {
    pub(super) chance: Chance,
    pub(super) net: Net,
    families: Vec<Family>,
}

impl Maker {
    fn unknown(&mut self, what: &str) -> UnknownId {
        self.net.unknown(what)
    }

    fn fact(&mut self, yes: usize, no: usize) -> Fact {
        let roll = self.chance.below(100);
        match roll {
            _ if roll < yes => Fact::Yes,
            _ if roll < yes + no => Fact::No,
            _ => Fact::Unknown(self.unknown("a fact")),
        }
    }

    fn maybe_unknown(&mut self, percent: usize) -> Option<UnknownId> {
        self.chance.percent(percent).then(|| self.unknown("something"))
    }

    fn assumptions(&mut self) {
        // Without these two nearly everything is possible, and nothing is left to compare.
        for (assumption, percent) in [
            (Assumption::NoReflection, 65),
            (Assumption::StaticNeighbours, 65),
            (Assumption::NoSourceRouting, 40),
            (Assumption::FixedRoutes, 30),
            (Assumption::Reassembled, 20),
            (Assumption::NoHiddenForwarding, 20),
        ] {
            if self.chance.percent(percent) {
                self.net.assume(assumption);
            }
        }
    }

    /// The address of a host on a segment in a family, with its prefix.
    fn address(family: Family, segment: usize, host: usize) -> String {
        match family {
            Family::V4 => format!("10.0.{segment}.{host}/29"),
            Family::V6 => format!("fd00:0:0:{segment}::{host}/64"),
        }
    }

    fn topology(&mut self) {
        let segments = 1 + self.chance.below(3);
        for index in 0..segments {
            let id = self.net.segment(&format!("s{index}"));
            if self.chance.percent(8) {
                self.net.segment_mut(id).existence = Existence::Possible(UnknownId(0));
            }
        }
        self.net.unknown("the first");
        self.net.network.zones =
            ["a", "b"].map(|name| Zone { name: name.to_owned(), plane: None, labels: Vec::new() }).to_vec();
        self.net.network.vrfs = vec![Vrf { name: "blue".to_owned() }];
        let nodes = 1 + self.chance.below(3);
        for index in 0..nodes {
            let roles = [Role::Router, Role::Router, Role::Firewall, Role::Host];
            let role = self.chance.pick(&roles);
            let node = self.net.node(&format!("n{index}"), role);
            let count = 1 + self.chance.below(segments.min(2) + 1);
            for _ in 0..count.min(3) {
                let segment = self.chance.below(segments);
                self.attach(node, segment);
            }
        }
        if self.chance.percent(35) {
            let node = self.net.node("internet", Role::Internet);
            for _ in 0..1 + self.chance.below(2) {
                let segment = self.chance.below(segments);
                let already = self.interfaces_on(segment).into_iter().any(|i| self.owner(i) == node);
                if !already {
                    self.net.interface(node, SegmentId::at(segment), &[]);
                }
            }
        }
        if self.chance.percent(20) {
            let node = self.net.node("somebody", Role::Host);
            let why = self.unknown("whether somebody is there");
            self.net.node_mut(node).existence = Existence::Possible(why);
            let segment = self.chance.below(segments);
            self.attach(node, segment);
        }
        if segments > 1 && self.chance.percent(18) {
            let unknown = self.unknown("whether the cable is there");
            let (one, two) = (self.chance.below(segments), self.chance.below(segments));
            if one != two {
                self.net.segment_mut(SegmentId::at(one)).joins.push(Join { to: SegmentId::at(two), unknown });
            }
        }
    }

    fn owner(&self, interface: InterfaceId) -> NodeId {
        self.net.network.interface(interface).node
    }

    fn interfaces_on(&self, segment: usize) -> Vec<InterfaceId> {
        self.net.network.segments[segment].attached.clone()
    }

    fn attach(&mut self, node: NodeId, segment: usize) {
        let host = 1 + self.interfaces_on(segment).len();
        let mut addresses = Vec::new();
        for family in self.families.clone() {
            if self.chance.percent(85) {
                addresses.push(Maker::address(family, segment, host));
            }
        }
        let texts: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let id = self.net.interface(node, SegmentId::at(segment), &texts);
        let has_v6 = self.net.families(id).contains(&Family::V6);
        let ipv6 = if has_v6 { Fact::Yes } else { self.fact(20, 40) };
        let antispoof = [self.antispoof(), self.antispoof()];
        let zone = self.chance.percent(60).then(|| ZoneId::at(self.chance.below(2)));
        let interface = self.net.interface_mut(id);
        interface.ipv6 = ipv6;
        interface.antispoof = antispoof;
        interface.zone = zone;
    }

    fn antispoof(&mut self) -> Antispoof {
        match self.chance.below(6) {
            0 => Antispoof::Strict,
            1 => Antispoof::Loose,
            2 => Antispoof::Undeclared(self.unknown("whether sources are checked")),
            _ => Antispoof::Off,
        }
    }

    fn facts(&mut self) {
        for index in 0..self.net.network.nodes.len() {
            let forwarding = [self.fact(70, 10), self.fact(70, 10)];
            let source_routing = self.fact(4, 86);
            let multicast = self.fact(10, 75);
            let dynamic = self.maybe_unknown(8);
            let kind = if self.chance.percent(8) { Kind::Unknown("odd".to_owned()) } else { Kind::Linux };
            let node = &mut self.net.network.nodes[index];
            node.forwarding = forwarding;
            node.source_routing = source_routing;
            node.multicast_forwarding = multicast;
            node.dynamic_routes = dynamic;
            node.kind = kind;
        }
    }

    /// Destinations of routes and of policies, nested in each other.
    pub(super) fn prefixes(&self) -> Vec<&'static str> {
        let mut all = Vec::new();
        for family in &self.families {
            let of_family: &[&str] = match family {
                Family::V4 => {
                    &["0.0.0.0/0", "10.0.0.0/16", "10.0.0.0/29", "10.0.1.0/29", "10.0.1.2/32", "10.0.2.0/30"]
                }
                Family::V6 => &["::/0", "fd00::/16", "fd00:0:0:1::/64", "fd00::2/128", "fd00:0:0:2::/126"],
            };
            all.extend(of_family);
        }
        all
    }

    fn routes(&mut self) {
        for index in 0..self.net.network.nodes.len() {
            let node = NodeId::at(index);
            if self.net.network.node(node).interfaces.is_empty() {
                continue;
            }
            if self.chance.percent(35) {
                self.vrf(node);
            }
            for _ in 0..self.chance.below(4) {
                let tables = self.net.network.node(node).tables.len();
                let table = self.chance.below(tables);
                let to = self.chance.pick(&self.prefixes());
                let action = self.route_action(node, Family::of(prefix(to).addr()));
                let unknown = self.maybe_unknown(12);
                self.net.add_route(node, table, prefix(to), action).unknown = unknown;
            }
            self.rules(node);
        }
    }

    fn route_action(&mut self, node: NodeId, family: Family) -> RouteAction {
        match self.chance.below(12) {
            0 => RouteAction::Blackhole,
            1 => RouteAction::Unreachable,
            2 => RouteAction::Throw,
            _ => {
                let hops = if self.chance.percent(40) { 2 } else { 1 };
                RouteAction::Send((0..hops).map(|_| self.next_hop(node, family)).collect())
            }
        }
    }

    /// A neighbour on some segment of the node, or the destination itself.
    fn next_hop(&mut self, node: NodeId, family: Family) -> NextHop {
        let interface = self.chance.pick(&self.net.network.node(node).interfaces);
        let segment = self.net.network.interface(interface).segment;
        let others = segment.map(|segment| self.interfaces_on(segment.index())).unwrap_or_default();
        let addresses = others.into_iter().filter(|i| self.owner(*i) != node);
        let addresses = addresses.flat_map(|i| self.net.network.interface(i).addresses.clone());
        let vias: Vec<_> =
            addresses.map(|a| a.net.addr()).filter(|address| Family::of(*address) == family).collect();
        let via =
            if vias.is_empty() || self.chance.percent(15) { None } else { Some(self.chance.pick(&vias)) };
        NextHop { interface, via }
    }

    /// Moves one interface of a node to a VRF with its own table.
    fn vrf(&mut self, node: NodeId) {
        let interface = self.chance.pick(&self.net.network.node(node).interfaces);
        self.net.interface_mut(interface).vrf = Some(VrfId(0));
        let falls_through = self.fact(55, 25);
        let bound = self.maybe_unknown(70);
        let by_vrf = self.net.node_mut(node);
        let (moved, kept) = by_vrf.tables[0].routes.drain(..).partition(|route| {
            matches!(&route.action, RouteAction::Send(hops) if hops.iter().all(|hop| hop.interface == interface))
        });
        by_vrf.tables[0].routes = kept;
        by_vrf.tables.push(Table { name: "blue".to_owned(), routes: moved });
        let mut rule = lookup_rule(Lookup::Table(1));
        rule.incoming = Some(vec![interface]);
        rule.bound = bound;
        rule.falls_through = falls_through;
        by_vrf.lookup.insert(0, rule);
    }

    /// Further routing rules.
    fn rules(&mut self, node: NodeId) {
        while self.chance.percent(12) {
            let tables = self.net.network.node(node).tables.len();
            let action = match self.chance.below(5) {
                0 => Lookup::Blackhole,
                1 => Lookup::Unreachable,
                _ => Lookup::Table(self.chance.below(tables)),
            };
            let mut rule = lookup_rule(action);
            rule.from = self.chance.percent(40).then(|| prefix(self.chance.pick(&self.prefixes())));
            rule.to = self.chance.percent(40).then(|| prefix(self.chance.pick(&self.prefixes())));
            rule.unknown = self.maybe_unknown(25);
            rule.falls_through = self.fact(60, 20);
            let at = self.chance.below(self.net.network.node(node).lookup.len() + 1);
            self.net.node_mut(node).lookup.insert(at, rule);
        }
    }

    fn filters(&mut self) {
        for index in 0..self.net.network.nodes.len() {
            if !self.chance.percent(65) {
                continue;
            }
            let filter = self.filter();
            let chains = self.net.network.filter(filter).chains.len();
            let hook = |maker: &mut Maker| Hook {
                filter,
                chain: maker.chance.below(chains),
                family: maker.chance.percent(12).then(|| maker.chance.pick(&Family::ALL)),
            };
            let (input, forward, output) =
                (self.chance.percent(45), self.chance.percent(75), self.chance.percent(35));
            let bound = [input, forward, output].map(|is_bound| is_bound.then(|| hook(self)));
            let node = &mut self.net.network.nodes[index];
            node.input.extend(bound[0]);
            node.forward.extend(bound[1]);
            let own = [&mut node.output, &mut node.early_output, &mut node.late_output];
            own[self.chance.pick(&[0, 0, 0, 1, 2])].extend(bound[2]);
            for interface in node.interfaces.clone() {
                if self.chance.percent(10) {
                    let ingress = hook(self);
                    self.net.interface_mut(interface).ingress.push(ingress);
                }
                if self.chance.percent(10) {
                    let egress = hook(self);
                    self.net.interface_mut(interface).egress.push(egress);
                }
            }
        }
    }

    fn filter(&mut self) -> FilterId {
        let tracks = self.chance.percent(55);
        let count = 1 + self.chance.below(3);
        let mut chains: Vec<Chain> = (0..count).map(|index| self.chain(index, count, tracks)).collect();
        if tracks && self.chance.percent(50) {
            // The usual device: what belongs to a connection passes first, and little else does.
            for chain in &mut chains {
                let states =
                    self.chance.pick(&[vec![State::Established], vec![State::Established, State::Related]]);
                chain.rules.insert(0, rule("established", vec![Test::State(states)], Action::Accept));
                chain.policy = Some(Action::Drop);
            }
        }
        self.net.filter(tracks, chains)
    }

    fn chain(&mut self, index: usize, count: usize, tracks: bool) -> Chain {
        let policy = match self.chance.below(8) {
            0..=2 => None,
            3..=5 => Some(Action::Drop),
            6 => Some(Action::Accept),
            _ => Some(Action::Reject),
        };
        let rules = (0..self.chance.below(5)).map(|number| self.rule(number, index, count, tracks)).collect();
        let mut chain = chain(policy, rules);
        chain.name = format!("chain{index}");
        chain
    }

    fn rule(&mut self, number: usize, chain: usize, chains: usize, tracks: bool) -> Rule {
        let deeper = chain + 1 < chains;
        let target = chain + 1 + self.chance.below((chains - chain - 1).max(1));
        let action = match self.chance.below(40) {
            0..=19 => Action::Accept,
            20..=27 => Action::Drop,
            28..=29 => Action::Reject,
            30..=32 if deeper => Action::Jump(target),
            33..=34 if deeper => Action::Goto(target),
            30..=34 => Action::Accept,
            35 => Action::Return,
            36..=37 => Action::Continue,
            _ => Action::Unknown(self.unknown("a target")),
        };
        let count = self.chance.pick(&[0, 1, 1, 1, 2, 2]);
        let matches = (0..count).map(|_| self.condition(tracks, true)).collect();
        let opens = self.chance.percent(75);
        Rule { name: format!("r{number}"), span: nowhere(), matches, action, opens }
    }

    pub(super) fn condition(&mut self, tracks: bool, may_nest: bool) -> Match {
        let test = self.test(tracks, may_nest);
        Match { test, negated: self.chance.percent(25), span: nowhere() }
    }

    fn test(&mut self, tracks: bool, may_nest: bool) -> Test {
        let some = |maker: &mut Maker| {
            let one = maker.chance.pick(&maker.prefixes());
            let two = maker.chance.pick(&maker.prefixes());
            if maker.chance.percent(75) { ranges(&[one]) } else { ranges(&[one, two]) }
        };
        match self.chance.below(34) {
            0..=5 => Test::Source(some(self)),
            6..=11 => Test::Destination(some(self)),
            12 => Test::Family(self.chance.pick(&Family::ALL)),
            13 => Test::Protocol(vec![self.chance.pick(&[(6, 6), (17, 17), (1, 1), (6, 17)])]),
            14..=17 => self.service(),
            18 => Test::SourcePort(vec![(80, 80)]),
            19 => Test::DestinationPort(vec![(80, 80)]),
            20 => Test::EitherPort(vec![(80, 80)]),
            21 => self.tcp_flags(),
            22 => Test::Fragment(vec![self.chance.pick(&Fragment::ALL)]),
            23..=25 if tracks => self.state(),
            23 | 24 => Test::InZone(ZoneId::at(self.chance.below(2))),
            25 | 26 => Test::OutZone(ZoneId::at(self.chance.below(2))),
            27 => Test::InName(self.chance.pick(&["eth0", "eth+", "eth1", "lo"]).to_owned()),
            28 => Test::OutName(self.chance.pick(&["eth0", "e+", "eth1", "lo"]).to_owned()),
            29 => Test::InVrf(VrfId(0)),
            30 => self.chance.pick(&[Test::SourceIsOwn, Test::DestinationIsOwn]),
            31 | 32 if may_nest => Test::Any((0..2).map(|_| self.condition(tracks, false)).collect()),
            _ => Test::Unknown(self.unknown("a match")),
        }
    }

    fn service(&mut self) -> Test {
        let pool = [
            Service::ports(proto::TCP, 80, 80),
            Service::ports(proto::UDP, 80, 81),
            Service::protocol(proto::TCP),
            Service::icmp(proto::ICMP, 8),
            Service::icmp(proto::ICMPV6, 128),
            Service::ANY,
        ];
        let count = 1 + self.chance.below(2);
        Test::Service((0..count).map(|_| self.chance.pick(&pool)).collect())
    }

    fn tcp_flags(&mut self) -> Test {
        let both = tcp_flags::SYN | tcp_flags::ACK;
        let pool = [(both, tcp_flags::SYN), (tcp_flags::ACK, tcp_flags::ACK), (both, both)];
        let (mask, value) = self.chance.pick(&pool);
        Test::TcpFlags { mask, value }
    }

    fn state(&mut self) -> Test {
        let pool = [
            vec![State::Established, State::Related],
            vec![State::Established],
            vec![State::New],
            vec![State::Invalid],
            vec![State::New, State::Untracked],
            vec![State::Related],
        ];
        Test::State(self.chance.pick(&pool))
    }
}
