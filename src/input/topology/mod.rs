//! The description of a network: `topology.yaml` and the files that it includes.

mod include;
mod lower;
mod merge;
mod resolve;
mod scalar;
mod schema;
mod settle;
mod syntax;
mod variant;

pub(crate) use include::{File, load, load_text};
pub(crate) use schema::schema;

use crate::claim::Claim;
use crate::diag::{Code, Diagnostics};
use crate::input::{Options, yaml};
use crate::model::Network;
use crate::model::build::NetworkBuilder;
use crate::source::{Loader, SourceId, SourceMap};
use merge::Merged;
use settle::Settled;
use std::path::PathBuf;
use std::sync::Arc;

/// The number of values in a text.
///
/// # Errors
/// It is not the YAML that is taken here.
pub(crate) fn count_values(source: SourceId, text: &Arc<str>) -> Result<usize, Diagnostics> {
    let mut found = Diagnostics::default();
    let tree = yaml::parse(source, text, yaml::Limits::default(), &mut found);
    tree.map(|tree| tree.len()).ok_or(found)
}

/// The numbers of devices and links that a text declares.
///
/// # Errors
/// Everything that is wrong with its shape.
pub(crate) fn count_entries(source: SourceId, text: &Arc<str>) -> Result<(usize, usize), Diagnostics> {
    let mut found = Diagnostics::default();
    let tree = yaml::parse(source, text, yaml::Limits::default(), &mut found);
    let file = tree.map(|tree| File { path: PathBuf::new(), tree });
    let merged = Merged::read(file.as_slice(), &mut found);
    if found.has_errors() { Err(found) } else { Ok((merged.nodes.len(), merged.links.len())) }
}

/// The description written out after includes, groups and defaults.
///
/// # Errors
/// Everything that is wrong with its shape, `found` included.
pub(crate) fn resolve(files: &[File], mut found: Diagnostics) -> Result<serde_yaml::Value, Diagnostics> {
    let merged = Merged::read(files, &mut found);
    let nodes = settle::settle(&merged, &mut found);
    if found.has_errors() {
        return Err(found);
    }
    Ok(resolve::resolved(&merged, &nodes))
}

/// The network and the claims of a description, with warnings.
///
/// # Errors
/// Everything that is wrong with it, `found` included: shape, names, addresses, policies, claims.
pub(crate) fn read(
    files: &[File],
    mut found: Diagnostics,
    sources: &mut SourceMap,
    loader: &Loader,
    options: &Options,
) -> Result<(Network, Vec<Claim>, Diagnostics), Diagnostics> {
    // A file that could not be read may have declared anything.
    let is_lost = |code| matches!(code, Code::File | Code::NoInput | Code::Syntax | Code::Limit);
    let files_lost = found.iter().any(|diagnostic| is_lost(diagnostic.code));
    let mut merged = Merged::read(files, &mut found);
    merged.broken |= files_lost;
    let nodes = settle::settle(&merged, &mut found);
    let doubtful = lower::Doubtful::new(&merged, &found);
    let mut later = Diagnostics::default();
    let configs = lower::Configs::read(&merged, &nodes, sources, loader, &mut later);
    let mut of_policies = Diagnostics::default();
    let policies = lower::Policies::new(&nodes, options.as_of);
    let policies = policies.read(&merged, &nodes, &configs, sources, loader, &mut of_policies);
    let (filters, rules_lost) = (policies.filters.clone(), of_policies.has_errors());
    later.append(of_policies);
    let network = build(&merged, &nodes, policies, &configs, &mut later);
    let network = network.filter(|_| !later.has_errors() && !found.has_errors());
    let skeleton = match network {
        Some(_) => None,
        None => lower::skeleton(&merged, &nodes, filters),
    };
    let names = network.as_ref().or(skeleton.as_ref());
    let claims = names.map(|names| lower::claims(&merged.claims, names, rules_lost, &mut later));
    doubtful.keep(later, &mut found);
    match (network, claims) {
        (Some(network), Some(claims)) if !found.has_errors() => Ok((network, claims, found)),
        _ => Err(found),
    }
}

/// Hands everything to the builder.
fn build(
    merged: &Merged<'_>,
    nodes: &[Settled<'_, '_>],
    policies: lower::Policies,
    configs: &lower::Configs,
    out: &mut Diagnostics,
) -> Option<Network> {
    let mut builder = NetworkBuilder::new(merged.name.map_or("network", |name| name.value));
    builder.set_cabling(lower::cabling(merged));
    lower::sites(merged).into_iter().for_each(|site| builder.add_site(site));
    lower::zones(merged).into_iter().for_each(|zone| {
        builder.add_zone(zone);
    });
    lower::vlans(merged).into_iter().for_each(|vlan| builder.add_vlan(vlan));
    lower::vrfs(merged).into_iter().for_each(|vrf| {
        builder.add_vrf(vrf);
    });
    // The policies refer to these by position, so they come first.
    policies.unknowns.into_iter().for_each(|unknown| {
        builder.add_unknown(unknown);
    });
    policies.filters.into_iter().for_each(|filter| {
        builder.add_filter(filter);
    });
    policies.ledger.into_iter().for_each(|entry| builder.add_ledger(entry));
    for (assumption, span, reason) in &merged.assume {
        builder.assume(*assumption, *span, lower::owned(*reason));
    }
    for (position, (settled, bound)) in nodes.iter().zip(policies.bound).enumerate() {
        let mut node = lower::node(settled, bound, out);
        configs.apply(position, settled, merged, &mut node, &mut builder, out);
        builder.add_node(node);
    }
    merged.links.iter().for_each(|link| builder.add_link(lower::link(link)));
    for entry in &merged.tunnels {
        let tunnel = entry.value.as_ref().and_then(|tunnel| lower::tunnel(entry.name, tunnel));
        tunnel.into_iter().for_each(|tunnel| builder.add_tunnel(tunnel));
    }
    builder.build(out)
}
