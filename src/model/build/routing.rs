//! Routing tables and the rules that choose one (SEMANTICS.md section 3.4).

use super::hop::Resolver;
use super::names::visible;
use super::possible::Neighbours;
use super::spec::{
    Destination, LookupRuleSpec, LookupSpec, NodeSpec, RouteActionSpec, RouteSpec, Stated, TableName,
};
use super::work::Work;
use crate::diag::{Code, Diagnostic};
use crate::header::Family;
use crate::model::{
    Fact, InterfaceId, Lookup, LookupRule, NextHop, NodeId, Route, RouteAction, Table, UnknownId, VrfId,
};
use crate::source::{Span, Spanned};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::net::IpAddr;

pub(super) fn make_tables(work: &mut Work) {
    let nodes = std::mem::take(&mut work.nodes);
    let mut neighbours = Neighbours::new(work);
    for (index, spec) in nodes.iter().enumerate() {
        let mut maker = Maker::new(work, NodeId::at(index));
        maker.connected(work, spec);
        for route in &spec.routes {
            maker.route(work, &mut neighbours, route);
        }
        maker.gateways(work, &mut neighbours, spec);
        maker.finish(work, spec);
    }
    neighbours.add_missing(work);
    work.nodes = nodes;
}

/// Everything, of a family.
fn everything(family: Family) -> IpNet {
    match family {
        Family::V4 => IpNet::V4(Ipv4Net::default()),
        Family::V6 => IpNet::V6(Ipv6Net::default()),
    }
}

/// A route with what decides between equal prefixes.
struct Ranked {
    route: Route,
    metric: u32,
}

/// Makes the tables of one node.
struct Maker {
    node: NodeId,
    resolver: Resolver,
    /// The tables in order, the main one first.
    tables: Vec<(TableName, Vec<Ranked>)>,
    positions: FxHashMap<TableName, usize>,
    /// Certain routes of the description by table, prefix and metric.
    declared: FxHashMap<(usize, IpNet, u32), Span>,
    /// Where a learned route is.
    dynamic: Option<Span>,
}

impl Maker {
    fn new(work: &Work, node: NodeId) -> Maker {
        let mut maker = Maker {
            node,
            resolver: Resolver::new(work, node),
            tables: Vec::new(),
            positions: FxHashMap::default(),
            declared: FxHashMap::default(),
            dynamic: None,
        };
        maker.table(&TableName::Main);
        for interface in &work.network.node(node).interfaces {
            if let Some(vrf) = work.network.interface(*interface).vrf {
                maker.table(&TableName::Vrf(work.network.vrfs[vrf.index()].name.clone()));
            }
        }
        maker
    }

    fn table(&mut self, name: &TableName) -> usize {
        let name = match name {
            TableName::Dumped(word) if word == "main" => &TableName::Main,
            TableName::Main | TableName::Vrf(_) | TableName::Dumped(_) => name,
        };
        if let Some(known) = self.positions.get(name) {
            return *known;
        }
        self.tables.push((name.clone(), Vec::new()));
        self.positions.insert(name.clone(), self.tables.len() - 1);
        self.tables.len() - 1
    }

    /// The routes of the networks that the interfaces are on.
    fn connected(&mut self, work: &Work, spec: &NodeSpec) {
        for id in &work.network.node(self.node).interfaces {
            let interface = work.network.interface(*id);
            let Some(own) = work.interfaces.get(id.index()).filter(|_| interface.segment.is_some()) else {
                continue;
            };
            let table = match interface.vrf {
                Some(vrf) => TableName::Vrf(work.network.vrfs[vrf.index()].name.clone()),
                None => TableName::Main,
            };
            let table = self.table(&table);
            for address in &own.addresses {
                let Some(on_link) =
                    address.on_link.filter(|on_link| *on_link != IpNet::from(address.net.addr()))
                else {
                    continue;
                };
                if spec.connected[Family::of(on_link.addr()) as usize] {
                    let action = RouteAction::Send(vec![NextHop { interface: *id, via: None }]);
                    let route = Route { prefix: on_link, action, span: address.span, unknown: None };
                    self.tables[table].1.push(Ranked { route, metric: 0 });
                }
            }
        }
    }

    fn route(&mut self, work: &mut Work, neighbours: &mut Neighbours, spec: &RouteSpec) {
        if let TableName::Vrf(name) = &spec.table {
            let name = Spanned::new(name.clone(), spec.table_span.unwrap_or(spec.span));
            if work.vrfs.resolve(&name, &mut work.findings).is_none() {
                return;
            }
        }
        if spec.dynamic {
            self.dynamic = self.dynamic.or(Some(spec.span));
        }
        let action = match &spec.action {
            RouteActionSpec::Blackhole => RouteAction::Blackhole,
            RouteActionSpec::Unreachable => RouteAction::Unreachable,
            RouteActionSpec::Throw => RouteAction::Throw,
            RouteActionSpec::Send(hops) => match self.resolver.send(work, spec, hops) {
                Some(action) => action,
                None => return,
            },
        };
        if let RouteAction::Send(hops) = &action {
            for hop in hops {
                neighbours.note(work, self.node, hop, spec.span);
            }
        }
        for prefix in prefixes(spec) {
            self.check_prefix(work, spec, prefix);
            let table = self.table(&spec.table);
            self.check_once(work, spec, table, prefix);
            let route = Route { prefix, action: action.clone(), span: spec.span, unknown: spec.unknown };
            self.tables[table].1.push(Ranked { route, metric: spec.metric });
        }
    }

    fn check_prefix(&self, work: &mut Work, spec: &RouteSpec, prefix: IpNet) {
        if prefix.trunc() != prefix {
            let message = format!("{prefix} has host bits");
            let help =
                format!("write `{}`, or `{}` for one address", prefix.trunc(), IpNet::from(prefix.addr()));
            work.findings.error(Code::Address, spec.to.span, message, &help);
        }
    }

    /// Refuses a second route of the description to the same prefix: only one could be in force.
    fn check_once(&mut self, work: &mut Work, spec: &RouteSpec, table: usize, prefix: IpNet) {
        let is_dumped = match &spec.action {
            RouteActionSpec::Send(hops) => hops.iter().any(|hop| hop.interface.is_some()),
            RouteActionSpec::Blackhole | RouteActionSpec::Unreachable | RouteActionSpec::Throw => false,
        };
        if is_dumped || spec.unknown.is_some() || spec.dynamic {
            return;
        }
        self.once(work, (table, prefix, spec.metric), spec.to.span);
    }

    fn once(&mut self, work: &mut Work, key: (usize, IpNet, u32), span: Span) {
        if let Some(first) = self.declared.get(&key) {
            let message = format!("`{}` has two routes to {}", work.node_label(self.node), key.1);
            let twice = Diagnostic::error(Code::Conflict, span, message)
                .also(*first, "the first is here")
                .help("several next hops of equal cost are one route: `via: [a, b]`");
            work.findings.push(twice);
            return;
        }
        self.declared.insert(key, span);
    }

    fn gateways(&mut self, work: &mut Work, neighbours: &mut Neighbours, spec: &NodeSpec) {
        let mut given: [Option<Span>; 2] = [None; 2];
        for gateway in &spec.gateway {
            let family = Family::of(gateway.value);
            if let Some(first) = given[family as usize].replace(gateway.span) {
                let message = format!("`{}` has two {family} gateways", work.node_label(self.node));
                let twice = Diagnostic::error(Code::Conflict, gateway.span, message)
                    .also(first, "the first is here")
                    .help("equal next hops are a route: `{ to: default, via: [a, b] }`");
                work.findings.push(twice);
                continue;
            }
            if !spec.connected[family as usize] {
                self.check_dumped_default(work, gateway);
                continue;
            }
            let Some(hop) = self.resolver.gateway(work, spec, gateway) else { continue };
            neighbours.note(work, self.node, &hop, gateway.span);
            let prefix = everything(family);
            self.once(work, (0, prefix, 0), gateway.span);
            let action = RouteAction::Send(vec![hop]);
            let route = Route { prefix, action, span: gateway.span, unknown: None };
            self.tables[0].1.push(Ranked { route, metric: 0 });
        }
    }

    /// A node whose routes are dumped has the default route of its dump; a gateway of its own may only
    /// confirm it.
    fn check_dumped_default(&self, work: &mut Work, gateway: &Stated<IpAddr>) {
        let prefix = everything(Family::of(gateway.value));
        let defaults = || self.tables[0].1.iter().filter(|ranked| ranked.route.prefix == prefix);
        let confirms = |action: &RouteAction| match action {
            RouteAction::Send(hops) => hops.iter().any(|hop| hop.via == Some(gateway.value)),
            RouteAction::Blackhole | RouteAction::Unreachable | RouteAction::Throw => false,
        };
        if !gateway.own || defaults().any(|ranked| confirms(&ranked.route.action)) {
            return;
        }
        let message = format!(
            "the gateway of `{}` is declared {}, but its own files have no such default route",
            work.node_label(self.node),
            gateway.value
        );
        let mut conflict = Diagnostic::error(Code::Conflict, gateway.span, message)
            .help("remove the declaration, or dump the device again");
        if let Some(shown) = defaults().next() {
            conflict = conflict.also(shown.route.span, "the default route of the dump");
        }
        work.findings.push(conflict);
    }

    fn finish(mut self, work: &mut Work, spec: &NodeSpec) {
        let lookup = match &spec.lookup {
            Some(rules) => rules.iter().filter_map(|rule| self.dumped_rule(work, rule)).collect(),
            None => self.derived_rules(work),
        };
        let lookup = self.bind(work, lookup);
        let dynamic = self.dynamic.map(|span| {
            let what = format!("which routes the peers of `{}` announce", work.node_label(self.node));
            work.unknown(what, span, "`assume: { fixed-routes: \"...\" }`")
        });
        let tables = self.tables.into_iter().map(|(name, mut routes)| {
            routes.sort_by_key(|ranked| (u8::MAX - ranked.route.prefix.prefix_len(), ranked.metric));
            let name = match name {
                TableName::Main => "main".to_owned(),
                TableName::Vrf(name) | TableName::Dumped(name) => name,
            };
            Table { name, routes: routes.into_iter().map(|ranked| ranked.route).collect() }
        });
        let node = &mut work.network.nodes[self.node.index()];
        node.tables = tables.collect();
        node.lookup = lookup;
        node.dynamic_routes = dynamic;
    }

    /// Notes which rules the node's own packets may meet because something is bound to a VRF.
    fn bind(&self, work: &mut Work, mut lookup: Vec<LookupRule>) -> Vec<LookupRule> {
        let mut known: BTreeMap<VrfId, UnknownId> = BTreeMap::new();
        for rule in &mut lookup {
            let members = rule.incoming.iter().flatten();
            let Some((vrf, id)) = members.copied().find_map(|id| Some((work.network.interface(id).vrf?, id)))
            else {
                continue;
            };
            let node = work.node_label(self.node);
            let span = work.network.interface(id).span;
            let unknown = *known.entry(vrf).or_insert_with(|| {
                let name = visible(&work.network.vrfs[vrf.index()].name);
                work.unknown(
                    format!("whether packets of `{node}`'s own leave by VRF `{name}`"),
                    span,
                    format!("an output list at `{node}` (`from self` rules)"),
                )
            });
            rule.bound = Some(unknown);
        }
        lookup
    }

    /// What comes in on an interface of a VRF looks into its table; everything else, and perhaps what that
    /// table does not route, into the main one.
    fn derived_rules(&mut self, work: &mut Work) -> Vec<LookupRule> {
        let mut members: BTreeMap<usize, Vec<InterfaceId>> = BTreeMap::new();
        for id in work.network.node(self.node).interfaces.clone() {
            if let Some(vrf) = work.network.interface(id).vrf {
                let table = self.table(&TableName::Vrf(work.network.vrfs[vrf.index()].name.clone()));
                members.entry(table).or_default().push(id);
            }
        }
        let mut rules = Vec::with_capacity(members.len() + 1);
        for (table, incoming) in members {
            let (TableName::Vrf(name) | TableName::Dumped(name)) = &self.tables[table].0 else { continue };
            let name = visible(name);
            let node = work.node_label(self.node);
            let unknown = work.unknown(
                format!("whether a lookup in VRF `{name}` of `{node}` goes on in the main table"),
                work.network.interface(incoming[0]).span,
                format!("`{{ to: default, unreachable: true, vrf: {name} }}` in the routes of `{node}`"),
            );
            rules.push(rule(Some(incoming), Lookup::Table(table), Fact::Unknown(unknown)));
        }
        rules.push(rule(None, Lookup::Table(0), Fact::Yes));
        rules
    }

    fn dumped_rule(&mut self, work: &mut Work, spec: &LookupRuleSpec) -> Option<LookupRule> {
        let mut incoming = None;
        if let Some(names) = &spec.incoming {
            let mut ids = Vec::with_capacity(names.len());
            for name in names {
                ids.push(self.resolver.interface(work, name)?);
            }
            incoming = Some(ids);
        }
        let action = match &spec.action {
            LookupSpec::Table(name) => Lookup::Table(self.table(name)),
            LookupSpec::Blackhole => Lookup::Blackhole,
            LookupSpec::Unreachable => Lookup::Unreachable,
        };
        Some(LookupRule {
            from: spec.from,
            to: spec.to,
            incoming,
            bound: None,
            mark: spec.mark,
            unknown: spec.unknown,
            action,
            span: spec.span,
            falls_through: spec.falls_through,
        })
    }
}

fn rule(incoming: Option<Vec<InterfaceId>>, action: Lookup, falls_through: Fact) -> LookupRule {
    let (from, to, bound, mark, unknown, span) = (None, None, None, None, None, None);
    LookupRule { from, to, incoming, bound, mark, unknown, action, span, falls_through }
}

/// The prefixes of a route: one, or for a default without next hop one for each family.
fn prefixes(spec: &RouteSpec) -> Vec<IpNet> {
    match spec.to.value {
        Destination::Prefix(prefix) => vec![prefix],
        Destination::Default => {
            let hops = match &spec.action {
                RouteActionSpec::Send(hops) => &hops[..],
                RouteActionSpec::Blackhole | RouteActionSpec::Unreachable | RouteActionSpec::Throw => &[],
            };
            match hops.iter().find_map(|hop| hop.via.as_ref()) {
                Some(via) => vec![everything(Family::of(via.value))],
                None => Family::ALL.map(everything).to_vec(),
            }
        }
    }
}
