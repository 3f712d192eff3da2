//! A small language for networks made by hand.

use ipnet::IpNet;
use isoaudit::header::{AddressRange, Family};
use isoaudit::model::{
    Action, Address, Antispoof, Assumption, Chain, Existence, Fact, Filter, FilterId, Hook, Interface,
    InterfaceId, Kind, Lookup, LookupRule, Match, Network, NextHop, Node, NodeId, Role, Route, RouteAction,
    Rule, Segment, SegmentId, Stage, Table, Test, Transit, Unknown, UnknownId,
};
use isoaudit::source::{SourceId, Span, Spanned};
use std::net::IpAddr;

/// A place in no file at all.
pub(crate) fn nowhere() -> Span {
    Span::new(SourceId(0), 0, 0)
}

/// An address from text.
pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A prefix from text.
pub(crate) fn prefix(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// The addresses of prefixes.
pub(crate) fn ranges(texts: &[&str]) -> Vec<AddressRange> {
    texts.iter().map(|text| prefix(text).into()).collect()
}

/// A network that grows. Everything in it is described, speaks IPv6, checks no sources, and forwards if its role does.
pub(crate) struct Net {
    /// The network so far.
    pub(crate) network: Network,
}

impl Net {
    pub(crate) fn new() -> Net {
        Net { network: Network::unchecked_empty("test") }
    }

    pub(crate) fn unknown(&mut self, what: &str) -> UnknownId {
        let unknown = Unknown { what: what.to_owned(), span: None, settle: format!("settle {what}") };
        self.network.unknowns.push(unknown);
        UnknownId::at(self.network.unknowns.len() - 1)
    }

    pub(crate) fn assume(&mut self, assumption: Assumption) {
        self.network.assumptions.insert(assumption, Spanned::new("a test".to_owned(), nowhere()));
    }

    pub(crate) fn segment(&mut self, name: &str) -> SegmentId {
        self.network.segments.push(Segment {
            name: name.to_owned(),
            span: nowhere(),
            attached: Vec::new(),
            ports: Vec::new(),
            transit: Transit::Known(Vec::new()),
            lines: Vec::new(),
            vlan: None,
            existence: Existence::Described,
            tunnel: None,
            joins: Vec::new(),
        });
        SegmentId::at(self.network.segments.len() - 1)
    }

    pub(crate) fn node(&mut self, name: &str, role: Role) -> NodeId {
        let forwards = if role.forwards() { Fact::Yes } else { Fact::No };
        self.network.nodes.push(Node {
            name: name.to_owned(),
            span: nowhere(),
            role,
            kind: Kind::Linux,
            site: None,
            labels: Vec::new(),
            interfaces: Vec::new(),
            forwarding: [forwards, forwards],
            lookup: vec![lookup_rule(Lookup::Table(0))],
            tables: vec![Table { name: "main".to_owned(), routes: Vec::new() }],
            prerouting: Vec::new(),
            translating: Default::default(),
            input: Vec::new(),
            forward: Vec::new(),
            output: Vec::new(),
            early_output: Vec::new(),
            late_output: Vec::new(),
            rerouting: Vec::new(),
            source_routing: Fact::No,
            multicast_forwarding: Fact::No,
            sets: None,
            dynamic_routes: None,
            existence: Existence::Described,
        });
        NodeId::at(self.network.nodes.len() - 1)
    }

    pub(crate) fn router(&mut self, name: &str) -> NodeId {
        self.node(name, Role::Router)
    }

    pub(crate) fn host(&mut self, name: &str) -> NodeId {
        self.node(name, Role::Host)
    }

    /// An interface on a segment, with the routes of its prefixes in the main table.
    pub(crate) fn interface(&mut self, node: NodeId, segment: SegmentId, addresses: &[&str]) -> InterfaceId {
        let id = InterfaceId::at(self.network.interfaces.len());
        let name = format!("eth{}", self.network.node(node).interfaces.len());
        let address = |text: &&str| Address { net: prefix(text), span: nowhere() };
        self.network.interfaces.push(Interface {
            node,
            name,
            span: nowhere(),
            addresses: addresses.iter().map(address).collect(),
            labels: Vec::new(),
            zone: None,
            vrf: None,
            vlan: None,
            segment: Some(segment),
            antispoof: [Antispoof::Off; 2],
            ipv6: Fact::Yes,
            ingress: Vec::new(),
            egress: Vec::new(),
        });
        self.network.nodes[node.index()].interfaces.push(id);
        self.network.segments[segment.index()].attached.push(id);
        for text in addresses {
            self.add_route(
                node,
                0,
                prefix(text).trunc(),
                RouteAction::Send(vec![NextHop { interface: id, via: None }]),
            );
        }
        id
    }

    /// Adds a route where the order of the table wants it.
    pub(crate) fn add_route(
        &mut self,
        node: NodeId,
        table: usize,
        to: IpNet,
        action: RouteAction,
    ) -> &mut Route {
        let routes = &mut self.network.nodes[node.index()].tables[table].routes;
        let at =
            routes.iter().position(|old| old.prefix.prefix_len() < to.prefix_len()).unwrap_or(routes.len());
        routes.insert(at, Route { prefix: to, action, span: nowhere(), unknown: None });
        &mut routes[at]
    }

    /// A route through neighbours: (out-interface, neighbour's address), several for equal cost.
    pub(crate) fn route(&mut self, node: NodeId, to: &str, hops: &[(InterfaceId, &str)]) -> &mut Route {
        let hop =
            |(interface, via): &(InterfaceId, &str)| NextHop { interface: *interface, via: Some(ip(via)) };
        self.add_route(node, 0, prefix(to), RouteAction::Send(hops.iter().map(hop).collect()))
    }

    pub(crate) fn filter(&mut self, tracks: bool, chains: Vec<Chain>) -> FilterId {
        let name = format!("filter{}", self.network.filters.len());
        self.network.filters.push(Filter {
            name,
            span: nowhere(),
            chains,
            translations: Vec::new(),
            tracks,
            relates_own_errors: false,
        });
        FilterId::at(self.network.filters.len() - 1)
    }

    /// Binds the first chain of a filter to a stage of a node.
    pub(crate) fn bind(&mut self, node: NodeId, stage: Stage, filter: FilterId) {
        let hook = Hook { filter, chain: 0, family: None };
        let node = &mut self.network.nodes[node.index()];
        match stage {
            Stage::Prerouting => node.prerouting.push(hook),
            Stage::Input => node.input.push(hook),
            Stage::Forward => node.forward.push(hook),
            Stage::EarlyOutput => node.early_output.push(hook),
            Stage::Output => node.output.push(hook),
            Stage::LateOutput => node.late_output.push(hook),
            Stage::Ingress | Stage::Egress => panic!("bind_interface binds these"),
        }
    }

    /// Binds the first chain of a filter to a stage of an interface.
    pub(crate) fn bind_interface(&mut self, interface: InterfaceId, stage: Stage, filter: FilterId) {
        let hook = Hook { filter, chain: 0, family: None };
        let interface = &mut self.network.interfaces[interface.index()];
        match stage {
            Stage::Ingress => interface.ingress.push(hook),
            Stage::Egress => interface.egress.push(hook),
            Stage::Prerouting
            | Stage::Input
            | Stage::Forward
            | Stage::EarlyOutput
            | Stage::Output
            | Stage::LateOutput => {
                panic!("bind binds these")
            }
        }
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.network.nodes[id.index()]
    }

    pub(crate) fn interface_mut(&mut self, id: InterfaceId) -> &mut Interface {
        &mut self.network.interfaces[id.index()]
    }

    pub(crate) fn segment_mut(&mut self, id: SegmentId) -> &mut Segment {
        &mut self.network.segments[id.index()]
    }

    /// Whether the addresses of an interface say so, it speaks the family.
    pub(crate) fn families(&self, id: InterfaceId) -> Vec<Family> {
        let addresses = self.network.interface(id).addresses.iter();
        addresses.map(|address| Family::of(address.net.addr())).collect()
    }
}

/// A rule that sends every packet to an action.
pub(crate) fn lookup_rule(action: Lookup) -> LookupRule {
    LookupRule {
        from: None,
        to: None,
        incoming: None,
        bound: None,
        mark: None,
        unknown: None,
        action,
        span: None,
        falls_through: Fact::Yes,
    }
}

/// A chain with a policy.
pub(crate) fn chain(policy: Option<Action>, rules: Vec<Rule>) -> Chain {
    Chain { name: "chain".to_owned(), span: nowhere(), rules, policy }
}

/// A rule that opens connections.
pub(crate) fn rule(name: &str, tests: Vec<Test>, action: Action) -> Rule {
    let matches = tests.into_iter().map(|test| Match { test, negated: false, span: nowhere() }).collect();
    Rule { name: name.to_owned(), span: nowhere(), matches, action, opens: true }
}

/// The rule with its conditions turned round.
pub(crate) fn negated(mut rule: Rule) -> Rule {
    rule.matches.iter_mut().for_each(|one| one.negated = !one.negated);
    rule
}

/// The rule, opening nothing.
pub(crate) fn stateless(mut rule: Rule) -> Rule {
    rule.opens = false;
    rule
}
