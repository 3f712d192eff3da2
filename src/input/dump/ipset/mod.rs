//! `ipset save`, or `ipset list -o save`: the sets that rules of iptables ask for (`-m set`).
//!
//! The file is read into its sets and their elements; what a rule that names a set asks of packets is made of them by
//! `Answers::meaning`. A set that may change by itself is not understood (SEMANTICS.md section 4.4): one with a
//! timeout certainly has its permanent elements only, and may have any; one that a `SET` target of the same device adds
//! to or deletes from certainly has none. Types that look at what the model does not have (MAC addresses, marks) are
//! not understood either, nor is a set with an option that nobody here knows.
//!
//! What `ipset restore` would refuse is an error: sets created twice, elements of sets that were never created, or that
//! cannot be elements of their type. The format is that of ipset(8); what a set matches is that of the kernel
//! (`net/netfilter/ipset/ip_set_*.c`, function `*_kadt`).

mod boxes;
mod element;
mod kinds;
mod lines;
mod meaning;

use super::Given;
use crate::diag::{Diagnostics, suggest};
use crate::header::{AddressRange, Family};
use crate::source::{Source, SourceId, Span, Spanned};
use kinds::{Dimension, Kind};
use std::collections::BTreeMap;

pub(super) use kinds::coverage;
pub(super) use meaning::{Answers, Asked, Meaning};

/// What `ipset save` shows.
#[derive(Debug, Clone, Default)]
pub struct SetDump {
    /// The sets in the order in which they are created.
    pub sets: Vec<IpSet>,
    /// Their positions, by name.
    by_name: BTreeMap<String, usize>,
}

/// A set.
#[derive(Debug, Clone)]
pub struct IpSet {
    /// Its name.
    pub name: Spanned<String>,
    /// The line that creates it.
    pub span: Span,
    /// Its type; `None` for one that nobody here knows.
    kind: Option<&'static Kind>,
    /// The family of packets that it can match; `None` for both.
    family: Option<Family>,
    /// How many bits of an address of an element count.
    netmask: Option<u8>,
    /// The numbers of the addresses or ports that its elements may have (`bitmap:` types).
    limits: Option<(u128, u128)>,
    /// What is not understood about it, if something is.
    opaque: Option<Spanned<String>>,
    /// Where it says that elements disappear by themselves.
    timeout: Option<Span>,
    /// Its elements, if its type is understood.
    elements: Vec<Element>,
    /// The positions of its members (`list:set`).
    members: Vec<usize>,
}

impl IpSet {
    /// How many elements it has.
    pub fn len(&self) -> usize {
        self.elements.len() + self.members.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The family of the packets that it can match, if it is one.
    pub fn family(&self) -> Option<Family> {
        self.family
    }

    fn dimensions(&self) -> &'static [Dimension] {
        self.kind.map_or(&[], |kind| kind.dimensions)
    }
}

/// An element of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Element {
    /// Its first, or only, address.
    first: Option<AddressRange>,
    /// Its protocol and ports.
    service: Option<Service>,
    /// Its second address.
    second: Option<AddressRange>,
    /// Whether it is an exception to wider elements.
    nomatch: bool,
    /// Whether it disappears by itself.
    expires: bool,
}

/// A protocol with a range of ports. Of ICMP a port is type and code as one number; protocols without ports have 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Service {
    /// `None` is TCP and UDP (`bitmap:port`).
    protocol: Option<u8>,
    low: u16,
    high: u16,
}

impl SetDump {
    /// The set of a name.
    pub fn set(&self, name: &str) -> Option<&IpSet> {
        self.sets.get(*self.by_name.get(name)?)
    }

    /// The name of a set that a misspelt one may mean, as a help.
    pub(super) fn suggest(&self, name: &str) -> Option<String> {
        suggest(name, self.by_name.keys().map(String::as_str))
    }

    /// Whether asking for a set looks beyond the IP header.
    pub(super) fn looks_inside(&self, name: &str) -> bool {
        let asks = |set: &IpSet| set.dimensions().iter().any(|one| one.is_port());
        let Some(set) = self.set(name) else { return false };
        asks(set) || set.members.iter().filter_map(|member| self.sets.get(*member)).any(asks)
    }
}

/// Reads `ipset save`. `None` if it cannot be used; the reasons are in `diagnostics`.
pub fn parse(source: &Source, id: SourceId, diagnostics: &mut Diagnostics) -> Option<SetDump> {
    lines::read(source, id, None, diagnostics)
}

/// The error for a set that a rule names and the device does not have, as its help: which ones there are.
pub(super) fn missing(sets: &Given<SetDump>, name: &str) -> Option<Missing> {
    let help = "the dumps of sets and rules must be of the same moment; make both again".to_owned();
    match sets {
        Given::Absent => None,
        Given::Empty(span) => Some(Missing { none: Some(*span), help }),
        Given::Read(dump) if dump.set(name).is_some() => None,
        Given::Read(dump) => Some(Missing { none: None, help: dump.suggest(name).unwrap_or(help) }),
    }
}

/// Why a set is not there.
pub(super) struct Missing {
    /// Where the description says that there are no sets.
    pub(super) none: Option<Span>,
    /// What may help.
    pub(super) help: String,
}

#[cfg(test)]
mod tests;
