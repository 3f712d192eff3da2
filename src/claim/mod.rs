//! Claims: what somebody states about a network, and the selectors that they speak in.
//!
//! A claim is data. This layer does not know how one is decided.

pub mod select;
pub mod selector;

#[cfg(test)]
mod tests;

use crate::model::{FilterId, InterfaceId, Service};
use crate::source::{Span, Spanned};
use selector::Selector;

/// One claim, as SEMANTICS.md section 6 defines it.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Its name, unique among the claims.
    pub id: Spanned<String>,
    /// What it says in the words of its author.
    pub title: Option<String>,
    /// How bad it is if it breaks.
    pub severity: Severity,
    /// Ids of controls that it serves, such as `PCI-DSS-4.0.1:11.4.5`.
    pub controls: Vec<String>,
    /// The statement itself: the key of its kind and the value.
    pub span: Span,
    /// What is stated.
    pub statement: Statement,
}

/// How bad a broken claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High, the default.
    #[default]
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// Every severity with its word.
    pub const TABLE: &[(Severity, &str)] = &[
        (Severity::Info, "info"),
        (Severity::Low, "low"),
        (Severity::Medium, "medium"),
        (Severity::High, "high"),
        (Severity::Critical, "critical"),
    ];

    /// The word of the description.
    pub fn word(self) -> &'static str {
        Severity::TABLE.iter().find(|(s, _)| *s == self).map_or("", |(_, word)| word)
    }
}

/// What a claim states. The theorem of each stands where it is lowered to queries.
#[derive(Debug, Clone)]
pub enum Statement {
    /// Nothing that `from` sends arrives in `to`.
    Isolated(Isolated),
    /// What honest senders within send to each other stays within.
    Confined(Confined),
    /// Whatever gets from `from` to `to` passes one of `via`.
    OnlyVia(OnlyVia),
    /// Every pair can talk.
    Reachable(Reachable),
}

impl Statement {
    /// Whether some selector of it asks where on earth something is.
    pub fn asks_where(&self) -> bool {
        let (ends, except, trusts) = match self {
            Statement::Isolated(claim) => (vec![&claim.from, &claim.to], &claim.except[..], &claim.trusts),
            Statement::Confined(claim) => (vec![&claim.within], &claim.except[..], &claim.trusts),
            Statement::OnlyVia(claim) => (vec![&claim.from, &claim.to], &claim.except[..], &claim.trusts),
            Statement::Reachable(claim) => (vec![&claim.from, &claim.to], &[][..], &None),
        };
        let excepted = except.iter().flat_map(|flow| [&flow.from, &flow.to]);
        ends.into_iter().chain(excepted).chain(trusts).any(Selector::asks_where)
    }

    /// The key of its kind.
    pub fn word(&self) -> &'static str {
        match self {
            Statement::Isolated(_) => "isolated",
            Statement::Confined(_) => "confined",
            Statement::OnlyVia(_) => "only-via",
            Statement::Reachable(_) => "reachable",
        }
    }
}

/// `isolated: { from, to, except, trusts, direction, means }`.
#[derive(Debug, Clone)]
pub struct Isolated {
    /// Where the adversary stands.
    pub from: Selector,
    /// Where nothing of it may arrive.
    pub to: Selector,
    /// Flows that are set free.
    pub except: Vec<Except>,
    /// Which nodes of `from` are not the adversary's; `None` is the default of SEMANTICS.md section 2.1.
    pub trusts: Option<Selector>,
    /// Which way it is claimed.
    pub direction: Direction,
    /// The means that are considered; `None` is all that the description can express.
    pub means: Option<Vec<Means>>,
}

/// Which way an `isolated` claim points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// From `from` to `to`.
    #[default]
    Out,
    /// From `to` to `from`.
    In,
    /// Both.
    Both,
}

/// A way in which bytes get from one place to another (DESIGN.md section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Means {
    /// Packets, walked by the engine.
    Packet,
    /// Frames on a shared segment.
    Frame,
}

impl Means {
    /// The word of the description.
    pub fn word(self) -> &'static str {
        match self {
            Means::Packet => "packet",
            Means::Frame => "frame",
        }
    }
}

/// A flow that a claim sets free.
#[derive(Debug, Clone)]
pub struct Except {
    /// Whose addresses are the sources.
    pub from: Selector,
    /// Whose addresses are the destinations.
    pub to: Selector,
    /// The services; empty is any.
    pub services: Vec<Service>,
    /// Whether its replies, and ICMP errors about it, are free too.
    pub replies: bool,
    /// Where it is written.
    pub span: Span,
}

/// `confined: { within }`.
#[derive(Debug, Clone)]
pub struct Confined {
    /// Senders, receivers, and the only places on the way.
    pub within: Selector,
    /// Flows that are set free.
    pub except: Vec<Except>,
    /// Which nodes within are not the adversary's.
    pub trusts: Option<Selector>,
}

/// `only-via: { from, to, via }`.
#[derive(Debug, Clone)]
pub struct OnlyVia {
    /// Where the adversary stands.
    pub from: Selector,
    /// Where things arrive.
    pub to: Selector,
    /// The doors.
    pub via: Vec<Spanned<Door>>,
    /// Flows that are set free.
    pub except: Vec<Except>,
    /// Which nodes of `from` are not the adversary's.
    pub trusts: Option<Selector>,
}

/// One of the doors of an `only-via` claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Door {
    /// An interface: what is sent or received through it is through the door. Written `node:interface`.
    Interface(InterfaceId),
    /// A rule: the network is asked about without it. Written `rule:POLICY/NAME`.
    Rule {
        /// The filter.
        filter: FilterId,
        /// The position of the chain in the filter.
        chain: usize,
        /// The position of the rule in the chain.
        rule: usize,
    },
}

/// `reachable: { from, to, packets }`.
#[derive(Debug, Clone)]
pub struct Reachable {
    /// Honest senders.
    pub from: Selector,
    /// Whom each must reach, and get an answer from.
    pub to: Selector,
    /// The services; empty is any.
    pub packets: Vec<Service>,
}
