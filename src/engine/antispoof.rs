//! Which sources an interface takes: what anti-spoofing is declared or dumped for it (SEMANTICS.md section 2.3).

use super::compiled::View;
use crate::header::Family;
use crate::model::{Antispoof, InterfaceId, Reading};
use crate::set::{Set, Side};

/// fe80::/10 (RFC 4291 section 2.5.6).
pub(super) const LINK_LOCAL_V6: ipnet::IpNet =
    ipnet::IpNet::V6(ipnet::Ipv6Net::new_assert(std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10));

impl View<'_> {
    /// Packets whose source an interface takes (SEMANTICS.md section 2.3).
    pub(super) fn plausible_sources(&mut self, interface: InterfaceId) -> Set {
        // The way to an own address is the node itself, which no other sender is.
        let node = self.compiled.network.interface(interface).node;
        self.plausible_sources_less(interface, self.compiled.nodes[node.index()].from_own)
    }

    /// Packets whose source an interface takes, if some are known to come from the node itself.
    pub(super) fn plausible_sources_less(&mut self, interface: InterfaceId, own: Set) -> Set {
        let spec = self.compiled.network.interface(interface);
        if spec.antispoof == [Antispoof::Off; 2] {
            return Set::FULL;
        }
        if let Some(known) = self.tables.plausible.get(&(interface, own)) {
            return *known;
        }
        let mut sets = Vec::new();
        for family in Family::ALL {
            let all = self.compiled.common.families[family as usize];
            let taken = match (spec.antispoof[family as usize], self.reading) {
                (Antispoof::Off, _) | (Antispoof::Undeclared(_), Reading::May) => all,
                (Antispoof::Strict, _) | (Antispoof::Undeclared(_), Reading::Must) => {
                    self.routed_back(interface, true, own)
                }
                (Antispoof::Loose, _) => self.routed_back(interface, false, own),
            };
            sets.push(self.space.intersect(all, taken));
        }
        let link_local = self.space.prefix(Side::Src, LINK_LOCAL_V6);
        sets.push(link_local);
        let all = self.space.union_all(&sets);
        self.tables.plausible.insert((interface, own), all);
        all
    }

    /// Packets whose answer would be sent, by this interface or by any.
    fn routed_back(&mut self, interface: InterfaceId, only_here: bool, own: Set) -> Set {
        let node = self.compiled.network.interface(interface).node;
        let fib = self.fib(node, Some(interface));
        let ways = fib.sends.iter().filter(|(hop, _)| !only_here || hop.interface == interface);
        let sets: Vec<Set> = ways.map(|(_, set)| *set).collect();
        let answers = self.space.union_all(&sets);
        let senders = self.space.mirror(answers);
        self.space.minus(senders, own)
    }
}
