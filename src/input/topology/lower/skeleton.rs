//! The names of a description without anything that could be wrong about them.

use super::{sites, vrfs, zones};
use crate::diag::Diagnostics;
use crate::input::topology::merge::Merged;
use crate::input::topology::settle::Settled;
use crate::model::build::{InterfaceSpec, NetworkBuilder, NodeSpec, SiteSpec, VlanSpec};
use crate::model::{Filter, Network};
use crate::source::Spanned;

/// A network that has the names of a description and nothing else. The claims of a description with errors are
/// read against it, so that one run finds their errors too; nobody decides anything on it.
pub(crate) fn skeleton(
    merged: &Merged<'_>,
    nodes: &[Settled<'_, '_>],
    filters: Vec<Filter>,
) -> Option<Network> {
    let mut builder = NetworkBuilder::new("");
    sites(merged).into_iter().for_each(|site| builder.add_site(SiteSpec { jurisdiction: None, ..site }));
    zones(merged).into_iter().for_each(|zone| {
        builder.add_zone(zone);
    });
    vrfs(merged).into_iter().for_each(|vrf| {
        builder.add_vrf(vrf);
    });
    for (tag, entry) in (1..=4094).cycle().zip(&merged.vlans) {
        let name = super::owned(entry.name);
        builder.add_vlan(VlanSpec { tag: Spanned::new(tag, name.span), name });
    }
    filters.into_iter().for_each(|filter| {
        builder.add_filter(filter);
    });
    for settled in nodes {
        let mut node = NodeSpec::new(super::owned(settled.name));
        let interfaces = settled.node.interfaces.iter().flat_map(|map| &map.entries);
        node.interfaces = interfaces.map(|named| InterfaceSpec::new(super::owned(named.name))).collect();
        builder.add_node(node);
    }
    builder.build(&mut Diagnostics::default())
}
