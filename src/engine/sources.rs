//! Which sources an interface takes (SEMANTICS.md section 2.3).

use super::inject::LINK_LOCAL_V6;
use super::routes::fib_class;
use super::run::Run;
use super::view::View;
use crate::header::{AddressRange, Family};
use crate::model::{Antispoof, InterfaceId, Kind, Reading};
use crate::set::{Set, Side};
use std::net::Ipv4Addr;

impl Run<'_, '_> {
    /// Takes out what the kernel or the anti-spoofing of the interface drops.
    pub(super) fn check_sources(&mut self, view: &mut View<'_>, receiver: InterfaceId, packets: Set) -> Set {
        let plausible = view.plausible_sources(receiver);
        let packets = view.space.intersect(packets, plausible);
        let node = self.network.interface(receiver).node;
        let common = &view.compiled.common;
        let dropped = match (self.query.reading, &self.network.node(node).kind) {
            (Reading::May, Kind::Linux) => common.never_taken,
            (Reading::May, Kind::Unknown(_)) => Set::EMPTY,
            (Reading::Must, _) => {
                let facts = &view.compiled.nodes[node.index()];
                let own = view.space.union(facts.from_own, facts.from_broadcast);
                let odd = view.space.union(common.martians, own);
                if facts.tracks { view.space.union(odd, common.fragments) } else { odd }
            }
        };
        view.space.minus(packets, dropped)
    }
}

impl View<'_> {
    /// Packets whose source an interface takes.
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
        let mut answers = if self.reading == Reading::May { Set::EMPTY } else { Set::FULL };
        for asks in self.asking(interface) {
            // Without its mark, unless `src_valid_mark` says otherwise (`fib_validate_source`).
            let fib = self.fib(node, asks, 0);
            let ways = fib.sends.iter().filter(|(hop, _)| !only_here || hop.interface == interface);
            let sets: Vec<Set> = ways.map(|(_, set)| *set).collect();
            let sent = self.space.union_all(&sets);
            answers = match self.reading {
                Reading::May => self.space.union(answers, sent),
                Reading::Must => self.space.intersect(answers, sent),
            };
        }
        let mut senders = self.space.mirror(answers);
        let rules = &self.compiled.network.node(node).lookup;
        if self.reading == Reading::May && rules.iter().any(|rule| rule.from.is_some()) {
            // For a group the way back is looked up as from no address (`ip_route_input_slow`).
            let nobody = AddressRange::single(Ipv4Addr::UNSPECIFIED.into());
            let nobody = self.space.addresses(Side::Src, &[nobody]);
            let from_nobody = self.space.intersect(answers, nobody);
            let back = self.space.mirror(from_nobody);
            let sources = self.space.project_src(back);
            let group = self.compiled.group_at(interface);
            let to_groups = self.space.intersect(sources, group);
            senders = self.space.union(senders, to_groups);
        }
        let senders = self.space.minus(senders, own);
        // The way to an own broadcast address is for no single one (`__fib_validate_source` of Linux takes nothing but
        // unicast).
        let facts = &self.compiled.nodes[node.index()];
        match self.compiled.network.node(node).kind {
            Kind::Linux => self.space.minus(senders, facts.from_broadcast),
            Kind::Unknown(_) => senders,
        }
    }

    /// As coming in on which interfaces Linux may look up the way back: on the one that the packet leaves by, or on none if
    /// the node takes it (`fib_validate_source`); within the VRF of the interface. One of each class of them.
    fn asking(&self, interface: InterfaceId) -> Vec<Option<InterfaceId>> {
        let network = self.compiled.network;
        let spec = network.interface(interface);
        let node = network.node(spec.node);
        if node.lookup.iter().all(|rule| rule.incoming.is_none()) {
            return vec![Some(interface)];
        }
        let may = self.reading == Reading::May;
        let mut all: Vec<Option<InterfaceId>> = node
            .interfaces
            .iter()
            .copied()
            .filter(|id| may || network.interface(*id).vrf == spec.vrf)
            .map(Some)
            .collect();
        all.extend((may || spec.vrf.is_none()).then_some(None));
        let mut seen = Vec::new();
        all.retain(|asks| {
            let class = fib_class(network, spec.node, *asks, 0);
            let is_new = !seen.contains(&class);
            seen.push(class);
            is_new
        });
        all
    }
}
