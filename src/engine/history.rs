//! What a run keeps of how packets moved, so that a witness can be walked back.

use super::query::Origin;
use crate::model::{InterfaceId, NodeId, SegmentId};
use crate::set::Set;
use std::net::IpAddr;

/// How packets got to an interface or a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Somebody put them there.
    Start(Origin),
    /// A node sent them on.
    Sent {
        /// The interface on which the node had received them.
        receiver: InterfaceId,
        /// The interface through which it sent them.
        sends: InterfaceId,
        /// The next hop; `None` is the destination itself.
        via: Option<IpAddr>,
        /// Whether they passed only as part of an open connection.
        established: bool,
        /// Whether their destination was rewritten on the way (source routing).
        any_destination: bool,
    },
    /// A node answered the source of one of `cause`, received on `receiver`.
    Answered {
        /// The interface on which the cause was received.
        receiver: InterfaceId,
        /// What was answered.
        cause: Set,
    },
    /// A node sent them with its own address.
    Own {
        /// The sender.
        node: NodeId,
        /// Whether they left only as part of an open connection.
        established: bool,
    },
    /// Somebody undescribed on the segment sent them, after one of `cause` was put there.
    Somebody {
        /// The segment.
        segment: SegmentId,
        /// What was put there for an address that nobody owns.
        cause: Set,
    },
    /// Somebody behind a node that may be there, or on the internet, after one of `cause` reached it.
    Beyond {
        /// The interface that received the cause.
        receiver: InterfaceId,
        /// What it received.
        cause: Set,
    },
}

/// Packets that arrived together, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delta {
    /// Number in the order of the whole run.
    pub(super) time: usize,
    /// The packets that were new.
    pub(super) set: Set,
    /// How they came.
    pub(super) step: Step,
}

/// A connection table as it grew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    /// When.
    pub(super) time: usize,
    /// The packets that opened.
    pub(super) set: Set,
    /// Where their node had received them; `None` if it sent them itself.
    pub(super) receiver: Option<InterfaceId>,
    /// Where their node sent them on; `None` if they were delivered.
    pub(super) sends: Option<InterfaceId>,
}
