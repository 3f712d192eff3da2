//! Routing: rules that choose a table, and tables in which the longest prefix wins.

use super::Fact;
use super::id::{InterfaceId, UnknownId};
use super::mark::MarkTest;
use crate::source::Span;
use ipnet::IpNet;
use std::net::IpAddr;

/// A routing table of a node.
#[derive(Debug, Clone)]
pub struct Table {
    /// `main`, the name of the VRF, or the number of the dump.
    pub name: String,
    /// The routes, longest prefix first; equal prefixes by metric, then in the order written.
    /// The routes of connected prefixes are among them.
    pub routes: Vec<Route>,
}

/// One route.
#[derive(Debug, Clone)]
pub struct Route {
    /// The destinations.
    pub prefix: IpNet,
    /// What happens to them.
    pub action: RouteAction,
    /// Where it is written; for a connected prefix, where the address is.
    pub span: Span,
    /// Set if it is not certain that the route is in force; then it hides shorter ones on *must* only.
    pub unknown: Option<UnknownId>,
}

/// What a route does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RouteAction {
    /// Sends to one of the next hops; which one of several is the network's choice.
    Send(Vec<NextHop>),
    /// Drops without a word.
    Blackhole,
    /// Drops and answers the source: unreachable or prohibited (SEMANTICS.md section 3.3).
    Unreachable,
    /// Ends this table; the next rule goes on.
    Throw,
}

/// Where a route sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHop {
    /// The out-interface. It has a segment.
    pub interface: InterfaceId,
    /// The neighbour; `None` is the destination itself (on-link).
    pub via: Option<IpAddr>,
}

/// One rule of the policy database (`ip rule`), in order.
#[derive(Debug, Clone)]
pub struct LookupRule {
    /// Only packets from these sources; `None` is any.
    pub from: Option<IpNet>,
    /// Only packets to these destinations; `None` is any.
    pub to: Option<IpNet>,
    /// Only packets that came in on one of these; `None` is any, and the device's own too.
    pub incoming: Option<Vec<InterfaceId>>,
    /// Set if the device's own packets may meet the rule too, though they came in nowhere: the interfaces are those of a VRF.
    /// What a program sends that is bound to the VRF looks there, and so does every answer to what came in there.
    pub bound: Option<UnknownId>,
    /// Only packets with such a mark; `None` is any.
    pub mark: Option<MarkTest>,
    /// Set if it is not known what else it asks (users, ports, …).
    pub unknown: Option<UnknownId>,
    /// What it does.
    pub action: Lookup,
    /// Where it is written, if it is.
    pub span: Option<Span>,
    /// Whether a packet that its table does not route goes on to the next rule (SEMANTICS.md section 3.4).
    /// If it does not, it is dropped as by [`RouteAction::Unreachable`].
    pub falls_through: Fact,
}

/// What a rule of the policy database does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// Looks into the node's table at this position.
    Table(usize),
    /// Drops without a word.
    Blackhole,
    /// Drops and answers the source.
    Unreachable,
}
