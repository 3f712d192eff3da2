//! Packet sets: canonical, hash-consed interval decision diagrams.
//!
//! A [`Set`] is any set of packet headers. Equal sets are equal numbers, however they were made, so
//! emptiness and equality are one comparison. A diagram decides the header level by level: family, eight
//! 16-bit limbs of the source, eight of the destination, protocol, destination port, source port, ICMP type
//! and code, TCP flags, fragment. A node holds a short sorted list of intervals, so that a prefix or a port
//! range is one edge and not a dozen bits. The idea is published as "NDD: A Decision Diagram for Network
//! Verification" (NSDI 2025).
//!
//! ```
//! use isoaudit::header::{Family, proto};
//! use isoaudit::set::{Set, Side, Space};
//!
//! let mut space = Space::new();
//! let tcp = space.protocol(proto::TCP);
//! let web = space.ports(Side::Dst, &[80..=80, 443..=443]);
//! let inside = space.prefix(Side::Src, "10.0.0.0/8".parse()?);
//! let sent = space.intersect(inside, tcp);
//! let sent = space.intersect(sent, web);
//! let first = space.sample(sent).ok_or("empty")?;
//! assert_eq!(first.to_string(), "10.0.0.1 → 0.0.0.1 tcp/80 from port 0 [no flags]");
//! let v6 = space.family(Family::V6);
//! assert_eq!(space.intersect(sent, v6), Set::EMPTY);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod boxes;
mod encode;
mod level;
mod list;
mod memo;
mod node;
mod ops;
mod project;
mod reverse;
mod rewrite;
mod sample;
mod space;

#[cfg(test)]
mod laws;

pub use boxes::PacketBox;
pub use level::{Field, Side};
pub use list::Summary;
pub use space::{Exhausted, Frozen, Space};

/// A set of packet headers: a number that means something in the [`Space`] that made it.
///
/// The order of the numbers is the order in which they were made, not one of values: it must never reach
/// output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Set(u32);

impl Set {
    /// No packet.
    pub const EMPTY: Set = Set(0);
    /// Every packet.
    pub const FULL: Set = Set(1);

    /// Whether the set has no packet. In an exhausted space this says nothing: see [`Space`].
    pub fn is_empty(self) -> bool {
        self == Set::EMPTY
    }
}
