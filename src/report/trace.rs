//! The walks of given packets, as `isoaudit trace` shows them.

use crate::verdict::Leg;

/// What became of some packets that were sent in order.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The name of the description.
    pub topology: String,
    /// One for each packet, in the order sent.
    pub packets: Vec<Traced>,
}

/// One packet and every walk that it may take.
#[derive(Debug, Clone)]
pub struct Traced {
    /// The walks. More than one where the network chooses, or where something is not known.
    pub walks: Vec<Walk>,
    /// Whether there are more walks than were followed.
    pub more_walks: bool,
}

/// One walk from its sender to its end.
#[derive(Debug, Clone)]
pub struct Walk {
    /// The packet and its hops.
    pub leg: Leg,
    /// How it ends: "delivered to db1", "dropped at fw-gui by rule no-admin".
    pub end: String,
    /// Whether it ends where it was sent to.
    pub delivered: bool,
    /// Whether it certainly is walked so (*must*), or only possibly (*may*).
    pub certain: bool,
    /// What the walk depends on: choices of the network, things that are not known.
    pub depends: Vec<String>,
}
