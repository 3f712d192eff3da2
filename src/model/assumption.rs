//! What a user may set aside by name.

/// What a user may set aside by name (SEMANTICS.md section 7). A closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assumption {
    /// Devices answer nobody: no ICMP error, echo reply or reset carries bytes on.
    NoReflection,
    /// No device honours IP source routing.
    NoSourceRouting,
    /// Neighbours are as described: no forged ARP or router advertisement, nobody at unowned addresses.
    StaticNeighbours,
    /// Learned routes stay as dumped.
    FixedRoutes,
    /// Every device reassembles before it filters.
    Reassembled,
    /// Address translation admits only the peer that was spoken to.
    SymmetricNat,
    /// Nodes forward only if their role or their `forwarding` says so.
    NoHiddenForwarding,
}

impl Assumption {
    /// Each with its name and what it lets pass.
    pub const TABLE: &[(Assumption, &str, &str)] = &[
        (
            Assumption::NoReflection,
            "no-reflection",
            "bytes that a device returns in an echo reply, an ICMP error or a reset",
        ),
        (Assumption::NoSourceRouting, "no-source-routing", "packets that name their own way (LSRR, RH0)"),
        (
            Assumption::StaticNeighbours,
            "static-neighbours",
            "traffic drawn aside by forged ARP, neighbour discovery or router advertisements, and hosts at \
             addresses that nobody described",
        ),
        (Assumption::FixedRoutes, "fixed-routes", "routes that a peer announces later"),
        (
            Assumption::Reassembled,
            "reassembled",
            "later fragments, which show no ports to a stateless filter",
        ),
        (
            Assumption::SymmetricNat,
            "symmetric-nat",
            "strangers who use a translation that someone else opened",
        ),
        (
            Assumption::NoHiddenForwarding,
            "no-hidden-forwarding",
            "packets that a node with two attachments passes on though nobody said that it forwards",
        ),
    ];

    /// The word of the description.
    pub fn word(self) -> &'static str {
        Assumption::TABLE.iter().find(|(a, _, _)| *a == self).map_or("", |(_, word, _)| word)
    }
}
