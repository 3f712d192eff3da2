//! From the merged description to what the builder takes.

mod claim;
mod dictionary;
mod node;
mod policy;
mod skeleton;
mod trust;

pub(crate) use claim::claims;

use super::include::help;
use super::merge::Merged;
use super::scalar::{Country, End};
use super::settle::Settled;
use super::syntax::{Cabling as CablingWord, Link, Tunnel};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::input::decode::{Name, shorten};
use crate::model::build::{Cabling, EndSpec, LinkSpec, SiteSpec, TunnelSpec, VlanSpec, VrfSpec, ZoneSpec};
use crate::source::{Loader, SourceId, SourceMap, Span, Spanned};
use std::path::Path;

pub(crate) use node::node;
pub(crate) use policy::Policies;
pub(crate) use skeleton::skeleton;
pub(crate) use trust::Doubtful;

/// A text with its place, owned.
pub(crate) fn owned(text: Spanned<&str>) -> Spanned<String> {
    text.map(str::to_owned)
}

/// An optional name with its place, owned.
fn owned_name(name: Option<Name<'_>>) -> Option<Spanned<String>> {
    name.map(|Name(name)| owned(name))
}

/// The sites. Those whose value could not be used are declared too.
pub(crate) fn sites(merged: &Merged<'_>) -> Vec<SiteSpec> {
    let site = |entry: &crate::input::decode::Named<'_, super::syntax::Site<'_>>| SiteSpec {
        name: owned(entry.name),
        jurisdiction: entry
            .value
            .as_ref()
            .and_then(|site| site.jurisdiction)
            .map(|Country(code)| owned(code)),
    };
    merged.sites.iter().map(site).collect()
}

/// The zones.
pub(crate) fn zones(merged: &Merged<'_>) -> Vec<ZoneSpec> {
    let zones = merged.zones.iter().map(|entry| {
        let zone = entry.value.as_ref();
        let labels = zone.and_then(|zone| zone.labels.as_ref()).map_or(&[][..], |labels| &labels.0);
        ZoneSpec {
            name: owned(entry.name),
            plane: zone.and_then(|zone| zone.plane).map(|Name(plane)| plane.value.to_owned()),
            labels: texts(labels),
        }
    });
    zones.collect()
}

/// Labels without their places.
fn texts(labels: &[(Spanned<&str>, Spanned<&str>)]) -> Vec<(String, String)> {
    labels.iter().map(|(key, value)| (key.value.to_owned(), value.value.to_owned())).collect()
}

/// The VLAN names. One without a usable tag was reported, and counts as tag 1.
pub(crate) fn vlans(merged: &Merged<'_>) -> Vec<VlanSpec> {
    let vlan = |entry: &crate::input::decode::Named<'_, super::syntax::Vlan<'_>>| VlanSpec {
        name: owned(entry.name),
        tag: entry
            .value
            .as_ref()
            .and_then(|vlan| vlan.id.as_ref())
            .map_or(Spanned::new(1, entry.name.span), |tag| tag.0),
    };
    merged.vlans.iter().map(vlan).collect()
}

/// The VRF names.
pub(crate) fn vrfs(merged: &Merged<'_>) -> Vec<VrfSpec> {
    merged.vrfs.iter().map(|entry| VrfSpec { name: owned(entry.name) }).collect()
}

/// Whether the links are all there are. They are unless the description says otherwise.
pub(crate) fn cabling(merged: &Merged<'_>) -> Cabling {
    match merged.cabling {
        Some(Spanned { value: CablingWord::Unknown, span }) => Cabling::Unknown(span),
        Some(Spanned { value: CablingWord::Complete, .. }) | None => Cabling::Complete,
    }
}

/// A link.
pub(crate) fn link(link: &Link<'_>) -> LinkSpec {
    let transit = link.transit.as_ref();
    LinkSpec {
        span: link.node.span(),
        endpoints: ends(link.endpoints.iter().flat_map(|list| &list.items)),
        transit: transit.map(|list| list.items.iter().map(|Country(code)| owned(*code)).collect()),
    }
}

/// A tunnel, if everything that it needs could be read.
pub(crate) fn tunnel(name: Spanned<&str>, tunnel: &Tunnel<'_>) -> Option<TunnelSpec> {
    let outer = tunnel.outer.iter().flat_map(|list| &list.items);
    Some(TunnelSpec {
        name: owned(name),
        encapsulation: owned(tunnel.encapsulation?.0),
        endpoints: ends(tunnel.endpoints.iter().flat_map(|list| &list.items)),
        outer: outer.map(|address| address.0).collect(),
    })
}

fn ends<'e, 't: 'e>(ends: impl Iterator<Item = &'e Spanned<End<'t>>>) -> Vec<EndSpec> {
    let end = |end: &Spanned<End<'t>>| match end.value {
        End::Internet => EndSpec::Internet(end.span),
        End::Interface { node, interface } => {
            EndSpec::Interface { node: owned(node), interface: owned(interface), span: end.span }
        }
    };
    ends.map(end).collect()
}

/// Reads a file that the description names; what is wrong is reported where it is named.
fn load(
    path: &Path,
    place: Span,
    sources: &mut SourceMap,
    loader: &Loader,
    out: &mut Diagnostics,
) -> Option<SourceId> {
    match loader.read(path) {
        Ok(text) => Some(sources.add(path.display().to_string(), text)),
        Err(error) => {
            let message = format!("`{}` cannot be read: {error}", shorten(&path.display().to_string()));
            out.push(Diagnostic::error(Code::File, place, message).help(help(&error)));
            None
        }
    }
}

/// Reports `config` files, which nothing reads yet.
pub(crate) fn refuse_config(nodes: &[Settled<'_, '_>], out: &mut Diagnostics) {
    for config in nodes.iter().filter_map(|node| node.node.config.as_ref()) {
        let message = "`config` is not built yet: a device's own files";
        let help = "describe the device in words; a verdict must not seem to take its files into account";
        out.push(Diagnostic::error(Code::NotBuilt, config.node.span(), message).help(help));
    }
}
