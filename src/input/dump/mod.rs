//! What a real Linux device says about itself: the files that `config` names, one module for each format.
//!
//! A reader turns one text into plain values that keep their places and know nothing of the topology:
//! interfaces are names here. [`DeviceDump`] holds what was given for one node; the builder turns it into
//! interfaces, facts, hooks and tables, with the help of [`lower`].
//!
//! What a reader does not understand becomes a [`Doubt`] or an unknown inside the filter, with its place,
//! and never a silent gap (SEMANTICS.md section 4.7). What cannot be what its key says (a truncated dump, a
//! jump to a chain that is not there) is an error.

pub mod addr;
pub mod coverage;
mod fields;
pub mod ipset;
pub mod iptables;
mod json;
pub mod lower;
pub mod nft;
pub mod route;
pub mod rule;
pub mod sysctl;

pub use addr::{AddressDump, Link, LinkAddress, LinkKind};
pub use ipset::{IpSet, SetDump};
pub use iptables::Ruleset;
pub use nft::{NftDump, NftTable};
pub use route::{DumpedAction, DumpedHop, DumpedRoute, RouteDump};
pub use rule::{DumpedRule, RuleAction, RuleDump};
pub use sysctl::{RpFilter, Setting, SysctlDump};

use crate::model::Unknown;
use crate::source::Span;

/// Whether one of a device's files was given. A missing file is an unknown, not an absence
/// (SEMANTICS.md section 3.5).
#[derive(Debug, Clone, Default)]
pub enum Given<T> {
    /// The description does not name it: nobody knows what the device would say.
    #[default]
    Absent,
    /// The description says `none`, here: the device has nothing of the kind.
    Empty(Span),
    /// It was read.
    Read(T),
}

impl<T> Given<T> {
    /// What was read, if something was.
    pub fn read(&self) -> Option<&T> {
        match self {
            Given::Read(value) => Some(value),
            Given::Absent | Given::Empty(_) => None,
        }
    }

    /// Whether the description is silent about it.
    pub fn is_absent(&self) -> bool {
        matches!(self, Given::Absent)
    }
}

/// Everything that the files of one node say.
#[derive(Debug, Clone, Default)]
pub struct DeviceDump {
    /// `iptables-save`: filters IPv4.
    pub iptables: Given<Ruleset>,
    /// `ip6tables-save`: filters IPv6.
    pub ip6tables: Given<Ruleset>,
    /// `ipset save`.
    pub ipset: Given<SetDump>,
    /// `nft -j list ruleset`.
    pub nftables: Given<NftDump>,
    /// `ip -j addr`, with `-d` for the kinds of links.
    pub addresses: Given<AddressDump>,
    /// `ip -j route`, with `show table all` for all tables. May hold IPv6 routes too.
    pub routes: Given<RouteDump>,
    /// `ip -6 -j route`, likewise.
    pub routes6: Given<RouteDump>,
    /// `ip -j rule`: IPv4.
    pub rules: Given<RuleDump>,
    /// `ip -6 -j rule`: IPv6.
    pub rules6: Given<RuleDump>,
    /// `sysctl -a`.
    pub sysctl: Given<SysctlDump>,
}

/// Something that a file says and that is not understood: the builder makes an unknown of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Doubt {
    /// What is not known, as a phrase without the node: "what `realm` means for the route".
    pub what: String,
    /// Where it is written.
    pub span: Span,
    /// The one line that would settle it.
    pub settle: String,
    /// Whether it may rewrite, copy, wrap or divert packets in a way that the model does not follow. Then a
    /// *may* reading must let the node send anything anywhere once a packet reaches it; a doubt without it
    /// only leaves open whether, and when, the thing applies.
    pub havoc: bool,
}

impl Doubt {
    /// A doubt that the line at `span` raises, and that goes when the line does.
    pub(crate) fn about(what: impl Into<String>, span: Span) -> Doubt {
        let settle = "take this out of the device's configuration, and dump it again".to_owned();
        Doubt { what: what.into(), span, settle, havoc: false }
    }

    /// A doubt about something that may do anything with a packet.
    pub(crate) fn havoc(what: impl Into<String>, span: Span) -> Doubt {
        Doubt { havoc: true, ..Doubt::about(what, span) }
    }

    /// The doubt as an unknown of the model.
    pub fn to_unknown(&self) -> Unknown {
        Unknown { what: self.what.clone(), span: Some(self.span), settle: self.settle.clone() }
    }

    /// The same doubt with another way out.
    pub(crate) fn settled_by(mut self, settle: impl Into<String>) -> Doubt {
        self.settle = settle.into();
        self
    }
}

#[cfg(test)]
mod tests;
