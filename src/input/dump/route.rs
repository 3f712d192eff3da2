//! `ip -j route` and `ip -6 -j route`, with or without `show table all`.

use super::Doubt;
use crate::header::Family;
use crate::source::{Span, Spanned};
use ipnet::IpNet;
use std::net::IpAddr;

/// What `ip -j route` shows.
#[derive(Debug, Clone, Default)]
pub struct RouteDump {
    /// The routes in the order of the dump.
    pub routes: Vec<DumpedRoute>,
    /// Whether any route names a table other than `main`, so that the dump was made with `table all`. A dump
    /// without says nothing about other tables.
    pub all_tables: bool,
}

/// A route.
#[derive(Debug, Clone)]
pub struct DumpedRoute {
    /// The destinations.
    pub prefix: IpNet,
    /// The whole object.
    pub span: Span,
    /// What it does.
    pub action: DumpedAction,
    /// The name or number of its table; `main` if the dump does not say.
    pub table: String,
    /// Where it may send; more than one is the network's choice.
    pub hops: Vec<DumpedHop>,
    /// Its preference among equal prefixes; smaller wins. 0 if the dump does not say.
    pub metric: u32,
    /// Who put it there (`kernel`, `static`, `bgp`, …); `None` is `boot`.
    pub protocol: Option<Spanned<String>>,
    /// Whether it was learned from a peer, which may announce something else any time (SEMANTICS.md
    /// section 4.4).
    pub dynamic: bool,
    /// What makes it uncertain that it is in force, or that it does just this.
    pub doubts: Vec<Doubt>,
}

impl DumpedRoute {
    /// The family of its destinations.
    pub fn family(&self) -> Family {
        Family::of(self.prefix.addr())
    }
}

/// The type of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DumpedAction {
    /// Sends to its next hops.
    Unicast,
    /// The destinations are the device's own.
    Local,
    /// The destinations are broadcast addresses.
    Broadcast,
    /// The destinations are groups.
    Multicast,
    /// The destinations are the device's own (anycast).
    Anycast,
    /// Drops without a word.
    Blackhole,
    /// Drops and answers.
    Unreachable,
    /// Drops and answers.
    Prohibit,
    /// Ends the table.
    Throw,
}

/// A next hop.
#[derive(Debug, Clone)]
pub struct DumpedHop {
    /// The out-interface.
    pub interface: Option<Spanned<String>>,
    /// The neighbour; `None` is the destination itself (on-link).
    pub via: Option<Spanned<IpAddr>>,
    /// Whether the kernel does not use it now (`dead`, `linkdown`): a snapshot only.
    pub dead: bool,
}
