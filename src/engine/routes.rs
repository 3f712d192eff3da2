//! From routing rules and tables to the sets of packets that go each way (SEMANTICS.md sections 3.4 and 4.3).
//!
//! A table is one sweep over its sorted prefixes to disjoint ranges of destinations, each with the routes that may
//! apply there; never a set subtraction for each prefix.

use crate::header::{AddressRange, Family, address_from_number, address_number};
use crate::model::{
    Fact, InterfaceId, Lookup, LookupRule, Network, NextHop, Node, NodeId, Reading, Route, RouteAction, Table,
};
use crate::set::{Set, Side, Space};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Where the packets of a node go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fib {
    /// Packets by next hop, in the order of the hops. A packet with several next hops is in several sets.
    pub(super) sends: Vec<(NextHop, Set)>,
    /// Packets without a route, or with an unreachable one: dropped, and the source is told.
    pub(super) unroutable: Set,
}

/// The packets of one node that came in on one interface (or nowhere: its own) and have a mark, by where they go.
pub(super) fn compile_fib(
    space: &mut Space,
    network: &Network,
    node: NodeId,
    (incoming, mark): (Option<InterfaceId>, u32),
    reading: Reading,
) -> Fib {
    let mut fib = FibCompiler { space, reading, sends: BTreeMap::new(), unroutable: Set::EMPTY };
    let node = network.node(node);
    let mut left = Set::FULL;
    for rule in node.lookup.iter().filter(|rule| asks(rule, incoming, mark)) {
        let condition = fib.condition(rule);
        let bound = incoming.is_none() && rule.incoming.is_some();
        let (take, stays) = match (rule.unknown, reading) {
            (None, _) if !bound => (condition, condition),
            (_, Reading::May) => (condition, Set::EMPTY),
            // An address of the VRF is used by what is bound to it; nobody knows of which.
            (_, Reading::Must) if bound => (Set::EMPTY, fib.sent_by_members(network, rule, condition)),
            (_, Reading::Must) => (Set::EMPTY, condition),
        };
        let here = fib.space.intersect(left, take);
        let goes_on = match rule.action {
            Lookup::Table(table) => fib.table(&node.tables[table], here, rule.falls_through),
            Lookup::Blackhole => Set::EMPTY,
            Lookup::Unreachable => {
                fib.unroutable = fib.space.union(fib.unroutable, here);
                Set::EMPTY
            }
        };
        let rest = fib.space.minus(left, stays);
        left = fib.space.union(rest, goes_on);
    }
    let unroutable = fib.space.union(fib.unroutable, left);
    Fib { sends: fib.sends.into_iter().collect(), unroutable }
}

/// Whether a node routes its own packets and whatever comes in by the same sets, in both readings.
pub(super) fn routes_all_alike(node: &Node) -> bool {
    let certain = |rule: &LookupRule| {
        let table = match rule.action {
            Lookup::Table(table) => node.tables[table].routes.iter().all(|route| route.unknown.is_none()),
            Lookup::Blackhole | Lookup::Unreachable => true,
        };
        table && rule.unknown.is_none() && rule.falls_through.unknown().is_none()
    };
    node.lookup.iter().all(|rule| rule.incoming.is_none() && rule.mark.is_none() && certain(rule))
}

/// Where the own packets of one node go, compiled by itself: next hops with the packets that are sent there. For
/// measuring large tables.
pub fn route_sets(network: &Network, node: NodeId, reading: Reading) -> (Space, Vec<(NextHop, Set)>) {
    let mut space = Space::new();
    let sends = compile_fib(&mut space, network, node, (None, 0), reading).sends;
    (space, sends)
}

/// Whether a rule asks packets that came in there with a mark at all, or may ask the device's own.
pub(super) fn asks(rule: &LookupRule, incoming: Option<InterfaceId>, mark: u32) -> bool {
    if rule.mark.is_some_and(|test| !test.fits(mark)) {
        return false;
    }
    match (&rule.incoming, incoming) {
        (None, _) => true,
        (Some(list), Some(interface)) => list.contains(&interface),
        (Some(_), None) => rule.bound.is_some(),
    }
}

/// Which of the routing rules of a node ask packets that came in there with a mark, as bits.
pub(super) fn fib_class(network: &Network, node: NodeId, incoming: Option<InterfaceId>, mark: u32) -> u64 {
    let rules = &network.node(node).lookup;
    if rules.len() > 62 {
        let came = incoming.map_or(0x7fff_ffff, |id| u64::from(id.0));
        let mark = if rules.iter().any(|rule| rule.mark.is_some()) { mark } else { 0 };
        return (1 << 63) | (came << 32) | u64::from(mark);
    }
    // What rules may ask the node's own packets, they ask others for certain.
    let own = u64::from(incoming.is_none()) << 62;
    own | rules
        .iter()
        .enumerate()
        .fold(0, |bits, (index, rule)| bits | (u64::from(asks(rule, incoming, mark)) << index))
}

/// Which of the routing rules of a node ask packets that came in there, whatever their marks, as bits.
pub(super) fn interface_class(network: &Network, node: NodeId, incoming: InterfaceId) -> u64 {
    let rules = &network.node(node).lookup;
    if rules.len() > 62 {
        return (1 << 63) | u64::from(incoming.0);
    }
    let among = |rule: &LookupRule| rule.incoming.as_ref().is_none_or(|list| list.contains(&incoming));
    rules.iter().enumerate().fold(0, |bits, (index, rule)| bits | (u64::from(among(rule)) << index))
}

struct FibCompiler<'s> {
    space: &'s mut Space,
    reading: Reading,
    sends: BTreeMap<NextHop, Set>,
    unroutable: Set,
}

impl FibCompiler<'_> {
    fn condition(&mut self, rule: &LookupRule) -> Set {
        let from = rule.from.map_or(Set::FULL, |prefix| self.space.prefix(Side::Src, prefix));
        let to = rule.to.map_or(Set::FULL, |prefix| self.space.prefix(Side::Dst, prefix));
        self.space.intersect(from, to)
    }

    /// Those of some packets that bear an address of an interface that a rule asks for.
    fn sent_by_members(&mut self, network: &Network, rule: &LookupRule, packets: Set) -> Set {
        let members = rule.incoming.iter().flatten().map(|id| network.interface(*id));
        let own: Vec<AddressRange> =
            members.flat_map(|i| &i.addresses).map(|a| AddressRange::single(a.net.addr())).collect();
        let from = self.space.addresses(Side::Src, &own);
        self.space.intersect(packets, from)
    }

    /// Sends what a table routes, and returns what goes on to the next rule.
    fn table(&mut self, table: &Table, here: Set, falls_through: Fact) -> Set {
        if here.is_empty() {
            return Set::EMPTY;
        }
        let mut goes_on = Set::EMPTY;
        for (class, ranges) in classes(table, self.reading) {
            let destinations = self.space.addresses(Side::Dst, &ranges);
            let part = self.space.intersect(here, destinations);
            for action in class.actions {
                match action {
                    RouteAction::Send(hops) => {
                        for hop in hops {
                            let known = self.sends.get(hop).copied().unwrap_or(Set::EMPTY);
                            let all = self.space.union(known, part);
                            self.sends.insert(*hop, all);
                        }
                    }
                    RouteAction::Blackhole => {}
                    RouteAction::Unreachable => self.unroutable = self.space.union(self.unroutable, part),
                    RouteAction::Throw => goes_on = self.space.union(goes_on, part),
                }
            }
            if class.may_have_none {
                goes_on = self.space.union(goes_on, part);
            }
        }
        let refused = match falls_through {
            Fact::Yes => return goes_on,
            Fact::No => Set::EMPTY,
            Fact::Unknown(_) if self.reading == Reading::May => goes_on,
            Fact::Unknown(_) => return Set::EMPTY,
        };
        self.unroutable = self.space.union(self.unroutable, goes_on);
        refused
    }
}

/// The routes that may apply to a range of destinations.
struct Class<'t> {
    actions: Vec<&'t RouteAction>,
    /// Whether perhaps no route applies.
    may_have_none: bool,
}

/// The destinations of a table by what happens to them; together they are all addresses of both families.
fn classes(table: &Table, reading: Reading) -> Vec<(Class<'_>, Vec<AddressRange>)> {
    let mut found =
        Classes { reading, numbers: FxHashMap::default(), classes: Vec::new(), applying: Vec::new() };
    for family in Family::ALL {
        let own = table.routes.iter().enumerate();
        let own = own.filter(|(_, route)| Family::of(route.prefix.addr()) == family);
        // Routes of one prefix stay in their order. Numbers are sorted: a large table would look up each route often.
        let key = |route: &Route| (address_number(route.prefix.network()), route.prefix.prefix_len());
        let mut order: Vec<_> = own.map(|(position, route)| (key(route), position)).collect();
        order.sort_unstable();
        let routes: Vec<&Route> = order.into_iter().map(|(_, position)| &table.routes[position]).collect();
        found.sweep(family, &routes);
    }
    found.classes
}

struct Classes<'t> {
    reading: Reading,
    /// The positions of classes by their actions, each without and with perhaps no route.
    numbers: FxHashMap<Vec<&'t RouteAction>, [Option<usize>; 2]>,
    classes: Vec<(Class<'t>, Vec<AddressRange>)>,
    /// The actions of the range at hand.
    applying: Vec<&'t RouteAction>,
}

impl<'t> Classes<'t> {
    /// Walks the addresses of a family upwards. Prefixes are nested or apart, so the open ones are a stack.
    fn sweep(&mut self, family: Family, routes: &[&'t Route]) {
        let last = address_number(AddressRange::all(family).high);
        let mut open: Vec<(u128, &'t Route)> = Vec::new();
        let mut at = Some(0_u128);
        for route in routes {
            let start = address_number(route.prefix.network());
            self.close_until(family, &mut open, &mut at, start.checked_sub(1));
            if let Some(from) = at.filter(|from| *from < start) {
                self.add(family, from, start - 1, &open);
            }
            at = Some(start);
            open.push((address_number(route.prefix.broadcast()), route));
        }
        self.close_until(family, &mut open, &mut at, Some(last));
        if let Some(from) = at {
            self.add(family, from, last, &open);
        }
    }

    /// Emits the ranges that end at or before `limit`, and takes the prefixes that end there off the stack.
    fn close_until(
        &mut self,
        family: Family,
        open: &mut Vec<(u128, &'t Route)>,
        at: &mut Option<u128>,
        limit: Option<u128>,
    ) {
        let Some(limit) = limit else { return };
        while let Some((end, _)) = open.last().copied().filter(|(end, _)| *end <= limit) {
            if let Some(from) = at.filter(|from| *from <= end) {
                self.add(family, from, end, open);
            }
            let last = address_number(AddressRange::all(family).high);
            *at = if end == last { None } else { Some(end + 1) };
            open.pop();
        }
    }

    fn add(&mut self, family: Family, from: u128, to: u128, open: &[(u128, &'t Route)]) {
        let may_have_none = self.apply(open);
        let known = self.numbers.get(self.applying.as_slice()).copied().unwrap_or_default();
        let number = known[usize::from(may_have_none)].unwrap_or_else(|| {
            let actions = self.applying.clone();
            let number = self.classes.len();
            self.numbers.entry(actions.clone()).or_default()[usize::from(may_have_none)] = Some(number);
            self.classes.push((Class { actions, may_have_none }, Vec::new()));
            number
        });
        let ranges = &mut self.classes[number].1;
        let low = address_from_number(family, from);
        let high = address_from_number(family, to);
        match ranges.last_mut() {
            Some(last) if last.family() == family && from > 0 && address_number(last.high) == from - 1 => {
                last.high = high;
            }
            _ => ranges.push(AddressRange { low, high }),
        }
    }

    /// Collects the routes that may apply, longest prefix first: a first-match list read by pairs. Returns whether perhaps
    /// none does.
    fn apply(&mut self, open: &[(u128, &'t Route)]) -> bool {
        let actions = &mut self.applying;
        actions.clear();
        let mut end = open.len();
        while end > 0 {
            let prefix = open[end - 1].1.prefix;
            let start =
                open[..end].iter().rposition(|(_, route)| route.prefix != prefix).map_or(0, |p| p + 1);
            for (_, route) in &open[start..end] {
                match (route.unknown, self.reading) {
                    (None, _) => {
                        actions.push(&route.action);
                        return false;
                    }
                    (Some(_), Reading::May) => actions.push(&route.action),
                    // It hides the shorter ones, and is itself not certain.
                    (Some(_), Reading::Must) => {
                        actions.clear();
                        return false;
                    }
                }
            }
            end = start;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InterfaceId, UnknownId};
    use crate::source::{SourceId, Span};

    fn route(prefix: &str, interface: u32, unknown: bool) -> Route {
        let action = RouteAction::Send(vec![NextHop { interface: InterfaceId(interface), via: None }]);
        let span = Span::new(SourceId(0), 0, 0);
        Route { prefix: prefix.parse().unwrap(), action, span, unknown: unknown.then_some(UnknownId(0)) }
    }

    fn ways(table: &Table, address: &str, reading: Reading) -> (Vec<u32>, bool) {
        let address = address.parse().unwrap();
        let hits: Vec<_> = classes(table, reading)
            .into_iter()
            .filter(|(_, ranges)| ranges.iter().any(|range| range.contains(address)))
            .collect();
        assert_eq!(hits.len(), 1, "classes are disjoint and cover every address");
        let class = &hits[0].0;
        let interfaces = class.actions.iter().map(|action| match action {
            RouteAction::Send(hops) => hops[0].interface.0,
            _ => 0,
        });
        (interfaces.collect(), class.may_have_none)
    }

    #[test]
    fn the_longest_prefix_wins_and_unknown_routes_have_two_readings() {
        let table = Table {
            name: "main".to_owned(),
            routes: vec![
                route("10.1.0.0/16", 3, true),
                route("10.0.0.0/8", 2, false),
                route("0.0.0.0/0", 1, false),
                route("255.255.255.255/32", 4, false),
                route("::/0", 5, true),
            ],
        };
        for (address, may, must) in [
            ("9.255.255.255", (vec![1], false), (vec![1], false)),
            ("10.0.0.0", (vec![2], false), (vec![2], false)),
            ("10.1.2.3", (vec![3, 2], false), (vec![], false)),
            ("10.2.0.0", (vec![2], false), (vec![2], false)),
            ("11.0.0.0", (vec![1], false), (vec![1], false)),
            ("255.255.255.255", (vec![4], false), (vec![4], false)),
            ("2001:db8::1", (vec![5], true), (vec![], false)),
        ] {
            assert_eq!(ways(&table, address, Reading::May), may, "{address}");
            assert_eq!(ways(&table, address, Reading::Must), must, "{address}");
        }
    }

    #[test]
    fn an_empty_table_routes_nothing() {
        let table = Table { name: "main".to_owned(), routes: Vec::new() };
        assert_eq!(ways(&table, "1.2.3.4", Reading::Must), (vec![], true));
    }
}
