//! Address translation: what a rule makes of a packet, and where on its way a packet meets such rules.
//!
//! The rules of a translation stand in chains as those of a filter do, first match wins, and what no rule translates
//! passes unchanged. They are asked about the first packet of a connection only; all that follow it, in both
//! directions, are translated as it was (SEMANTICS.md section 5.3, `nf_nat_core.c`).

use super::filter::Hook;
use super::id::InterfaceId;
use super::network::Network;
use crate::header::{AddressRange, Family};
use crate::source::Span;
use ipnet::IpNet;

/// Which end of a packet a translation changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// The source, after the packet was routed.
    Source,
    /// The destination, before it is.
    Destination,
}

/// What a rule makes of one end of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Translation {
    /// Which end.
    pub end: End,
    /// Its new address.
    pub to: NewAddress,
    /// Its new port, one of these, ends included; `None` keeps it. Protocols without ports have none to change.
    pub ports: Option<(u16, u16)>,
    /// Whether the port is drawn by lot even where the old one would do (`random`, `random-fully`).
    pub random: bool,
    /// What the report shows: the target with its options.
    pub span: Span,
}

/// The new address of a translated end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewAddress {
    /// The old one: only the port changes.
    Kept,
    /// One of these, as the network chooses.
    Range(AddressRange),
    /// The old one with this prefix in place of its own first bits (`NETMAP`, RFC 6296).
    Prefix(IpNet),
    /// That of the interface: of the one that sends it for a source (`MASQUERADE`), of the one that received it for
    /// a destination (`REDIRECT`).
    Interface,
}

impl Translation {
    /// Whether it can be made of a packet of a family; a rule says nothing about packets of the other.
    pub fn is_for(&self, family: Family) -> bool {
        match self.to {
            NewAddress::Kept | NewAddress::Interface => true,
            NewAddress::Range(range) => range.family() == family,
            NewAddress::Prefix(net) => Family::of(net.addr()) == family,
        }
    }
}

/// The addresses of a family that an interface may lend to a translation, the first the one that the kernel takes.
pub fn lent_addresses(network: &Network, interface: InterfaceId, family: Family) -> Vec<AddressRange> {
    let addresses = network.interface(interface).addresses.iter().map(|address| address.net.addr());
    addresses.filter(|address| Family::of(*address) == family).map(AddressRange::single).collect()
}

/// The translating chains of a node, by the place in the walk where a packet meets them. In each place the first
/// that translates is the last that is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Translating {
    /// Of packets that come in, before they are routed: destinations.
    pub prerouting: Vec<Hook>,
    /// Of packets that are about to be delivered: sources.
    pub input: Vec<Hook>,
    /// Of the node's own packets: destinations.
    pub output: Vec<Hook>,
    /// Of packets that are about to leave: sources.
    pub postrouting: Vec<Hook>,
    /// Whether every new packet that passes opens a connection for the filters too, as in netfilter. Else only what a
    /// filter opens is established for it, and what it lets pass statelessly is translated back and no more.
    pub opens: bool,
}

impl Translating {
    /// Whether nothing is translated.
    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// Every chain.
    pub fn all(&self) -> impl Iterator<Item = &Hook> {
        self.prerouting.iter().chain(&self.input).chain(&self.output).chain(&self.postrouting)
    }
}
