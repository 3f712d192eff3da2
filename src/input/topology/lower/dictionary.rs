//! What the names in policies stand for.

use super::config::Configs;
use super::policy::Use;
use crate::header::AddressRange;
use crate::input::policy::Names;
use crate::input::topology::merge::Merged;
use crate::input::topology::settle::Settled;
use crate::input::topology::syntax::Interface;
use crate::input::topology::variant::Ipv6;
use crate::model::{Unknown, UnknownId, VrfId, ZoneId};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// The names of a description that policies may use.
pub(super) struct Words<'m, 't> {
    pub(super) nodes: &'m [Settled<'m, 't>],
    zones: Vec<&'t str>,
    vrfs: Vec<&'t str>,
    zone_ids: HashMap<&'t str, ZoneId>,
    vrf_ids: HashMap<&'t str, VrfId>,
    /// What has a label, by key and value.
    labels: BTreeMap<(&'t str, &'t str), Vec<Labelled<'m, 't>>>,
    configs: &'m Configs,
}

/// What has a label.
#[derive(Clone, Copy)]
enum Labelled<'m, 't> {
    /// The node at this position.
    Node(usize),
    /// An interface of the node at this position.
    Interface(usize, &'m Interface<'t>),
}

impl Labelled<'_, '_> {
    fn node(self) -> usize {
        match self {
            Labelled::Node(node) | Labelled::Interface(node, _) => node,
        }
    }
}

impl<'m, 't> Words<'m, 't> {
    pub(super) fn new(
        merged: &'m Merged<'t>,
        nodes: &'m [Settled<'m, 't>],
        configs: &'m Configs,
    ) -> Words<'m, 't> {
        let zones: Vec<&str> = merged.zones.iter().map(|entry| entry.name.value).collect();
        let vrfs: Vec<&str> = merged.vrfs.iter().map(|entry| entry.name.value).collect();
        let mut labels: BTreeMap<_, Vec<Labelled<'m, 't>>> = BTreeMap::new();
        for (position, node) in nodes.iter().enumerate() {
            for (key, value) in node.labels() {
                labels.entry((key.value, value.value)).or_default().push(Labelled::Node(position));
            }
            let interfaces = node.node.interfaces.iter().flat_map(|map| &map.entries);
            for interface in interfaces.filter_map(|named| named.value.as_ref()) {
                for (key, value) in interface.labels.iter().flat_map(|labels| &labels.0) {
                    let labelled = Labelled::Interface(position, interface);
                    labels.entry((key.value, value.value)).or_default().push(labelled);
                }
            }
        }
        Words {
            nodes,
            zone_ids: zones.iter().enumerate().map(|(n, name)| (*name, ZoneId::at(n))).collect(),
            vrf_ids: vrfs.iter().enumerate().map(|(n, name)| (*name, VrfId::at(n))).collect(),
            zones,
            vrfs,
            labels,
            configs,
        }
    }

    /// The addresses of what has a label, as far as they are described or, for a node, dumped.
    fn addresses(&self, labelled: Labelled<'_, '_>) -> Vec<AddressRange> {
        let addresses: Vec<IpAddr> = match labelled {
            Labelled::Interface(_, interface) => addresses(interface),
            Labelled::Node(node) => {
                let interfaces = self.nodes[node].node.interfaces.iter().flat_map(|map| &map.entries);
                let described = interfaces.filter_map(|named| named.value.as_ref()).flat_map(addresses);
                described.chain(self.configs.addresses(node)).collect()
            }
        };
        addresses.into_iter().map(AddressRange::single).collect()
    }
}

fn addresses(interface: &Interface<'_>) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> =
        interface.ipv4.iter().flat_map(|many| &many.items).map(|net| net.0.value.addr()).collect();
    if let Some(Ipv6::Addresses(many)) = &interface.ipv6 {
        found.extend(many.items.iter().map(|net| net.0.value.addr()));
    }
    found
}

/// The names for the policies of one file.
pub(super) struct FileNames<'x, 'm, 't> {
    words: &'x Words<'m, 't>,
    /// The nodes that a policy binds, by its name.
    users: HashMap<&'x str, Vec<usize>>,
    unknowns: &'x mut Vec<Unknown>,
}

impl<'x, 'm, 't> FileNames<'x, 'm, 't> {
    pub(super) fn new(
        words: &'x Words<'m, 't>,
        uses: &'x [Use],
        unknowns: &'x mut Vec<Unknown>,
    ) -> FileNames<'x, 'm, 't> {
        let mut users: HashMap<&str, Vec<usize>> = HashMap::new();
        uses.iter().for_each(|one| users.entry(&one.policy).or_default().push(one.node));
        FileNames { words, users, unknowns }
    }

    fn user_interfaces(&self, policy: &str) -> impl Iterator<Item = &'t str> {
        let users = self.users.get(policy).into_iter().flatten();
        let maps = users.filter_map(|node| self.words.nodes[*node].node.interfaces.as_ref());
        maps.flat_map(|map| map.entries.iter().map(|named| named.name.value))
    }
}

impl Names for FileNames<'_, '_, '_> {
    fn zone(&self, name: &str) -> Option<ZoneId> {
        self.words.zone_ids.get(name).copied()
    }

    fn zone_names(&self) -> Vec<&str> {
        self.words.zones.clone()
    }

    fn vrf(&self, name: &str) -> Option<VrfId> {
        self.words.vrf_ids.get(name).copied()
    }

    fn vrf_names(&self) -> Vec<&str> {
        self.words.vrfs.clone()
    }

    fn has_interface(&self, policy: &str, name: &str) -> bool {
        let users = self.users.get(policy);
        let from_dump = |node: &usize| self.words.nodes[*node].node.config.is_some();
        users.is_none_or(|users| users.iter().any(from_dump))
            || self.user_interfaces(policy).any(|known| known == name)
    }

    fn interface_names(&self, policy: &str) -> Vec<&str> {
        self.user_interfaces(policy).collect()
    }

    fn labelled(&self, key: &str, value: &str) -> Option<Vec<AddressRange>> {
        let labelled = self.words.labels.get(&(key, value))?;
        Some(labelled.iter().flat_map(|one| self.words.addresses(*one)).collect())
    }

    fn label_is_open(&self, key: &str, value: &str) -> bool {
        let labelled = self.words.labels.get(&(key, value)).into_iter().flatten();
        let dumped = |one: &Labelled<'_, '_>| self.words.nodes[one.node()].node.config.as_ref();
        labelled.filter_map(dumped).any(|config| config.addresses.is_some())
    }

    fn label_names(&self) -> Vec<String> {
        self.words.labels.keys().map(|(key, value)| format!("{key}={value}")).collect()
    }

    fn unknown(&mut self, unknown: Unknown) -> UnknownId {
        self.unknowns.push(unknown);
        UnknownId::at(self.unknowns.len() - 1)
    }
}
