//! Routing tables, from dumps to what the builder takes.
//!
//! The table `local` is what the walk does with own, broadcast and group addresses anyway, so only what else
//! stands in it becomes routes. Equal prefixes with different metrics back each other up: which is in force may
//! change (SEMANTICS.md section 4.4).

use super::Lowering;
use crate::header::Family;
use crate::input::dump::{Doubt, DumpedAction, DumpedRoute, LinkKind};
use crate::model::UnknownId;
use crate::model::build::{AddressSpec, Destination, HopSpec, InterfaceSpec, NodeSpec, RouteActionSpec};
use crate::model::build::{RouteSpec, TableName};
use crate::source::Spanned;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The name of the loopback, for own addresses that stand on no interface.
const LOOPBACK: &str = "lo";

impl Lowering<'_> {
    /// Takes routes and rules from the dumps, if there are any.
    pub(super) fn routing(&mut self, node: &mut NodeSpec, ipv6_runs: bool) {
        let dump = self.dump;
        let silent = dump.routes.is_absent() && dump.routes6.is_absent();
        if silent && dump.rules.is_absent() && dump.rules6.is_absent() {
            // The description says how the node routes.
            return;
        }
        let mut rules = Vec::new();
        for family in Family::ALL {
            if family == Family::V6 && !ipv6_runs {
                continue;
            }
            if dump.shows_routes(family) {
                self.take_over(node, family);
                self.routes(node, family);
            } else if !declares(node, family) {
                let key = if family == Family::V4 { "routes" } else { "routes6" };
                let doubt = Doubt::havoc(format!("which {family} routes the node has"), self.beside.config)
                    .settled_by(format!("`{key}:` in `config`, with the dump of all tables, or `none`"));
                rules.push(self.open_rule(family, &doubt));
            }
            let more = self.rules(node, family);
            rules.extend(more);
        }
        node.lookup = Some(rules);
    }

    /// The dump says all about the routes of a family: what the description says of its own besides is an error.
    fn take_over(&mut self, node: &mut NodeSpec, family: Family) {
        node.connected[family as usize] = false;
        let shown = self.dump.routes_of(family).next().map_or(self.beside.config, |route| route.span);
        let help = "take it out, or take the routes out of `config`";
        let message = format!("the {family} routes of the node come from its dump");
        let gateways: Vec<_> =
            node.gateway.iter().filter(|g| Family::of(g.value) == family).copied().collect();
        for gateway in gateways.iter().filter(|gateway| gateway.own) {
            self.conflict(gateway.span, message.clone(), shown, help);
        }
        node.gateway.retain(|gateway| Family::of(gateway.value) != family);
        let declared: Vec<_> = node.routes.iter().filter(|r| leads_to(r, family)).map(|r| r.span).collect();
        for span in declared {
            self.conflict(span, message.clone(), shown, help);
        }
    }

    fn routes(&mut self, node: &mut NodeSpec, family: Family) {
        let dump = self.dump;
        let routes: Vec<&DumpedRoute> = dump.routes_of(family).collect();
        let mut own: BTreeSet<IpAddr> =
            node.interfaces.iter().flat_map(|interface| &interface.addresses).map(|a| a.net.addr()).collect();
        let mut kept: Vec<&DumpedRoute> = Vec::new();
        for route in routes {
            match route.action {
                DumpedAction::Broadcast | DumpedAction::Multicast => {}
                DumpedAction::Local | DumpedAction::Anycast => self.own_address(node, route, &mut own),
                DumpedAction::Unicast
                | DumpedAction::Blackhole
                | DumpedAction::Unreachable
                | DumpedAction::Prohibit
                | DumpedAction::Throw => kept.push(route),
            }
        }
        let mut groups: BTreeMap<(&str, IpNet), Vec<&DumpedRoute>> = BTreeMap::new();
        for route in kept {
            groups.entry((&route.table, route.prefix)).or_default().push(route);
        }
        for group in groups.into_values() {
            self.group(node, group);
        }
    }

    /// An own address that the table `local` shows: one more if no interface has it.
    fn own_address(&mut self, node: &mut NodeSpec, route: &DumpedRoute, own: &mut BTreeSet<IpAddr>) {
        let address = route.prefix.addr();
        let is_loopback = address.is_loopback();
        if is_loopback || own.contains(&address) {
            return;
        }
        if route.prefix.prefix_len() < route.prefix.max_prefix_len() {
            let doubt =
                Doubt::havoc(format!("what the node does as the owner of {}", route.prefix), route.span);
            self.unknown(&doubt);
            return;
        }
        own.insert(address);
        let position = node.interfaces.iter().position(|interface| interface.loopback);
        let position = position.unwrap_or_else(|| {
            let name = Spanned::new(LOOPBACK.to_owned(), route.span);
            node.interfaces.push(InterfaceSpec { loopback: true, ..InterfaceSpec::new(name) });
            node.interfaces.len() - 1
        });
        let spec = AddressSpec { net: route.prefix, span: route.span, on_link: None };
        node.interfaces[position].addresses.push(spec);
    }

    /// Routes of one table to one prefix.
    fn group(&mut self, node: &mut NodeSpec, mut group: Vec<&DumpedRoute>) {
        group.sort_by_key(|route| route.metric);
        let sends = |route: &&DumpedRoute| route.action == DumpedAction::Unicast && route.doubts.is_empty();
        let (first, last) = (group[0], group[group.len() - 1]);
        if first.family() == Family::V6 && first.metric == last.metric && group.iter().all(|r| sends(&r)) {
            // IPv6 lists equal next hops one by one.
            let mut spec = self.route(first, None);
            if let RouteActionSpec::Send(hops) = &mut spec.action {
                hops.extend(group[1..].iter().flat_map(|route| hops_of(route)));
            }
            spec.dynamic |= group.iter().any(|route| route.dynamic);
            node.routes.push(spec);
            return;
        }
        let same = |route: &&DumpedRoute| route.action == first.action && hops_key(route) == hops_key(first);
        let backup = group.iter().find(|route| !same(route)).copied();
        for route in group {
            let unknown = backup.map(|backup| {
                let what = format!(
                    "which of the routes to {} is in force, of metric {} or {}",
                    route.prefix, first.metric, backup.metric
                );
                self.unknown(&Doubt::about(what, backup.span))
            });
            let spec = self.route(route, unknown);
            node.routes.push(spec);
        }
    }

    fn route(&mut self, route: &DumpedRoute, unknown: Option<UnknownId>) -> RouteSpec {
        let action = match route.action {
            DumpedAction::Blackhole => RouteActionSpec::Blackhole,
            DumpedAction::Unreachable | DumpedAction::Prohibit => RouteActionSpec::Unreachable,
            DumpedAction::Throw => RouteActionSpec::Throw,
            _ if route.hops.is_empty() => RouteActionSpec::Blackhole,
            _ => RouteActionSpec::Send(hops_of(route).collect()),
        };
        let mut doubts = Vec::new();
        for doubt in &route.doubts {
            doubts.push(self.unknown(doubt));
        }
        let to = Spanned::new(Destination::Prefix(route.prefix), route.span);
        let mut spec = RouteSpec::new(route.span, to, action);
        spec.table = self.table_name(&route.table);
        spec.metric = route.metric;
        spec.unknown = doubts.first().copied().or(unknown);
        spec.dynamic = route.dynamic;
        spec
    }

    /// The table of a name or number of the dump; that of a VRF if a VRF has the number.
    pub(super) fn table_name(&self, word: &str) -> TableName {
        let number = word.parse::<u32>().ok();
        let vrf = self.dump.links().iter().find(|link| match link.kind {
            LinkKind::Vrf { table } => number == Some(table),
            _ => false,
        });
        match vrf {
            _ if word == "main" => TableName::Main,
            Some(vrf) => TableName::Vrf(vrf.name.value.clone()),
            None => TableName::Dumped(word.to_owned()),
        }
    }
}

fn hops_of(route: &DumpedRoute) -> impl Iterator<Item = HopSpec> {
    route.hops.iter().map(|hop| HopSpec { via: hop.via, interface: hop.interface.clone() })
}

/// Next hops without their places.
fn hops_key(route: &DumpedRoute) -> Vec<(Option<&str>, Option<IpAddr>)> {
    let hops = route.hops.iter();
    hops.map(|hop| (hop.interface.as_ref().map(|i| i.value.as_str()), hop.via.map(|via| via.value))).collect()
}

/// Whether a route of the description leads to addresses of a family.
fn leads_to(route: &RouteSpec, family: Family) -> bool {
    match route.to.value {
        Destination::Prefix(prefix) => Family::of(prefix.addr()) == family && !route.dynamic,
        Destination::Default => match &route.action {
            RouteActionSpec::Send(hops) => {
                hops.iter().any(|hop| hop.via.is_some_and(|via| Family::of(via.value) == family))
            }
            RouteActionSpec::Blackhole | RouteActionSpec::Unreachable | RouteActionSpec::Throw => true,
        },
    }
}

/// Whether the description itself says where packets of a family go.
fn declares(node: &NodeSpec, family: Family) -> bool {
    node.routes.iter().any(|route| leads_to(route, family))
        || node.gateway.iter().any(|gateway| Family::of(gateway.value) == family)
}
