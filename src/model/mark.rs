//! Marks: numbers that a device keeps beside a packet, or beside a connection, while it has it.
//!
//! Rules set them and ask for them, and the routing policy chooses a table by that of the packet. No packet carries its
//! mark to another device: it is 0 when it is received, and when a device makes it (`skb_scrub_packet`, `__alloc_skb`). That of a
//! connection lasts as long as the connection, and is 0 when it is opened (iptables-extensions(8), MARK, CONNMARK).

use super::filter::{Action, Test};
use super::id::NodeId;
use super::network::Network;
use std::collections::BTreeSet;

/// Which of the two marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Marked {
    /// That of the packet (`meta mark`, `-m mark`).
    Packet,
    /// That of its connection (`ct mark`, `-m connmark`).
    Connection,
}

/// What a rule makes of a mark: `(mark of the packet & packet) ^ (mark of the connection & connection) ^ flip`. Everything that
/// iptables and nftables can do is of this form (`xt_mark.c`, `xt_connmark.c`, `nft_bitwise.c`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarkChange {
    /// Which mark is set.
    pub of: Marked,
    /// The bits of the packet's mark that go into it.
    pub packet: u32,
    /// The bits of the connection's mark that go into it.
    pub connection: u32,
    /// The bits that are turned round at last.
    pub flip: u32,
}

impl MarkChange {
    /// Sets the bits of a mask to those of a value, and keeps the others: `--set-xmark value/mask`.
    pub fn within(of: Marked, value: u32, mask: u32) -> MarkChange {
        let (packet, connection) = match of {
            Marked::Packet => (!mask, 0),
            Marked::Connection => (0, !mask),
        };
        MarkChange { of, packet, connection, flip: value }
    }

    /// The new value, from those of the packet and of the connection.
    pub fn value(self, packet: u32, connection: u32) -> u32 {
        (packet & self.packet) ^ (connection & self.connection) ^ self.flip
    }

    /// Whether it has to do with marks of connections.
    pub fn is_of_connections(self) -> bool {
        self.of == Marked::Connection || self.reads_connection()
    }

    /// Whether the new value hangs on the mark of the connection.
    pub fn reads_connection(self) -> bool {
        self.connection != 0
    }
}

/// What a routing rule asks of the mark of a packet: whether it is this value under the mask (`fwmark`, ip-rule(8)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarkTest {
    /// The bits that must be set.
    pub value: u32,
    /// The bits that are looked at.
    pub mask: u32,
    /// Whether the answer is turned round.
    pub negated: bool,
}

impl MarkTest {
    /// Whether a mark fits (`fib_rule_match`).
    pub fn fits(self, mark: u32) -> bool {
        ((mark ^ self.value) & self.mask == 0) != self.negated
    }
}

/// More pairs of marks than this are not followed one by one.
pub const MOST_MARKS: usize = 256;

/// Every pair of marks, of a packet and of its connection, that rules with these changes can make of the pair of zeroes;
/// sorted, so that the zeroes come first. `None` if there are more than [`MOST_MARKS`].
///
/// A packet may come to a device with no mark of its own and with any mark that its connection has got before.
pub fn reachable(changes: &BTreeSet<MarkChange>) -> Option<Vec<(u32, u32)>> {
    let mut known = BTreeSet::from([(0, 0)]);
    let mut open = vec![(0, 0)];
    while let Some((packet, connection)) = open.pop() {
        let mut next = vec![(0, connection)];
        next.extend(changes.iter().map(|change| match change.of {
            Marked::Packet => (change.value(packet, connection), connection),
            Marked::Connection => (packet, change.value(packet, connection)),
        }));
        for pair in next {
            if known.insert(pair) {
                open.push(pair);
            }
        }
        if known.len() > MOST_MARKS {
            return None;
        }
    }
    Some(known.into_iter().collect())
}

impl Network {
    /// Everything that rules of a node make of marks.
    pub fn mark_changes(&self, id: NodeId) -> BTreeSet<MarkChange> {
        let hooks = self.hooks(id);
        let filters: BTreeSet<_> = hooks.iter().map(|hook| hook.filter).collect();
        let chains = filters.into_iter().flat_map(|filter| &self.filter(filter).chains);
        let actions = chains.flat_map(|chain| &chain.rules).map(|rule| rule.action);
        actions
            .filter_map(|action| if let Action::Mark(change) = action { Some(change) } else { None })
            .collect()
    }

    /// Whether rules of a node ask for marks of connections, or use them.
    pub fn uses_connection_marks(&self, id: NodeId) -> bool {
        let asks = |test: &Test| matches!(test, Test::Mark { of: Marked::Connection, .. });
        let uses = |change: &MarkChange| change.is_of_connections();
        let hooks = self.hooks(id);
        let filters: BTreeSet<_> = hooks.iter().map(|hook| hook.filter).collect();
        filters.into_iter().any(|filter| self.filter(filter).asks(&asks))
            || self.mark_changes(id).iter().any(uses)
    }

    /// The pairs of marks that packets and their connections may have at a node; the zeroes alone where nothing sets any.
    ///
    /// There are at most [`MOST_MARKS`], or whoever made the network would have left them out as not understood.
    pub fn marks(&self, id: NodeId) -> Vec<(u32, u32)> {
        reachable(&self.mark_changes(id)).unwrap_or_else(|| vec![(0, 0)])
    }

    /// The marks that a connection of a node may have.
    pub fn connection_marks(&self, id: NodeId) -> BTreeSet<u32> {
        self.marks(id).into_iter().map(|(_, connection)| connection).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_set_within_its_mask() {
        let change = MarkChange::within(Marked::Packet, 0x10, 0xf0);
        assert_eq!(change.value(0x123, 0), 0x113);
        // The value is turned into the others, whatever the mask says (`xt_mark.c`).
        assert_eq!(MarkChange::within(Marked::Packet, 0x11, 0xf0).value(0x123, 0), 0x112);
    }

    #[test]
    fn marks_are_few_until_they_are_many() {
        let one = |value, mask| MarkChange::within(Marked::Packet, value, mask);
        assert_eq!(reachable(&BTreeSet::new()), Some(vec![(0, 0)]));
        assert_eq!(
            reachable(&BTreeSet::from([one(1, 1), one(2, 2)])),
            Some(vec![(0, 0), (1, 0), (2, 0), (3, 0)])
        );
        // Each bit turned round by itself.
        let bits = |count: u32| (0..count).map(|bit| one(1 << bit, 0)).collect();
        assert_eq!(reachable(&bits(8)).map(|pairs| pairs.len()), Some(MOST_MARKS));
        assert_eq!(reachable(&bits(9)), None);
    }

    #[test]
    fn a_connection_gives_its_mark_to_packets_that_follow() {
        let save = MarkChange { of: Marked::Connection, packet: u32::MAX, connection: 0, flip: 0 };
        let restore = MarkChange { of: Marked::Packet, packet: 0, connection: u32::MAX, flip: 0 };
        let set = MarkChange::within(Marked::Packet, 7, u32::MAX);
        assert_eq!(
            reachable(&BTreeSet::from([save, restore, set])),
            Some(vec![(0, 0), (0, 7), (7, 0), (7, 7)])
        );
    }

    #[test]
    fn a_routing_rule_looks_at_the_bits_of_its_mask() {
        let test = MarkTest { value: 0x10, mask: 0xf0, negated: false };
        assert!(test.fits(0x1f) && !test.fits(0x2f) && !test.fits(0));
        assert!(!MarkTest { negated: true, ..test }.fits(0x1f));
    }
}
