//! Every decision about one packet, on every way that it may take.

use super::Question;
use super::follow::{Follow, Source};
use super::state::Tables;
use super::trail::Branch;
use super::view::View;
use super::walk::{Origin, attachments};
use super::way::Timing;
use crate::header::Packet;
use crate::model::{Network, Reading};

/// Traces one packet that starts at an origin, before any connection is open. On *may* every way that it could take is a
/// branch, and what is not certain about it is marked; on *must* only what happens for certain is.
pub fn trace(network: &Network, reading: Reading, origin: Origin, packet: &Packet) -> Vec<Branch> {
    let question = Question::default();
    let view = View::new(network, reading, &question);
    let tables = Tables::new(network.nodes.len());
    let source = match origin {
        Origin::Segment(segment) => Source::Injected(vec![(segment, None)]),
        Origin::Node(node) => Source::Injected(attachments(&view, node)),
        Origin::Honest(node) | Origin::Answer(node) => Source::Own(node),
    };
    let mut follow = Follow::new(&view, &tables, Timing::Free, &[]);
    follow.start(source, packet);
    follow.branches
}
