//! A counterexample as a script that makes it happen: network namespaces for the devices on its way, wired as the segments
//! that it crosses, with their addresses, routes, settings and rules; the packets, sent in order; and counters that say
//! where the kernel saw them. Everything is made of the described network and of the finding; this layer runs nothing.
//!
//! The script is for a POSIX shell in a user, mount and network namespace of its own, where it is root; so it changes
//! nothing outside, and nothing stays when it ends.

mod condition;
mod ruleset;
mod script;
mod stage;

use crate::header::Packet;
use crate::model::Network;
use crate::source::{SourceMap, Span};
use crate::verdict::Finding;

pub use script::{COUNTERS, PROGRAMS, SEEN};

/// Why a counterexample cannot be shown on a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// What stands in the way.
    pub what: String,
    /// Where it is written, if it is.
    pub span: Option<Span>,
}

impl Obstacle {
    fn new(what: impl Into<String>, span: Option<Span>) -> Obstacle {
        Obstacle { what: what.into(), span }
    }

    fn at(self, span: Span) -> Obstacle {
        Obstacle { span: self.span.or(Some(span)), ..self }
    }
}

/// A script, and what should be seen when it runs.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The script. It sends by the command in the variable `ISOAUDIT`.
    pub script: String,
    /// The packets in order.
    pub packets: Vec<Expected>,
}

/// One packet, and what the finding says of it.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The packet as sent.
    pub packet: Packet,
    /// Where it is sent: a node or a segment.
    pub origin: String,
    /// The devices on its way, in order.
    pub sights: Vec<Sight>,
}

/// What a device does with a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// The device.
    pub node: String,
    /// Its namespace in the script.
    pub namespace: String,
    /// Whether it receives the packet on an interface.
    pub receives: bool,
    /// Whether it takes it past its input filter.
    pub delivers: bool,
    /// Whether it puts it on a line, behind all its rules.
    pub sends: bool,
}

/// Makes the script of a finding.
///
/// # Errors
/// Something on the way has no counterpart on a kernel, or is not known well enough.
pub fn plan(network: &Network, sources: &SourceMap, finding: &Finding) -> Result<Plan, Obstacle> {
    let stage = stage::Stage::of(network, finding)?;
    let script = script::write(&stage, sources)?;
    Ok(Plan { script, packets: stage.expected() })
}
