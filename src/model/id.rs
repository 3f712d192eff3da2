//! Numbers for the things of a network. Each kind has its own type, so that none is used for another.

/// Defines a number type, and the lists that are indexed by it.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// The position in the list of its kind.
            pub fn index(self) -> usize {
                self.0 as usize
            }

            /// The number of the thing at a position.
            pub fn at(index: usize) -> $name {
                $name(index as u32)
            }
        }
    )* };
}

ids! {
    /// A node: router, firewall, switch, host, …
    NodeId;
    /// An interface of a node.
    InterfaceId;
    /// A segment: one broadcast domain.
    SegmentId;
    /// A site.
    SiteId;
    /// A zone.
    ZoneId;
    /// A VLAN name.
    VlanId;
    /// A VRF name.
    VrfId;
    /// A filter: one policy text, or one table of a dump.
    FilterId;
    /// Something about the network that is not known.
    UnknownId;
    /// A tunnel.
    TunnelId;
}

impl InterfaceId {
    /// The loopback of whichever node is meant. It is in no list: what goes out there comes back in, and rules know it by
    /// its name only.
    pub const LOOPBACK: InterfaceId = InterfaceId(u32::MAX);
}
