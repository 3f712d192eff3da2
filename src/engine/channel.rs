//! Where the packets of a flow may end once they are translated.

use super::compiled::Compiled;
use super::inject::{flow_set, undescribed_sources};
use super::marks::Marks;
use super::query::{Cut, FreeFlow, Limits, Places};
use super::translate::{Meeting, Spot};
use super::view::View;
use crate::model::translation::End;
use crate::model::{InterfaceId, NodeId, Reading, SegmentId};
use crate::set::{Set, Side};

/// Devices that may translate a packet one after the other. Whatever may still change then may go anywhere.
const MOST_DEVICES: usize = 16;

/// The nodes, and the segments with hosts that nobody described, that a flow's packets may be translated to go to. Their
/// destinations as they are sent are not among them unless a translation leads back.
pub fn translated_ends(compiled: &Compiled<'_>, flow: &FreeFlow) -> Places {
    let network = compiled.network;
    let mut ends = Places::none(network.nodes.len(), network.segments.len());
    let mut view = compiled.view(Reading::May, &Cut::default(), Limits::default());
    let sent = flow_set(&mut view.space, flow);
    let mut known = sent;
    let mut goes_to = Set::EMPTY;
    for _ in 0..MOST_DEVICES {
        let (changed, moved) = translated(&mut view, known);
        let all = view.space.union(known, changed);
        goes_to = view.space.union(goes_to, moved);
        if all == known {
            break;
        }
        known = all;
    }
    let (again, _) = translated(&mut view, known);
    if view.space.status().is_err() || !view.space.minus(again, known).is_empty() {
        goes_to = Set::FULL;
    }
    for index in 0..network.nodes.len() {
        let own = compiled.nodes[index].to_own;
        ends.nodes[index] = !view.space.intersect(goes_to, own).is_empty();
    }
    for index in 0..network.segments.len() {
        let free = undescribed_sources(network, SegmentId::at(index));
        let there = view.space.addresses(Side::Dst, &free);
        ends.segments[index] = !view.space.intersect(goes_to, there).is_empty();
    }
    ends
}

/// What any device may make of packets, and that of it whose destination is another.
fn translated(view: &mut View<'_>, packets: Set) -> (Set, Set) {
    let network = view.compiled.network;
    let (mut all, mut moved) = (Vec::new(), Vec::new());
    for index in 0..network.nodes.len() {
        let node = NodeId::at(index);
        if !view.compiled.translates(node) {
            continue;
        }
        let interfaces = || network.node(node).interfaces.iter().map(|id| Some(*id));
        for interface in interfaces().chain([Some(InterfaceId::LOOPBACK)]) {
            let meetings = [
                (Spot::Prerouting, End::Destination, interface, None),
                (Spot::Output, End::Destination, None, interface),
            ];
            let sending =
                interfaces().chain([None]).map(|from| (Spot::Postrouting, End::Source, from, interface));
            for (spot, end, incoming, outgoing) in meetings.into_iter().chain(sending) {
                let marks: Vec<Marks> = view.compiled.nodes[index].marks.all().collect();
                let meeting = |marks| Meeting { node, spot, incoming, outgoing, marks };
                let parts: Vec<_> =
                    marks.into_iter().map(|marks| view.translations(meeting(marks))).collect();
                for (rule, set) in parts.iter().flat_map(|parts| parts.iter()) {
                    let here = view.space.intersect(packets, *set);
                    let image = view.image(here, *rule, end);
                    all.push(image);
                    if rule.is_some() && end == End::Destination {
                        moved.push(image);
                    }
                }
            }
        }
    }
    (view.space.union_all(&all), view.space.union_all(&moved))
}
