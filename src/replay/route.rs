//! One lookup in the routing policy of a node, and the check of sources that rests on it.

use super::step::is_group_at;
use super::view::View;
use crate::header::Packet;
use crate::model::{
    Antispoof, Fact, InterfaceId, Kind, Lookup, LookupRule, NextHop, NodeId, RouteAction, UnknownId,
};
use std::net::IpAddr;

/// What is looked up.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// The interface that the packet came in on; `None` for the node's own.
    pub incoming: Option<InterfaceId>,
    /// Its mark.
    pub mark: u32,
}

impl Asked {
    /// The way forward of a packet with a mark.
    pub fn forward(packet: &Packet, incoming: Option<InterfaceId>, mark: u32) -> Asked {
        Asked { src: packet.src, dst: packet.dst, incoming, mark }
    }
}

/// What a lookup finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// One of these next hops.
    Send(Vec<NextHop>),
    /// Dropped without a word.
    Blackhole,
    /// Dropped, and the source is told.
    Unreachable,
    /// No rule had a route; the source is told.
    NoRoute,
}

/// One possible result of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub outcome: Outcome,
    /// The position of the rule that decided, unless none did.
    pub rule: Option<usize>,
    /// The positions of the table and of the route that decided, if one did.
    pub route: Option<(usize, usize)>,
    /// The unknowns that this result hangs on; empty if it is certain.
    pub uncertain: Vec<UnknownId>,
}

/// Everything a lookup may find.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// The possible results: several on *may*, at most one on *must*.
    pub all: Vec<Found>,
    /// On *must*, what kept the lookup from finding anything certain.
    pub stuck: Vec<UnknownId>,
}

/// Looks up the way of a packet: rules in order, the longest prefix in each table (SEMANTICS.md section 3.4).
pub fn lookup(view: &View<'_>, node: NodeId, asked: Asked) -> Findings {
    let mut findings = Findings::default();
    // The unknowns that the packet has passed so far, while it is possible that it comes so far.
    let mut passed: Vec<UnknownId> = Vec::new();
    for (index, rule) in view.network.node(node).lookup.iter().enumerate() {
        let applies = applies(view, rule, asked);
        if applies == Applies::No {
            continue;
        }
        let unknown = if let Applies::Maybe(id) = applies { Some(id) } else { None };
        if let Some(id) = unknown
            && !view.is_may()
        {
            findings.stuck.push(id);
            return findings;
        }
        let taken = joined(&passed, unknown);
        let beyond = ask_rule(view, node, (index, rule), asked, &taken, &mut findings);
        // Past a rule that may not apply at all, the packet comes without its table being asked.
        let skipped = unknown.is_some().then(|| taken.clone());
        match fewer(beyond, skipped) {
            Some(path) => passed = path,
            None => return findings,
        }
    }
    findings.all.push(Found { outcome: Outcome::NoRoute, rule: None, route: None, uncertain: passed });
    findings
}

fn joined(passed: &[UnknownId], more: Option<UnknownId>) -> Vec<UnknownId> {
    passed.iter().copied().chain(more).collect()
}

/// Of two ways to the same point the one that hangs on less.
fn fewer(one: Option<Vec<UnknownId>>, two: Option<Vec<UnknownId>>) -> Option<Vec<UnknownId>> {
    match (one, two) {
        (Some(one), Some(two)) => Some(if two.len() < one.len() { two } else { one }),
        (one, two) => one.or(two),
    }
}

/// Whether a rule applies to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Applies {
    Yes,
    No,
    Maybe(UnknownId),
}

fn applies(view: &View<'_>, rule: &LookupRule, asked: Asked) -> Applies {
    let fits = rule.from.is_none_or(|net| net.contains(&asked.src))
        && rule.to.is_none_or(|net| net.contains(&asked.dst))
        && rule.mark.is_none_or(|test| ((asked.mark ^ test.value) & test.mask == 0) != test.negated);
    if !fits {
        return Applies::No;
    }
    let asks = rule.unknown.map_or(Applies::Yes, Applies::Maybe);
    match (&rule.incoming, asked.incoming, rule.bound) {
        (None, _, _) => asks,
        (Some(among), Some(incoming), _) if among.contains(&incoming) => asks,
        (Some(_), Some(_), _) | (Some(_), None, None) => Applies::No,
        (Some(among), None, Some(unknown)) => {
            // A packet that bears no address of the VRF is taken for one that is not bound to it.
            let bears_member = among.iter().any(|i| view.has_address(*i, asked.src));
            if view.is_may() || bears_member { Applies::Maybe(unknown) } else { Applies::No }
        }
    }
}

/// What a rule that applies does. Returns the way to the next rule, if there may be one.
fn ask_rule(
    view: &View<'_>,
    node: NodeId,
    (index, rule): (usize, &LookupRule),
    asked: Asked,
    taken: &[UnknownId],
    findings: &mut Findings,
) -> Option<Vec<UnknownId>> {
    let dropped = |outcome, uncertain| Found { outcome, rule: Some(index), route: None, uncertain };
    let missed = match rule.action {
        Lookup::Blackhole => {
            findings.all.push(dropped(Outcome::Blackhole, taken.to_vec()));
            return None;
        }
        Lookup::Unreachable => {
            findings.all.push(dropped(Outcome::Unreachable, taken.to_vec()));
            return None;
        }
        Lookup::Table(table) => ask_table(view, node, (index, table), asked.dst, taken, findings)?,
    };
    match rule.falls_through {
        Fact::Yes => Some(missed),
        Fact::No => {
            findings.all.push(dropped(Outcome::Unreachable, missed));
            None
        }
        Fact::Unknown(id) if view.is_may() => {
            let both = joined(&missed, Some(id));
            findings.all.push(dropped(Outcome::Unreachable, both.clone()));
            Some(both)
        }
        Fact::Unknown(id) => {
            findings.stuck.push(id);
            None
        }
    }
}

/// Looks into a table. Returns how the packet leaves it without a route, if it may.
fn ask_table(
    view: &View<'_>,
    node: NodeId,
    (rule, table): (usize, usize),
    dst: IpAddr,
    taken: &[UnknownId],
    findings: &mut Findings,
) -> Option<Vec<UnknownId>> {
    let mut path = taken.to_vec();
    let mut thrown = None;
    for (index, route) in view.network.node(node).tables[table].routes.iter().enumerate() {
        if !route.prefix.contains(&dst) {
            continue;
        }
        if let Some(id) = route.unknown
            && !view.is_may()
        {
            findings.stuck.push(id);
            return None;
        }
        let uncertain = joined(&path, route.unknown);
        let outcome = match &route.action {
            RouteAction::Send(hops) => Some(Outcome::Send(hops.clone())),
            RouteAction::Blackhole => Some(Outcome::Blackhole),
            RouteAction::Unreachable => Some(Outcome::Unreachable),
            RouteAction::Throw => None,
        };
        match outcome {
            Some(outcome) => {
                let route = Some((table, index));
                findings.all.push(Found { outcome, rule: Some(rule), route, uncertain: uncertain.clone() });
            }
            None => thrown = fewer(thrown, Some(uncertain.clone())),
        }
        if route.unknown.is_none() {
            return thrown;
        }
        path = uncertain;
    }
    fewer(thrown, Some(path))
}

/// What the check of a source says (SEMANTICS.md section 2.3, RFC 3704).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCheck {
    /// Whether the packet passes.
    pub passes: bool,
    /// Whether it is asked for at all, and how strictly.
    pub kind: Antispoof,
    /// The way back that decided, if one was looked for and found.
    pub back: Option<Found>,
    /// Set if the packet passes only because nobody said that sources are checked.
    pub doubt: Option<UnknownId>,
}

/// Checks the source of a packet that came in on an interface.
pub fn check_source(view: &View<'_>, incoming: InterfaceId, packet: &Packet) -> SourceCheck {
    let kind = view.network.interface(incoming).antispoof[packet.family() as usize];
    if is_link_local_v6(packet.src) || kind == Antispoof::Off {
        return SourceCheck { passes: true, kind, back: None, doubt: None };
    }
    let (good, back) = look_back(view, incoming, packet, kind == Antispoof::Loose);
    let doubt = match kind {
        Antispoof::Undeclared(id) if view.is_may() && !good => Some(id),
        Antispoof::Undeclared(_) | Antispoof::Strict | Antispoof::Loose | Antispoof::Off => None,
    };
    let back = if doubt.is_some() { None } else { back };
    SourceCheck { passes: good || doubt.is_some(), kind, back, doubt }
}

/// Whether the way back to the source leaves by the interface that the packet came in on (or at all, for `loose`), and
/// the lookup that says so.
fn look_back(view: &View<'_>, incoming: InterfaceId, packet: &Packet, loose: bool) -> (bool, Option<Found>) {
    let mut first = None;
    for asks in asking(view, incoming) {
        for from in answering(view, incoming, packet) {
            // The mark is not looked at, unless `src_valid_mark` says otherwise.
            let asked = Asked { src: from, dst: packet.src, incoming: asks, mark: 0 };
            let (good, found) = look_back_as(view, incoming, asked, loose);
            if good == view.is_may() {
                return (good, found);
            }
            first = first.or(found);
        }
    }
    (!view.is_may(), first)
}

/// From which addresses the way back may be looked up: from the destination, or for a group from none (`ip_route_input_slow`).
fn answering(view: &View<'_>, incoming: InterfaceId, packet: &Packet) -> Vec<IpAddr> {
    let mut all = vec![packet.dst];
    if view.is_may() && packet.dst.is_ipv4() && is_group_at(view, incoming, packet.dst) {
        all.push(std::net::Ipv4Addr::UNSPECIFIED.into());
    }
    all
}

/// As coming in on which interfaces the way back may be looked up. Linux asks as if the answer came in on the interface that
/// the packet leaves by, or on none if it is for the node itself (`fib_validate_source`); a VRF stays that of the packet.
fn asking(view: &View<'_>, incoming: InterfaceId) -> Vec<Option<InterfaceId>> {
    let interface = view.network.interface(incoming);
    let node = view.network.node(interface.node);
    if node.lookup.iter().all(|rule| rule.incoming.is_none()) {
        return vec![Some(incoming)];
    }
    let of_vrf = |id: &InterfaceId| view.is_may() || view.network.interface(*id).vrf == interface.vrf;
    let none = (view.is_may() || interface.vrf.is_none()).then_some(None);
    node.interfaces.iter().copied().filter(of_vrf).map(Some).chain(none).collect()
}

fn look_back_as(view: &View<'_>, incoming: InterfaceId, back: Asked, loose: bool) -> (bool, Option<Found>) {
    let node = view.network.interface(incoming).node;
    let found = lookup(view, node, back);
    // The way to an own address is the node itself, which no other sender is; and Linux takes none from the broadcast
    // address of an own prefix, to which the way is for no single one (`__fib_validate_source`).
    let for_all = view.network.node(node).kind == Kind::Linux && view.is_own_broadcast(node, back.dst);
    let foreign = !view.is_own(node, back.dst) && !for_all;
    let good = found.all.iter().filter(|found| match &found.outcome {
        _ if !foreign => false,
        Outcome::Send(hops) => loose || hops.iter().any(|hop| hop.interface == incoming),
        Outcome::Blackhole | Outcome::Unreachable | Outcome::NoRoute => false,
    });
    let best = good.min_by_key(|found| found.uncertain.len());
    (best.is_some(), best.or(found.all.first()).cloned())
}

/// Whether the address is a link-local one of IPv6 (RFC 4291 section 2.5.6).
pub fn is_link_local_v6(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_prefix_holds_no_address_of_the_other_family() {
        let all: ipnet::IpNet = "0.0.0.0/0".parse().unwrap();
        assert!(!all.contains(&"::1".parse::<std::net::IpAddr>().unwrap()));
    }
}
