//! Facts that `sysctl -a` settles.

use super::{EVERY_STAGE, Lowering};
use crate::header::Family;
use crate::input::dump::{Doubt, RpFilter, Setting, SysctlDump};
use crate::model::build::{
    Destination, InterfaceSpec, NodeSpec, RouteActionSpec, RouteSpec, SourceCheck, TableName,
};
use crate::model::{LedgerEntry, Stage};
use crate::source::Spanned;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

impl Lowering<'_> {
    /// Takes the facts from the dump of settings, if there is one.
    pub(super) fn facts(&mut self, node: &mut NodeSpec) {
        let dump = self.dump;
        let Some(sysctl) = dump.sysctl.read() else { return };
        for interface in &mut node.interfaces {
            interface_facts(sysctl, interface);
        }
        // Nobody cares whether a family is forwarded that does not run.
        let ipv6_runs = self.ipv6_runs(node);
        for family in Family::ALL.into_iter().filter(|family| *family == Family::V4 || ipv6_runs) {
            node.dumped.forwarding[family as usize] = match sysctl.forwarding(family) {
                Setting::On(span) => Some(Spanned::new(true, span)),
                Setting::Off(span) => Some(Spanned::new(false, span)),
                Setting::Mixed(span) => {
                    let doubt = Doubt::about(format!("which interfaces forward {family}"), span)
                        .settled_by("the same value for all interfaces");
                    self.doubt_packets(node, &doubt, Some(family), &[Stage::Forward]);
                    Some(Spanned::new(true, span))
                }
                Setting::Unsaid => None,
            };
        }
        node.dumped.source_routing = on_or_off(sysctl.source_routing());
        node.dumped.multicast_forwarding = on_or_off(sysctl.multicast_forwarding());
        self.own_sources(node, sysctl);
        self.learned_routes(node, sysctl);
        self.unread(sysctl);
    }

    /// A device that takes packets from its own addresses does more than the walk knows of.
    fn own_sources(&mut self, node: &mut NodeSpec, sysctl: &SysctlDump) {
        let taken = node.interfaces.iter().find_map(|own| match sysctl.accept_local(&own.name.value) {
            Setting::On(span) | Setting::Mixed(span) => Some((own.name.value.clone(), span)),
            Setting::Off(_) | Setting::Unsaid => None,
        });
        let Some((name, span)) = taken else { return };
        let doubt =
            Doubt::havoc(format!("what `{name}` makes of packets from the node's own addresses"), span)
                .settled_by("`accept_local = 0`");
        self.doubt_packets(node, &doubt, Some(Family::V4), &EVERY_STAGE);
    }

    /// Routes that neighbours may add: redirects, router advertisements.
    fn learned_routes(&mut self, node: &mut NodeSpec, sysctl: &SysctlDump) {
        for family in Family::ALL {
            let off = |interface: &&InterfaceSpec| {
                let ipv6 = interface.dumped.ipv6.or(interface.ipv6);
                interface.loopback || (family == Family::V6 && ipv6.is_some_and(|runs| !runs.value))
            };
            let interfaces = node.interfaces.iter().filter(|interface| !off(interface));
            let mut settings = interfaces.map(|own| sysctl.learns_routes(family, &own.name.value));
            let learns = settings.find_map(|setting| match setting {
                Setting::On(span) | Setting::Mixed(span) => Some(span),
                Setting::Off(_) | Setting::Unsaid => None,
            });
            let Some(span) = learns else { continue };
            // A table that no rule looks into: it only says that there may be more.
            let doubt =
                Doubt::about(format!("which {family} routes the neighbours of the node announce"), span);
            let unknown = self.unknown(&doubt);
            let everything = match family {
                Family::V4 => IpNet::V4(Ipv4Net::default()),
                Family::V6 => IpNet::V6(Ipv6Net::default()),
            };
            let to = Spanned::new(Destination::Prefix(everything), span);
            let mut route = RouteSpec::new(span, to, RouteActionSpec::Blackhole);
            route.table = TableName::Dumped("learned".to_owned());
            route.unknown = Some(unknown);
            route.dynamic = true;
            node.routes.push(route);
        }
    }

    fn unread(&mut self, sysctl: &SysctlDump) {
        let Some(first) = sysctl.unread.first() else { return };
        let text = match sysctl.unread.len() - 1 {
            0 => format!("not considered: what the setting `{}` does", first.value),
            more => {
                format!("not considered: what `{}` and {more} more settings of the network do", first.value)
            }
        };
        self.builder.add_ledger(LedgerEntry { text, span: Some(first.span) });
    }

    /// Whether IPv6 may run on any interface of the node.
    pub(super) fn ipv6_runs(&self, node: &NodeSpec) -> bool {
        let is_off = |interface: &InterfaceSpec| {
            let has_address = interface.addresses.iter().any(|a| Family::of(a.net.addr()) == Family::V6);
            let inherited = node.ipv6.map(|said| said.value);
            let said = interface.dumped.ipv6.or(interface.ipv6).map(|said| said.value).or(inherited);
            !has_address && said == Some(false)
        };
        node.interfaces.iter().filter(|interface| !interface.loopback).any(|interface| !is_off(interface))
    }
}

fn on_or_off(setting: Setting) -> Option<Spanned<bool>> {
    match setting {
        Setting::On(span) | Setting::Mixed(span) => Some(Spanned::new(true, span)),
        Setting::Off(span) => Some(Spanned::new(false, span)),
        Setting::Unsaid => None,
    }
}

fn interface_facts(sysctl: &SysctlDump, interface: &mut InterfaceSpec) {
    let name = &interface.name.value;
    let check = sysctl.rp_filter(name).map(|filter| {
        filter.map(|filter| match filter {
            RpFilter::Off => SourceCheck::Off,
            RpFilter::Strict => SourceCheck::Strict,
            RpFilter::Loose => SourceCheck::Loose,
        })
    });
    interface.dumped.antispoof[Family::V4 as usize] = check;
    interface.dumped.ipv6 = sysctl.ipv6_disabled(name).map(|disabled| disabled.map(|disabled| !disabled));
    // Linux has no such check of IPv6. Where IPv6 does not run there is nothing to contradict.
    let runs = interface.dumped.ipv6.is_none_or(|runs| runs.value);
    interface.dumped.antispoof[Family::V6 as usize] =
        check.filter(|_| runs).map(|check| check.map(|_| SourceCheck::Off));
}
