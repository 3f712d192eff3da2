//! The builder: the only door to a network.
//!
//! A reader of descriptions fills a [`NetworkBuilder`] with the plain data of [`spec`];
//! [`NetworkBuilder::build`] checks all of it and derives what the description only implies: segments,
//! connected routes, tables, facts with two readings, and the places that nobody described but that may be
//! there.

mod address;
mod component;
mod conflict;
mod fact;
mod hop;
mod layer2;
mod ledger;
mod link;
mod names;
mod node;
mod open_cabling;
mod part;
mod possible;
mod routing;
mod segment;
pub mod spec;
mod switching;
#[cfg(test)]
mod tests;
mod work;

pub use spec::*;

use super::{Assumption, Filter, FilterId, LedgerEntry, Network, Unknown, UnknownId, VrfId, ZoneId};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::source::{Span, Spanned};
use names::{Findings, Registry, check_name};
use std::collections::BTreeMap;
use work::Work;

/// Collects a description, then makes a network of it.
#[derive(Debug)]
pub struct NetworkBuilder {
    name: String,
    cabling: Cabling,
    sites: Registry<SiteSpec>,
    zones: Registry<ZoneSpec>,
    vlans: Registry<VlanSpec>,
    vrfs: Registry<VrfSpec>,
    nodes: Registry<NodeSpec>,
    links: Vec<LinkSpec>,
    tunnels: Registry<TunnelSpec>,
    filters: Vec<Filter>,
    unknowns: Vec<Unknown>,
    assumptions: BTreeMap<Assumption, Spanned<String>>,
    assumed_twice: Vec<(Assumption, Span, Span)>,
    ledger: Vec<LedgerEntry>,
}

impl NetworkBuilder {
    /// A builder of an empty network of this name.
    pub fn new(name: impl Into<String>) -> NetworkBuilder {
        NetworkBuilder {
            name: name.into(),
            cabling: Cabling::Complete,
            sites: Registry::new("a site", "sites"),
            zones: Registry::new("a zone", "zones"),
            vlans: Registry::new("a VLAN", "vlans"),
            vrfs: Registry::new("a VRF", "vrfs"),
            nodes: Registry::new("a node", "nodes"),
            links: Vec::new(),
            tunnels: Registry::new("a tunnel", "tunnels"),
            filters: Vec::new(),
            unknowns: Vec::new(),
            assumptions: BTreeMap::new(),
            assumed_twice: Vec::new(),
            ledger: Vec::new(),
        }
    }

    /// Says whether the links are all there are; they are unless this is called.
    pub fn set_cabling(&mut self, cabling: Cabling) {
        self.cabling = cabling;
    }

    /// Adds a site.
    pub fn add_site(&mut self, site: SiteSpec) {
        self.sites.add(site.name.clone(), site);
    }

    /// Adds a zone, and numbers it.
    pub fn add_zone(&mut self, zone: ZoneSpec) -> ZoneId {
        ZoneId::at(self.zones.add(zone.name.clone(), zone))
    }

    /// Adds a name for a VLAN tag.
    pub fn add_vlan(&mut self, vlan: VlanSpec) {
        self.vlans.add(vlan.name.clone(), vlan);
    }

    /// Adds a VRF, and numbers it.
    pub fn add_vrf(&mut self, vrf: VrfSpec) -> VrfId {
        VrfId::at(self.vrfs.add(vrf.name.clone(), vrf))
    }

    /// The VRF of a name, which is added if the description does not have it: a dump names its own.
    pub fn ensure_vrf(&mut self, name: Spanned<String>) -> VrfId {
        self.vrf(&name.value).unwrap_or_else(|| self.add_vrf(VrfSpec { name }))
    }

    /// Adds a device.
    pub fn add_node(&mut self, node: NodeSpec) {
        self.nodes.add(node.name.clone(), node);
    }

    /// Adds a link.
    pub fn add_link(&mut self, link: LinkSpec) {
        self.links.push(link);
    }

    /// Adds a tunnel.
    pub fn add_tunnel(&mut self, tunnel: TunnelSpec) {
        self.tunnels.add(tunnel.name.clone(), tunnel);
    }

    /// Adds a filter, and numbers it for hooks.
    pub fn add_filter(&mut self, filter: Filter) -> FilterId {
        self.filters.push(filter);
        FilterId::at(self.filters.len() - 1)
    }

    /// Adds something that is not known, and numbers it.
    pub fn add_unknown(&mut self, unknown: Unknown) -> UnknownId {
        self.unknowns.push(unknown);
        UnknownId::at(self.unknowns.len() - 1)
    }

    /// Sets something aside by name. `span` is the place of the name, and `reason` says why.
    pub fn assume(&mut self, assumption: Assumption, span: Span, reason: Spanned<String>) {
        match self.assumptions.get(&assumption) {
            Some(first) => self.assumed_twice.push((assumption, span, first.span)),
            None => drop(self.assumptions.insert(assumption, reason)),
        }
    }

    /// Adds a line to the ledger, such as a rule that has expired.
    pub fn add_ledger(&mut self, entry: LedgerEntry) {
        self.ledger.push(entry);
    }

    /// The zone of a name, among those added so far.
    pub fn zone(&self, name: &str) -> Option<ZoneId> {
        self.zones.find(name).map(ZoneId::at)
    }

    /// The names of the zones added so far, in order.
    pub fn zone_names(&self) -> impl Iterator<Item = &str> {
        self.zones.items().iter().map(|zone| zone.name.value.as_str())
    }

    /// The VRF of a name, among those added so far.
    pub fn vrf(&self, name: &str) -> Option<VrfId> {
        self.vrfs.find(name).map(VrfId::at)
    }

    /// The names of the VRFs added so far, in order.
    pub fn vrf_names(&self) -> impl Iterator<Item = &str> {
        self.vrfs.items().iter().map(|vrf| vrf.name.value.as_str())
    }

    /// The filter of a number, so that hooks can be chosen by what it holds.
    pub fn filter(&self, id: FilterId) -> Option<&Filter> {
        self.filters.get(id.index())
    }

    /// Checks everything and makes the network.
    ///
    /// # Errors
    /// Everything that is wrong is added to `out`, and then there is no network. Warnings forbid nothing.
    pub fn build(self, out: &mut Diagnostics) -> Option<Network> {
        let mut findings = Findings::default();
        self.check(&mut findings);
        let mut work = Work::new(self, findings);
        node::resolve_nodes(&mut work);
        let wiring = link::resolve_links(&mut work);
        let layer2 = layer2::connect(&mut work, &wiring);
        segment::make_segments(&mut work, &wiring, layer2);
        possible::make_tunnels(&mut work, &wiring);
        address::check_addresses(&mut work);
        fact::settle_facts(&mut work);
        possible::add_doubles(&mut work);
        routing::make_tables(&mut work);
        ledger::write_ledger(&mut work);
        work.finish(out)
    }

    /// What can be checked before anything is looked up.
    fn check(&self, findings: &mut Findings) {
        self.sites.check(findings);
        self.zones.check(findings);
        self.vlans.check(findings);
        self.vrfs.check(findings);
        self.nodes.check(findings);
        self.tunnels.check(findings);
        for (assumption, second, first) in &self.assumed_twice {
            let message = format!("`{}` is assumed twice", assumption.word());
            let repeated = Diagnostic::error(Code::DuplicateKey, *second, message)
                .also(*first, "the first reason is here")
                .help("write one reason that holds for both");
            findings.push(repeated);
        }
        for site in self.sites.items() {
            check_name("a site", &site.name, findings);
        }
        for zone in self.zones.items() {
            check_name("a zone", &zone.name, findings);
        }
        for vrf in self.vrfs.items() {
            check_name("a VRF", &vrf.name, findings);
        }
        for tunnel in self.tunnels.items() {
            check_name("a tunnel", &tunnel.name, findings);
        }
    }
}
