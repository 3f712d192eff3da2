//! The files of a device itself, which `config` names: read once each, in parallel, and handed to the node.

use super::load;
use crate::diag::Diagnostics;
use crate::header::Family;
use crate::input::dump::lower::{Beside, apply};
use crate::input::dump::{DeviceDump, Given, addr, ipset, iptables, nft, route, rule, sysctl};
use crate::input::topology::include::relative_to;
use crate::input::topology::merge::Merged;
use crate::input::topology::scalar::End;
use crate::input::topology::settle::Settled;
use crate::input::topology::syntax::{Config, ConfigFile};
use crate::model::build::{NetworkBuilder, NodeSpec};
use crate::source::{Loader, Source, SourceId, SourceMap, Span};
use rayon::prelude::*;
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;

/// The word that declares a file empty.
const NONE: &str = "none";

/// The files of every node that has some.
#[derive(Debug, Default)]
pub(crate) struct Configs {
    /// By the position of the node.
    dumps: Vec<Option<DeviceDump>>,
}

/// What a key of `config` says.
type Named = Given<SourceId>;

impl Configs {
    /// Reads every file that is named.
    pub(crate) fn read(
        merged: &Merged<'_>,
        nodes: &[Settled<'_, '_>],
        sources: &mut SourceMap,
        loader: &Loader,
        out: &mut Diagnostics,
    ) -> Configs {
        let mut known: HashMap<PathBuf, Option<SourceId>> = HashMap::new();
        let mut find = |file: &Option<ConfigFile<'_>>| {
            let Some(path) = file else { return Named::Absent };
            if path.0.value == NONE {
                return Named::Empty(path.0.span);
            }
            let full = relative_to(merged.path(path.0.span), path.0.value);
            let source = known.entry(full);
            let source = source.or_insert_with_key(|full| load(full, path.0.span, sources, loader, out));
            source.map_or(Named::Absent, Named::Read)
        };
        let named: Vec<Option<[Named; 10]>> =
            nodes.iter().map(|node| Some(files(node.node.config.as_ref()?).map(&mut find))).collect();
        let sources = &*sources;
        let read: Vec<(Option<DeviceDump>, Diagnostics)> = named
            .into_par_iter()
            .map(|named| {
                let mut own = Diagnostics::default();
                let dump = named.map(|named| dump(named, sources, &mut own));
                (dump, own)
            })
            .collect();
        let mut dumps = Vec::with_capacity(read.len());
        for (dump, own) in read {
            dumps.push(dump);
            out.append(own);
        }
        Configs { dumps }
    }

    /// The addresses that the files of a node show.
    pub(super) fn addresses(&self, position: usize) -> impl Iterator<Item = IpAddr> + '_ {
        let dump = self.dumps.get(position).and_then(Option::as_ref);
        let links = dump.and_then(|dump| dump.addresses.read()).into_iter().flat_map(|shown| &shown.links);
        links.flat_map(|link| link.addresses.iter().map(|address| address.net.addr()))
    }

    /// Adds what the files of a node say to what the description says of it.
    pub(crate) fn apply(
        &self,
        position: usize,
        settled: &Settled<'_, '_>,
        merged: &Merged<'_>,
        node: &mut NodeSpec,
        builder: &mut NetworkBuilder,
        out: &mut Diagnostics,
    ) {
        let (Some(Some(dump)), Some(config)) = (self.dumps.get(position), &settled.node.config) else {
            return;
        };
        let ends = merged.tunnels.iter().filter_map(|entry| entry.value.as_ref());
        let ends = ends.flat_map(|tunnel| &tunnel.endpoints).flat_map(|list| &list.items);
        let tunnels: Vec<&str> = ends
            .filter_map(|end| match end.value {
                End::Interface { node, interface } if node.value == settled.name.value => {
                    Some(interface.value)
                }
                End::Interface { .. } | End::Internet => None,
            })
            .collect();
        let beside = Beside { config: config.node.span(), policy: policy(settled), tunnels: &tunnels };
        apply(dump, node, beside, builder, out);
    }
}

/// The files in the order of [`dump`].
fn files<'c, 't>(config: &'c Config<'t>) -> [&'c Option<ConfigFile<'t>>; 10] {
    let Config { iptables, ip6tables, ipset, nftables, .. } = config;
    let Config { addresses, routes, routes6, rules, rules6, sysctl, .. } = config;
    [iptables, ip6tables, ipset, nftables, addresses, routes, routes6, rules, rules6, sysctl]
}

fn dump(named: [Named; 10], sources: &SourceMap, out: &mut Diagnostics) -> DeviceDump {
    let [iptables, ip6tables, sets, nftables, addresses, routes, routes6, rules, rules6, settings] = named;
    let (v4, v6) = (Family::V4, Family::V6);
    let mut read = Reader { sources, out };
    let sets = read.maybe(sets, ipset::parse);
    DeviceDump {
        iptables: read.maybe(iptables, |source, id, out| iptables::parse(source, id, v4, &sets, out)),
        ip6tables: read.maybe(ip6tables, |source, id, out| iptables::parse(source, id, v6, &sets, out)),
        ipset: sets,
        nftables: read.file(nftables, nft::parse),
        addresses: read.file(addresses, addr::parse),
        routes: read.file(routes, |source, id, out| route::parse(source, id, v4, out)),
        routes6: read.file(routes6, |source, id, out| route::parse(source, id, v6, out)),
        rules: read.file(rules, |source, id, out| rule::parse(source, id, v4, out)),
        rules6: read.file(rules6, |source, id, out| rule::parse(source, id, v6, out)),
        sysctl: read.file(settings, sysctl::parse),
    }
}

struct Reader<'a> {
    sources: &'a SourceMap,
    out: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn file<T>(
        &mut self,
        named: Named,
        parse: impl FnOnce(&Source, SourceId, &mut Diagnostics) -> T,
    ) -> Given<T> {
        self.maybe(named, |source, id, out| Some(parse(source, id, out)))
    }

    fn maybe<T>(
        &mut self,
        named: Named,
        parse: impl FnOnce(&Source, SourceId, &mut Diagnostics) -> Option<T>,
    ) -> Given<T> {
        match named {
            Given::Absent => Given::Absent,
            Given::Empty(span) => Given::Empty(span),
            Given::Read(id) => parse(self.sources.get(id), id, self.out).map_or(Given::Absent, Given::Read),
        }
    }
}

/// Where a node names a policy, for itself or for an interface.
fn policy(settled: &Settled<'_, '_>) -> Option<Span> {
    let interfaces = settled.node.interfaces.iter().flat_map(|map| &map.entries);
    let of_interface = interfaces.filter_map(|named| named.value.as_ref()).find_map(|interface| {
        (interface.policy_in.is_some() || interface.policy_out.is_some()).then(|| interface.node.span())
    });
    let own = settled.policy().map(|_| settled.name.span);
    own.or(of_interface)
}
