//! From broadcast domains to segments: what is attached, which countries their lines cross, what may join
//! them.

use super::component::{Component, components, end_name, shorten};
use super::layer2::Layer2;
use super::link::Wiring;
use super::open_cabling;
use super::part::Part;
use super::work::Work;
use crate::model::{
    Existence, InterfaceId, Join, Line, Segment, SegmentId, SiteId, Transit, UnknownId, VlanId,
};
use crate::source::{Span, Spanned};
use rustc_hash::FxHashMap;

pub(super) fn make_segments(work: &mut Work, wiring: &Wiring, layer2: Layer2) {
    let (components, of_spot) = components(&layer2);
    let mut lines = Lines::new(work, wiring);
    let mut segment_of = Vec::with_capacity(components.len());
    for component in &components {
        if !component.is_inhabited() {
            segment_of.push(None);
            continue;
        }
        let segment = SegmentId::at(work.network.segments.len());
        segment_of.push(Some(segment));
        let first_wire = component.wires.iter().map(|wire| layer2.wires[*wire].span).next();
        let lead = component.attached.first().or(component.ports.first());
        let own = lead.map(|id| work.network.interface(*id).span);
        let Some(span) = first_wire.or(own) else { continue };
        let transit = lines.transit(work, &layer2, component);
        let crossing = lines.crossing(&layer2, component);
        work.network.segments.push(Segment {
            name: component.name(work, &layer2),
            span,
            attached: Vec::new(),
            ports: component.ports.clone(),
            transit,
            lines: crossing,
            vlan: component.vlan(work),
            existence: Existence::Described,
            tunnel: None,
            joins: Vec::new(),
        });
        for interface in &component.attached {
            work.attach(*interface, segment);
        }
    }
    for index in 0..work.interfaces.len() {
        let is_attached = work.network.interfaces[index].segment.is_some();
        work.network.interfaces[index].vlan = vlan_of(&layer2, InterfaceId::at(index), is_attached);
    }
    let segment_of_spot = |spot: usize| segment_of[of_spot[spot]];
    let joins = layer2.joins.iter().filter_map(|(from, to, unknown)| {
        Some((segment_of_spot(*from)?, Join { to: segment_of_spot(*to)?, unknown: *unknown }))
    });
    let mut joins: Vec<(SegmentId, Join)> = joins.filter(|(from, join)| *from != join.to).collect();
    // The first reason for a join is the one that is named.
    joins.sort_by_key(|(from, join)| (*from, join.to));
    joins.dedup_by_key(|(from, join)| (*from, join.to));
    for (from, join) in joins {
        work.network.segments[from.index()].joins.push(join);
    }
    open_cabling::make_hubs(work, &layer2, &segment_of_spot);
}

/// The VLAN that an interface is in, if it is in exactly one by name.
fn vlan_of(layer2: &Layer2, interface: InterfaceId, is_attached: bool) -> Option<VlanId> {
    let words = &layer2.words[interface.index()];
    match layer2.parts[interface.index()] {
        // By layer 3 it has its untagged frames; those of its trunk belong to its sub-interfaces.
        Part::Own if is_attached => words.untagged(),
        Part::Apart | Part::Sub { .. } | Part::Svi(_) | Part::Port | Part::Own => words.single(),
    }
}

/// What is known of the countries that links cross.
struct Lines {
    /// By link: the countries if they are known.
    known: Vec<Option<Vec<Spanned<String>>>>,
    /// By link, what to call it.
    names: Vec<String>,
    spans: Vec<Span>,
    /// The unknown of each set of lines that are open.
    unknowns: FxHashMap<Vec<usize>, UnknownId>,
}

impl Lines {
    fn new(work: &Work, wiring: &Wiring) -> Lines {
        let links = work.links.iter().zip(&wiring.wires);
        let known = links.map(|(link, wire)| match &link.transit {
            Some(countries) => Some(countries.clone()),
            None => same_site(work, &wire.ends).then(Vec::new),
        });
        let name = |ends: &[InterfaceId]| {
            let ends: Vec<String> = ends.iter().take(6).map(|end| end_name(work, *end)).collect();
            shorten(ends.join(" – "))
        };
        Lines {
            known: known.collect(),
            names: wiring.wires.iter().map(|wire| name(&wire.ends)).collect(),
            spans: wiring.wires.iter().map(|wire| wire.span).collect(),
            unknowns: FxHashMap::default(),
        }
    }

    /// The countries of all lines that a domain runs over.
    fn transit(&mut self, work: &mut Work, layer2: &Layer2, component: &Component) -> Transit {
        let links = component.wires.iter().filter_map(|wire| layer2.wires[*wire].link);
        let (mut countries, mut open): (Vec<Spanned<String>>, Vec<usize>) = (Vec::new(), Vec::new());
        for link in links {
            match &self.known[link] {
                Some(crossed) => {
                    for country in crossed {
                        if !countries.iter().any(|known| known.value == country.value) {
                            countries.push(country.clone());
                        }
                    }
                }
                None => open.push(link),
            }
        }
        match open.is_empty() {
            true => Transit::Known(countries),
            false => Transit::Unknown(countries, self.unknown(work, open)),
        }
    }

    /// The lines of a domain that are known to cross a country.
    fn crossing(&self, layer2: &Layer2, component: &Component) -> Vec<Line> {
        let wires = component.wires.iter().map(|wire| &layer2.wires[*wire]);
        let crosses = |link: usize| self.known[link].as_ref().is_some_and(|countries| !countries.is_empty());
        wires
            .filter(|wire| wire.link.is_some_and(crosses))
            .map(|wire| Line { span: wire.span, ends: wire.ends.clone() })
            .collect()
    }

    fn unknown(&mut self, work: &mut Work, open: Vec<usize>) -> UnknownId {
        if let Some(known) = self.unknowns.get(&open) {
            return *known;
        }
        let names: Vec<&str> = open.iter().take(3).map(|link| self.names[*link].as_str()).collect();
        let (lines, cross) = if open.len() == 1 { ("the line", "crosses") } else { ("the lines", "cross") };
        let more = match open.len().saturating_sub(names.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let what = format!("which countries {lines} {}{more} {cross}", names.join(", "));
        let settle = format!("`transit: [...]` on the link {}", names.join(", on the link "));
        let unknown = work.unknown(what, self.spans[open[0]], settle);
        self.unknowns.insert(open, unknown);
        unknown
    }
}

/// Whether all of the interfaces are at one site, for certain.
pub(super) fn same_site(work: &Work, ends: &[InterfaceId]) -> bool {
    let site =
        |id: &InterfaceId| -> Option<SiteId> { work.network.node(work.network.interface(*id).node).site };
    let Some(first) = ends.first().and_then(site) else { return false };
    ends.iter().all(|end| site(end) == Some(first))
}
