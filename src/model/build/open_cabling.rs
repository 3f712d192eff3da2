//! `cabling: unknown`: any two interfaces without a link may be wired together (SEMANTICS.md section 1.5).

use super::layer2::{Layer2, Spot, UNTAGGED};
use super::segment::same_site;
use super::spec::Cabling;
use super::work::Work;
use crate::model::{Existence, InterfaceId, Join, Segment, SegmentId, Transit};
use std::collections::{BTreeMap, BTreeSet};

/// Joins the segments of open interfaces through one possible segment for each tag: the cable that may be
/// there. One in the middle says the same as a cable for each pair, without their number.
pub(super) fn make_hubs(work: &mut Work, layer2: &Layer2, segment_of: &dyn Fn(usize) -> Option<SegmentId>) {
    let Cabling::Unknown(span) = work.cabling else { return };
    let mut open: BTreeMap<usize, Vec<InterfaceId>> = BTreeMap::new();
    for (number, wire) in layer2.wires.iter().enumerate().filter(|(_, wire)| wire.is_open) {
        open.entry(layer2.wire_root(number)).or_default().extend(&wire.ends);
    }
    let mut by_tag: BTreeMap<u16, BTreeMap<SegmentId, Vec<InterfaceId>>> = BTreeMap::new();
    for (number, spot) in layer2.spots.iter().enumerate() {
        let Spot::Wire(root, tag) = spot else { continue };
        if let (Some(ends), Some(segment)) = (open.get(root), segment_of(number)) {
            by_tag.entry(*tag).or_default().entry(segment).or_default().extend(ends);
        }
    }
    by_tag.retain(|_, segments| segments.len() > 1);
    if by_tag.is_empty() {
        return;
    }
    let unknown = work.unknown(
        "whether interfaces without a link are wired to each other",
        span,
        "`cabling: complete`, with all links",
    );
    for (tag, segments) in by_tag {
        let ports: BTreeSet<InterfaceId> = segments.values().flatten().copied().collect();
        let ports: Vec<InterfaceId> = ports.into_iter().collect();
        let transit = match same_site(work, &ports) {
            true => Transit::Known(Vec::new()),
            false => Transit::Unknown(Vec::new(), unknown),
        };
        let hub = SegmentId::at(work.network.segments.len());
        let name = match tag {
            UNTAGGED => "a cable that may be there".to_owned(),
            tag => format!("a cable that may be there, vlan {tag}"),
        };
        work.network.segments.push(Segment {
            name,
            span,
            attached: Vec::new(),
            ports,
            transit,
            lines: Vec::new(),
            vlan: work.vlan_of_tag.get(&tag).copied(),
            existence: Existence::Possible(unknown),
            tunnel: None,
            joins: Vec::new(),
        });
        for segment in segments.keys() {
            work.network.segments[segment.index()].joins.push(Join { to: hub, unknown });
            work.network.segments[hub.index()].joins.push(Join { to: *segment, unknown });
        }
    }
}
