//! The network: validated, immutable, free of files. It knows nothing of claims, sets or formats.
//!
//! [`build::NetworkBuilder`] is the only door to a [`Network`]; whoever holds one may rely on what the
//! builder checked: every number refers to something, and no two statements contradict each other.
//!
//! Glossary. A *node* is a device. An *interface* belongs to a node; one with a segment can receive packets,
//! one without is a mere port or trunk of layer 2. A *segment* is a broadcast domain. A *filter* is what
//! a policy text or a dump of rules compiles to. An *unknown* is something that the description does not settle;
//! whatever depends on one is told apart by the two [`Reading`]s.

pub mod assumption;
pub mod build;
pub mod country;
pub mod filter;
pub mod id;
pub mod kind;
pub mod mark;
pub mod network;
pub mod route;
pub mod service;
pub mod translation;

pub use assumption::Assumption;
pub use filter::{Action, Chain, Filter, Hook, Match, Rule, Stage, State, Test};
pub use id::{FilterId, InterfaceId, NodeId, SegmentId, SiteId, TunnelId, UnknownId, VlanId, VrfId, ZoneId};
pub use mark::{MarkChange, MarkTest, Marked};
pub use network::{
    Address, Antispoof, Existence, Interface, Join, Kind, LedgerEntry, Line, Network, Node, Role, Segment,
    Site, Transit, Unknown, Vlan, Vrf, Zone,
};
pub use route::{Lookup, LookupRule, NextHop, Route, RouteAction, Table};
pub use service::Service;
pub use translation::{NewAddress, Translating, Translation};

/// The two readings of a network (SEMANTICS.md section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reading {
    /// Everything that could happen, given what is not known.
    May,
    /// Only what happens for certain.
    Must,
}

/// Whether something is so, in both readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// It is so.
    Yes,
    /// It is not so.
    No,
    /// It may be so; the unknown says why that is open.
    Unknown(UnknownId),
}

impl Fact {
    /// Whether it is so in this reading.
    pub fn holds(self, reading: Reading) -> bool {
        match self {
            Fact::Yes => true,
            Fact::No => false,
            Fact::Unknown(_) => reading == Reading::May,
        }
    }

    /// Why it is open, if it is.
    pub fn unknown(self) -> Option<UnknownId> {
        match self {
            Fact::Unknown(id) => Some(id),
            Fact::Yes | Fact::No => None,
        }
    }
}
