//! From the merged description to what the builder takes.

mod claim;
mod config;
mod dictionary;
mod node;
mod policy;
mod skeleton;
mod trust;

pub(crate) use claim::claims;
pub(crate) use config::Configs;

use super::include::help;
use super::merge::Merged;
use super::scalar::{Country, End};
use super::syntax::{Cabling as CablingWord, Link, Site, Tunnel, Vlan};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::input::decode::{Name, Named, shorten};
use crate::model::build::{Cabling, EndSpec, LinkSpec, SiteSpec, TunnelSpec, VlanSpec, VrfSpec, ZoneSpec};
use crate::source::{LoadError, Loader, SourceId, SourceMap, Span, Spanned};
use std::collections::HashSet;
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
    let site = |entry: &Named<'_, Site<'_>>| SiteSpec {
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

/// The VLAN names. One without a usable tag was reported, and gets one that no other has.
pub(crate) fn vlans(merged: &Merged<'_>) -> Vec<VlanSpec> {
    let tag = |entry: &Named<'_, Vlan<'_>>| Some(entry.value.as_ref()?.id.as_ref()?.0);
    let used: HashSet<u16> = merged.vlans.iter().filter_map(tag).map(|tag| tag.value).collect();
    let mut free = (1..=4094).rev().filter(|tag| !used.contains(tag)).cycle();
    let mut placeholder = |name: Spanned<&str>| Spanned::new(free.next().unwrap_or(1), name.span);
    let vlan = |entry: &Named<'_, Vlan<'_>>| VlanSpec {
        name: owned(entry.name),
        tag: tag(entry).unwrap_or_else(|| placeholder(entry.name)),
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
            out.push(refuse(path, place, &error));
            None
        }
    }
}

/// Why a file cannot be read, at the place that names it.
fn refuse(path: &Path, place: Span, error: &LoadError) -> Diagnostic {
    let message = format!("`{}` cannot be read: {error}", shorten(&path.display().to_string()));
    Diagnostic::error(Code::File, place, message).help(help(error))
}
