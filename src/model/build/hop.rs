//! Next hops: by which interface a neighbour is reached.

use super::names::visible;
use super::spec::{Destination, HopSpec, NodeSpec, RouteSpec, Stated, TableName};
use super::work::Work;
use crate::diag::{Code, Diagnostic};
use crate::header::Family;
use crate::model::{InterfaceId, NextHop, NodeId, RouteAction, VrfId};
use crate::source::{Span, Spanned};
use ipnet::IpNet;
use rustc_hash::{FxHashMap, FxHashSet};
use std::net::IpAddr;

/// Which interfaces a next hop may be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scope {
    /// Those of the main table or of a VRF.
    Vrf(Option<VrfId>),
    /// All: a dumped table says nothing about it.
    Any,
}

/// A network that the node is on.
#[derive(Debug, Clone, Copy)]
struct OnLink {
    net: IpNet,
    interface: InterfaceId,
    vrf: Option<VrfId>,
}

/// Finds the interfaces of the next hops of one node.
pub(super) struct Resolver {
    node: NodeId,
    networks: Vec<OnLink>,
    own: FxHashSet<IpAddr>,
    found: FxHashMap<(Scope, IpAddr), Option<InterfaceId>>,
}

impl Resolver {
    pub(super) fn new(work: &Work, node: NodeId) -> Resolver {
        let mut networks = Vec::new();
        for id in &work.network.node(node).interfaces {
            let interface = work.network.interface(*id);
            if interface.segment.is_none() {
                continue;
            }
            let addresses = work.interfaces.get(id.index()).map_or(&[][..], |spec| &spec.addresses);
            for net in addresses.iter().filter_map(|address| address.on_link) {
                networks.push(OnLink { net, interface: *id, vrf: interface.vrf });
            }
        }
        let own = work.network.own_addresses(node).collect();
        Resolver { node, networks, own, found: FxHashMap::default() }
    }

    /// The interface of the longest network that an address is on; of equal ones the first.
    fn on_link(&mut self, scope: Scope, via: IpAddr) -> Option<InterfaceId> {
        let networks = &self.networks;
        *self.found.entry((scope, via)).or_insert_with(|| {
            let fits = networks.iter().filter(|on| match scope {
                Scope::Vrf(vrf) => on.vrf == vrf,
                Scope::Any => true,
            });
            let around = fits.filter(|on| on.net.contains(&via));
            around.min_by_key(|on| u8::MAX - on.net.prefix_len()).map(|on| on.interface)
        })
    }

    /// An interface of the node by name, or an error.
    pub(super) fn interface(&self, work: &mut Work, name: &Spanned<String>) -> Option<InterfaceId> {
        if let Some(known) = work.interface(self.node, &name.value) {
            return Some(known);
        }
        let own = work.network.node(self.node).interfaces.iter();
        let names = own.map(|id| work.network.interface(*id).name.as_str());
        let help = work.findings.suggest(&name.value, names);
        let help = help.unwrap_or_else(|| "declare it, or dump the addresses of the node too".to_owned());
        let message = format!(
            "`{}` has no interface of the name `{}`",
            work.node_label(self.node),
            visible(&name.value)
        );
        work.findings.error(Code::UnknownName, name.span, message, &help);
        None
    }

    /// What a route with next hops does, or an error.
    pub(super) fn send(
        &mut self,
        work: &mut Work,
        route: &RouteSpec,
        hops: &[HopSpec],
    ) -> Option<RouteAction> {
        if hops.is_empty() {
            let help = "give it `via`, `blackhole: true` or `unreachable: true`";
            work.findings.error(Code::MissingKey, route.span, "the route leads nowhere", help);
            return None;
        }
        let scope = match &route.table {
            TableName::Main => Scope::Vrf(None),
            TableName::Vrf(name) => Scope::Vrf(work.vrfs.find(name).map(VrfId::at)),
            TableName::Dumped(_) => Scope::Any,
        };
        let family = match route.to.value {
            Destination::Prefix(prefix) => Some(Family::of(prefix.addr())),
            Destination::Default => hops.iter().find_map(|hop| hop.via.map(|via| Family::of(via.value))),
        };
        let mut found = Vec::with_capacity(hops.len());
        let mut all_good = true;
        for hop in hops {
            match self.hop(work, route, scope, family, hop) {
                Some(Some(next)) if !found.contains(&next) => found.push(next),
                Some(_) => {}
                None => all_good = false,
            }
        }
        if !all_good {
            return None;
        }
        // What is sent to the loopback comes back in and is nobody's: such a route throws packets away.
        Some(if found.is_empty() { RouteAction::Blackhole } else { RouteAction::Send(found) })
    }

    /// A next hop; `Some(None)` is the loopback, `None` an error.
    fn hop(
        &mut self,
        work: &mut Work,
        route: &RouteSpec,
        scope: Scope,
        family: Option<Family>,
        hop: &HopSpec,
    ) -> Option<Option<NextHop>> {
        let via = hop.via.as_ref().map(|via| via.value);
        if let Some(name) = &hop.interface {
            let interface = self.interface(work, name)?;
            if work.network.interface(interface).segment.is_some() {
                return Some(Some(NextHop { interface, via }));
            }
            if work.interfaces.get(interface.index()).is_some_and(|spec| spec.loopback) {
                return Some(None);
            }
            let message =
                format!("`{}` is a port of layer 2: no route leads out of it", work.label(interface));
            let help = "name the bridge or the sub-interface that has the address";
            work.findings.error(Code::Link, name.span, message, help);
            return None;
        }
        let Some(via) = &hop.via else {
            let help = "give it `via`";
            work.findings.error(
                Code::MissingKey,
                route.span,
                "a next hop without address and interface",
                help,
            );
            return None;
        };
        if family.is_some_and(|family| family != Family::of(via.value)) {
            let message = format!("{} is not of the family of the route's destinations", via.value);
            let help = "give next hops of the same family as `to`, and each family its own route";
            work.findings.error(Code::Address, via.span, message, help);
            return None;
        }
        let interface = self.neighbour(work, scope, via.value, via.span, None)?;
        Some(Some(NextHop { interface, via: Some(via.value) }))
    }

    /// The next hop of a node's own default route, or an error.
    pub(super) fn gateway(
        &mut self,
        work: &mut Work,
        spec: &NodeSpec,
        gateway: &Stated<IpAddr>,
    ) -> Option<NextHop> {
        let elsewhere = (!gateway.own).then_some(spec.name.span);
        let interface = self.neighbour(work, Scope::Vrf(None), gateway.value, gateway.span, elsewhere)?;
        Some(NextHop { interface, via: Some(gateway.value) })
    }

    /// The interface that a neighbour is reached by, or an error.
    fn neighbour(
        &mut self,
        work: &mut Work,
        scope: Scope,
        via: IpAddr,
        span: Span,
        inherited_by: Option<Span>,
    ) -> Option<InterfaceId> {
        let name = work.node_label(self.node);
        if self.own.contains(&via) {
            let message = format!("the next hop {via} is `{name}` itself");
            work.findings.error(Code::Address, span, message, "name the neighbour");
            return None;
        }
        if let Some(interface) = self.on_link(scope, via) {
            return Some(interface);
        }
        if let Some(interface) = self.only_link_local(work, scope, via) {
            return Some(interface);
        }
        let message = format!("the next hop {via} is not on a network of `{name}`");
        let mut missing = Diagnostic::error(Code::Address, span, message).help(self.help(work, scope, via));
        if let Some(node) = inherited_by {
            missing = missing.also(node, "the node that inherits it");
        }
        work.findings.push(missing);
        None
    }

    /// A link-local neighbour of a node that has one segment only: the interface is clear without its name.
    fn only_link_local(&self, work: &Work, scope: Scope, via: IpAddr) -> Option<InterfaceId> {
        let is_link_local = matches!(via, IpAddr::V6(address) if address.is_unicast_link_local());
        let candidates = work.network.node(self.node).interfaces.iter().copied().filter(|id| {
            let interface = work.network.interface(*id);
            interface.segment.is_some() && (scope == Scope::Any || scope == Scope::Vrf(interface.vrf))
        });
        let mut candidates = candidates.filter(|_| is_link_local);
        let first = candidates.next();
        first.filter(|_| candidates.next().is_none())
    }

    fn help(&mut self, work: &Work, scope: Scope, via: IpAddr) -> String {
        if let Some(other) = self.on_link(Scope::Any, via) {
            return match work.network.interface(other).vrf {
                Some(vrf) => {
                    format!("it is in a VRF: add `vrf: {}`", visible(&work.network.vrfs[vrf.index()].name))
                }
                None => format!(
                    "it is on the network of `{}`, in the main table: remove `vrf`",
                    work.label(other)
                ),
            };
        }
        let fits = self.networks.iter().filter(|on| scope == Scope::Any || scope == Scope::Vrf(on.vrf));
        let same = fits.filter(|on| Family::of(on.net.addr()) == Family::of(via));
        let mut listed: Vec<String> = same.take(5).map(|on| on.net.to_string()).collect();
        listed.dedup();
        match listed.is_empty() {
            true => format!("give an interface an {} address first", Family::of(via)),
            false => format!("a neighbour is in {}", listed.join(" or ")),
        }
    }
}
