//! Networks by chance: routers in a tree, perhaps with a ring, hosts behind them, routes and rules that are mostly right.

use super::chance::Chance;
use super::rules::{Coverage, Vocabulary, Writer};
use super::spec::{Backend, MAIN, NodeSpec, RouteAction, RouteSpec, RuleSpec, Ruleset, Spec};
use ipnet::IpNet;
use isoaudit::header::Family;
use std::collections::VecDeque;
use std::net::IpAddr;

/// A network by chance.
pub(crate) fn network(seed: u64, coverage: &mut Coverage) -> Spec {
    let mut chance = Chance::new(seed);
    let backend = if chance.percent(50) { Backend::Nft } else { Backend::Legacy };
    let mut spec = Spec::new(backend, chance.percent(60));
    let routers = 1 + chance.below(4);
    for number in 0..routers {
        spec.add(NodeSpec::router(&format!("r{number}")));
        if number > 0 {
            let parent = if chance.percent(70) { number - 1 } else { chance.below(number) };
            line(&mut spec, [parent, number], false);
        }
    }
    if routers > 2 && chance.percent(40) {
        line(&mut spec, [0, routers - 1], false);
    }
    let hosts = 2 + chance.below(3);
    for number in 0..hosts {
        let host = spec.add(NodeSpec::host(&format!("h{number}")));
        let router = if number < routers { routers - 1 - number } else { chance.below(routers) };
        line(&mut spec, [host, router], true);
    }
    let translates = chance.percent(65);
    let gateways = (0..routers).map(|_| translates && chance.percent(65)).collect();
    let marks_connections = (0..routers).map(|_| chance.percent(20)).collect();
    let mut maker = Maker { spec, chance, coverage, routers, gateways, marks_connections };
    maker.hosts();
    for router in 0..routers {
        maker.routes(router);
        maker.settings(router);
        maker.filters(router);
    }
    maker.claims();
    maker.spec
}

/// A line between two nodes with a network of its own; a host is the first end.
fn line(spec: &mut Spec, ends: [usize; 2], of_host: bool) {
    let number = spec.links.len();
    let (v4, v6) = if of_host {
        (
            [format!("10.{}.0.20/24", number + 1), format!("10.{}.0.1/24", number + 1)],
            [format!("fd00:{}::20/64", number + 1), format!("fd00:{}::1/64", number + 1)],
        )
    } else {
        (
            [format!("10.0.{number}.1/29"), format!("10.0.{number}.2/29")],
            [format!("fd00:0:0:{number}::1/64"), format!("fd00:0:0:{number}::2/64")],
        )
    };
    let of = |side: usize| {
        if spec.ipv6 { vec![v4[side].as_str(), v6[side].as_str()] } else { vec![v4[side].as_str()] }
    };
    let (one, two) = (of(0), of(1));
    spec.link(ends, [&one, &two]);
}

struct Maker<'a> {
    spec: Spec,
    chance: Chance,
    coverage: &'a mut Coverage,
    routers: usize,
    /// Which routers translate.
    gateways: Vec<bool>,
    /// Which routers mark connections.
    marks_connections: Vec<bool>,
}

/// Addresses that are on no line and that the others route to a router.
fn pool(router: usize, family: Family) -> IpNet {
    let text = match family {
        Family::V4 => format!("10.{}.0.0/28", 100 + router),
        Family::V6 => format!("fd00:{}::/124", 100 + router),
    };
    text.parse().unwrap()
}

pub(crate) fn families(spec: &Spec) -> &'static [Family] {
    if spec.ipv6 { &Family::ALL } else { &Family::ALL[..1] }
}

fn everything(family: Family) -> IpNet {
    if family == Family::V4 { "0.0.0.0/0" } else { "::/0" }.parse().unwrap()
}

/// Every prefix of a line, once, with the line.
pub(crate) fn prefixes(spec: &Spec, family: Family) -> Vec<(IpNet, usize)> {
    let of = |(number, link): (usize, &super::spec::LinkSpec)| {
        let nets = link.ends[0].addresses.iter().filter(|net| Family::of(net.addr()) == family);
        nets.map(|net| (net.trunc(), number)).collect::<Vec<_>>()
    };
    spec.links.iter().enumerate().flat_map(of).collect()
}

impl Maker<'_> {
    fn count(&mut self, name: &'static str) {
        *self.coverage.entry(name).or_default() += 1;
    }

    /// The address of the other end of a line.
    fn neighbour(&self, node: usize, link: usize, family: Family) -> IpAddr {
        let ends = &self.spec.links[link].ends;
        let other = if ends[0].node == node { &ends[1] } else { &ends[0] };
        let of_family =
            other.addresses.iter().map(IpNet::addr).find(|address| Family::of(*address) == family);
        of_family.expect("every line has addresses of every family")
    }

    /// Nothing gets from one host to another, for some two: `claim-LINE-LINE`.
    fn claims(&mut self) {
        let lines: Vec<usize> = (0..self.spec.links.len()).filter(|l| self.host_of(*l).is_some()).collect();
        let mut text = String::from("claims:\n");
        for (from, to) in lines.iter().flat_map(|from| lines.iter().map(move |to| (*from, *to))) {
            let wanted = self.chance.percent(40);
            let (Some(one), Some(two)) = (self.host_of(from), self.host_of(to)) else { continue };
            if from != to && wanted {
                let claim = format!("isolated: {{ from: \"zone:{one}\", to: \"zone:{two}\" }}");
                text.push_str(&format!("  - {{ id: claim-{from}-{to}, {claim} }}\n"));
            }
        }
        self.spec.more = if text.ends_with("claims:\n") { String::new() } else { text };
    }

    fn host_of(&self, link: usize) -> Option<&str> {
        let node = &self.spec.nodes[self.spec.links[link].ends[0].node];
        node.is_host.then_some(node.name.as_str())
    }

    fn hosts(&mut self) {
        for node in self.routers..self.spec.nodes.len() {
            let (link, _) = self.spec.ends_of(node)[0];
            for family in families(&self.spec) {
                let gateway = self.neighbour(node, link, *family);
                let to = everything(*family);
                let action = RouteAction::Via(vec![gateway]);
                self.spec.nodes[node].routes.push(RouteSpec { table: MAIN, to, action });
            }
        }
    }

    /// The first lines of the shortest ways from a router to a line that is not its own.
    fn ways(&self, from: usize, target: usize) -> Vec<usize> {
        let distance = self.distances(target);
        let ends = self.spec.ends_of(from).into_iter().filter_map(|(link, side)| {
            let other = self.spec.links[link].ends[1 - side].node;
            (other < self.routers && distance[other] + 1 == distance[from]).then_some(link)
        });
        ends.collect()
    }

    /// How many routers lie between each router and a line.
    fn distances(&self, target: usize) -> Vec<usize> {
        let mut distance = vec![usize::MAX - 1; self.routers];
        let mut open = VecDeque::new();
        for end in self.spec.links[target].ends.iter().filter(|end| end.node < self.routers) {
            distance[end.node] = 0;
            open.push_back(end.node);
        }
        while let Some(at) = open.pop_front() {
            for (link, side) in self.spec.ends_of(at) {
                let other = self.spec.links[link].ends[1 - side].node;
                if other < self.routers && distance[other] == usize::MAX - 1 {
                    distance[other] = distance[at] + 1;
                    open.push_back(other);
                }
            }
        }
        distance
    }

    fn routes(&mut self, router: usize) {
        for family in families(&self.spec) {
            let own: Vec<usize> = self.spec.ends_of(router).into_iter().map(|(link, _)| link).collect();
            for (prefix, link) in prefixes(&self.spec, *family) {
                if own.contains(&link) || self.chance.percent(8) {
                    continue;
                }
                let mut hops: Vec<IpAddr> =
                    self.ways(router, link).iter().map(|way| self.neighbour(router, *way, *family)).collect();
                if hops.len() > 1 && self.chance.percent(50) {
                    hops.truncate(1);
                }
                if hops.len() > 1 {
                    self.count("equal-cost route");
                }
                self.add_route(router, MAIN, prefix, RouteAction::Via(hops));
            }
            self.pool_routes(router, *family);
            for _ in 0..self.chance.below(3) {
                self.odd_route(router, MAIN, *family);
            }
            if self.chance.percent(30) {
                let any = self.any_neighbour(router, *family);
                self.count("default route");
                self.add_route(router, MAIN, everything(*family), RouteAction::Via(vec![any]));
            }
            if self.chance.percent(45) {
                self.policy_routing(router, *family);
            }
        }
    }

    /// Routes to what the other gateways translate.
    fn pool_routes(&mut self, router: usize, family: Family) {
        for other in (0..self.routers).filter(|other| *other != router) {
            let ends = self.spec.ends_of(other);
            let nearest = ends.iter().map(|(link, _)| *link).min_by_key(|link| self.distances(*link)[router]);
            let wanted = self.gateways[other] && self.chance.percent(80);
            let Some(link) = nearest.filter(|_| wanted) else { continue };
            // On the last line before it, the gateway itself is next.
            let shared = self.spec.links[link].ends.iter().any(|end| end.node == router);
            let ways = if shared { vec![link] } else { self.ways(router, link) };
            let hops = ways.iter().take(1).map(|way| self.neighbour(router, *way, family)).collect();
            self.add_route(router, MAIN, pool(other, family), RouteAction::Via(hops));
        }
    }

    fn any_neighbour(&mut self, router: usize, family: Family) -> IpAddr {
        let ends = self.spec.ends_of(router);
        let (link, _) = self.chance.pick(&ends);
        self.neighbour(router, link, family)
    }

    fn add_route(&mut self, router: usize, table: u32, to: IpNet, action: RouteAction) {
        let known = self.spec.nodes[router].routes.iter().any(|route| route.table == table && route.to == to);
        let nowhere = action == RouteAction::Via(Vec::new());
        let own = self
            .spec
            .ends_of(router)
            .into_iter()
            .flat_map(|(link, side)| &self.spec.links[link].ends[side].addresses);
        let connected = table == MAIN && own.into_iter().any(|net| net.trunc() == to);
        if !known && !nowhere && !connected {
            self.spec.nodes[router].routes.push(RouteSpec { table, to, action });
        }
    }

    /// A route that does something else with a part of a network, or with one host.
    fn odd_route(&mut self, router: usize, table: u32, family: Family) {
        let all = prefixes(&self.spec, family);
        let (prefix, _) = self.chance.pick(&all);
        let longer = prefix.prefix_len() + 1 + self.chance.below(3) as u8;
        let parts: Vec<IpNet> = prefix.subnets(longer).unwrap().take(4).collect();
        let to = self.chance.pick(&parts);
        let (name, action) = match self.chance.below(6) {
            0 => ("blackhole route", RouteAction::Blackhole),
            1 => ("unreachable route", RouteAction::Unreachable),
            2 => ("prohibit route", RouteAction::Prohibit),
            3 => ("throw route", RouteAction::Throw),
            4 if self.chance.percent(30) => {
                let ends = self.spec.ends_of(router);
                let (link, side) = self.chance.pick(&ends);
                let interface = self.spec.links[link].ends[side].interface.clone();
                ("on-link route", RouteAction::Device(interface))
            }
            _ => ("longer prefix", RouteAction::Via(vec![self.any_neighbour(router, family)])),
        };
        self.count(name);
        self.add_route(router, table, to, action);
    }

    /// A second table and a rule that leads to it.
    fn policy_routing(&mut self, router: usize, family: Family) {
        let table = 100 + self.chance.below(2) as u32;
        for _ in 0..1 + self.chance.below(2) {
            self.odd_route(router, table, family);
        }
        if self.chance.percent(40) {
            let any = self.any_neighbour(router, family);
            self.add_route(router, table, everything(family), RouteAction::Via(vec![any]));
        }
        let all = prefixes(&self.spec, family);
        let some = |maker: &mut Self| maker.chance.percent(40).then(|| maker.chance.pick(&all).0);
        let (from, to) = (some(self), some(self));
        let ends = self.spec.ends_of(router);
        let incoming = self.chance.percent(50).then(|| {
            let (link, side) = self.chance.pick(&ends);
            self.spec.links[link].ends[side].interface.clone()
        });
        let marked = self.chance.percent(50);
        let mark = marked
            .then(|| (self.chance.pick(&[0, 1, 1, 2, 3]), self.chance.pick(&[u32::MAX, u32::MAX, 1, 2, 3])));
        if marked {
            self.count("fwmark");
        }
        // What a mark alone asks for hangs on nothing else.
        let (from, to, incoming) =
            if marked && self.chance.percent(60) { (None, None, None) } else { (from, to, incoming) };
        let table = (!self.chance.percent(12)).then_some(table);
        self.count(if table.is_some() { "routing rule" } else { "unreachable rule" });
        let priority = 100 + self.spec.nodes[router].rules.len() as u32;
        let v6 = family == Family::V6;
        self.spec.nodes[router].rules.push(RuleSpec { priority, v6, from, to, incoming, mark, table });
    }

    fn settings(&mut self, router: usize) {
        let mut set = |key: &str, value: &str| {
            self.spec.nodes[router].sysctl.push((format!("net.ipv4.conf.{key}"), value.to_owned()));
        };
        let filter = self.chance.below(6);
        if filter < 2 {
            let value = if filter == 0 { "1" } else { "2" };
            let whose = self.chance.pick(&["all.rp_filter", "default.rp_filter"]);
            set(whose, value);
        }
        if filter < 2 {
            self.count(if filter == 0 { "rp_filter strict" } else { "rp_filter loose" });
        }
    }

    fn filters(&mut self, router: usize) {
        let tracks = self.chance.percent(65);
        for family in families(&self.spec) {
            let [filters, translates, early] = [75, 85, 45].map(|share| self.chance.percent(share));
            let translates = translates && self.gateways[router];
            let words = self.words(router, *family);
            let mut writer = Writer { chance: &mut self.chance, words, coverage: self.coverage, tracks };
            let mut tables = Vec::new();
            if early {
                tables.push(writer.mangle());
            }
            if translates {
                tables.push(writer.nat());
            }
            if filters {
                tables.push(writer.filter());
            }
            self.spec.nodes[router].tables[*family as usize] = Ruleset { tables };
        }
    }

    /// What rules of a router may speak about.
    fn words(&self, router: usize, family: Family) -> Vocabulary {
        let mut all: Vec<IpNet> = prefixes(&self.spec, family).into_iter().map(|(net, _)| net).collect();
        let ends = self.spec.links.iter().flat_map(|link| &link.ends).flat_map(|end| &end.addresses);
        let addresses: Vec<IpAddr> =
            ends.map(IpNet::addr).filter(|address| Family::of(*address) == family).collect();
        all.extend(addresses.iter().copied().map(IpNet::from));
        let first = all[0];
        all.extend(first.subnets(first.prefix_len() + 1).unwrap());
        let pools = (0..self.routers).filter(|router| self.gateways[*router]);
        all.extend(pools.map(|router| pool(router, family)));
        let ends = self.spec.ends_of(router).into_iter();
        let interfaces =
            ends.map(|(link, side)| self.spec.links[link].ends[side].interface.clone()).collect();
        let marks_connections = self.marks_connections[router];
        Vocabulary {
            family,
            prefixes: all,
            interfaces,
            addresses,
            pool: pool(router, family),
            marks_connections,
        }
    }
}
