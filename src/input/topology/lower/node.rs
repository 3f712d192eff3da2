//! A node with what its group and the defaults say.

use super::policy::Bound;
use super::{owned, owned_name, texts};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::input::decode::Named;
use crate::input::topology::scalar::{PlainAddress, Target};
use crate::input::topology::settle::{Origin, Said, Settled};
use crate::input::topology::syntax::{AntispoofWord, Interface, Route, Switch};
use crate::input::topology::variant::{Ipv6, TagList};
use crate::model::build::{
    AddressSpec, Destination, HopSpec, InterfaceSpec, NodeSpec, RouteActionSpec, RouteSpec, SourceCheck,
    Stated, TableName, TrunkSpec,
};
use crate::source::Spanned;

/// A node, bound to its filters.
pub(crate) fn node(settled: &Settled<'_, '_>, bound: Bound, out: &mut Diagnostics) -> NodeSpec {
    let mut node = NodeSpec::new(owned(settled.name));
    node.role = owned_name(settled.role().map(|said| *said.value));
    node.kind = owned_name(settled.kind().map(|said| *said.value));
    node.site = owned_name(settled.site().map(|said| *said.value));
    node.labels = texts(&settled.labels());
    node.forwarding = settled.forwarding().map(switch);
    node.ipv6 = settled.ipv6().map(switch);
    if let Some(gateway) = settled.gateway() {
        let own = gateway.origin == Origin::Own;
        let stated = |address: &Spanned<_>| Stated { value: address.value, span: address.span, own };
        node.gateway = gateway.value.items.iter().map(|address| stated(&address.0)).collect();
    }
    let routes = settled.routes();
    let routes = routes.iter().flat_map(|said| &said.value.items);
    node.routes = routes.filter_map(|one| route(one, out)).collect();
    let interfaces = settled.node.interfaces.iter().flat_map(|map| &map.entries);
    node.interfaces = interfaces.map(|named| interface(settled, named)).collect();
    for (spec, (ingress, egress)) in node.interfaces.iter_mut().zip(bound.interfaces) {
        (spec.ingress, spec.egress) = (ingress, egress);
    }
    (node.input, node.forward, node.output) = (bound.input, bound.forward, bound.output);
    node.translating = bound.translating;
    node
}

fn stated<T, U>(said: Said<'_, Spanned<T>>, value: U) -> Stated<U> {
    Stated { value, span: said.value.span, own: said.origin == Origin::Own }
}

fn switch(said: Said<'_, Spanned<Switch>>) -> Stated<bool> {
    stated(said, said.value.value == Switch::On)
}

fn interface(settled: &Settled<'_, '_>, named: &Named<'_, Interface<'_>>) -> InterfaceSpec {
    let mut spec = InterfaceSpec::new(owned(named.name));
    let value = named.value.as_ref();
    spec.antispoof = settled.antispoof(value).map(|said| {
        let check = match said.value.value {
            AntispoofWord::Strict => SourceCheck::Strict,
            AntispoofWord::Loose => SourceCheck::Loose,
            AntispoofWord::Off => SourceCheck::Off,
        };
        stated(said, check)
    });
    let Some(value) = value else { return spec };
    let address = |net: Spanned<ipnet::IpNet>| AddressSpec::new(net.value, net.span);
    spec.addresses.extend(value.ipv4.iter().flat_map(|many| &many.items).map(|net| address(net.0)));
    match &value.ipv6 {
        Some(Ipv6::Off(span)) => spec.ipv6 = Some(Spanned::new(false, *span)),
        Some(Ipv6::Addresses(many)) => spec.addresses.extend(many.items.iter().map(|net| address(net.0))),
        None => {}
    }
    spec.labels = value.labels.as_ref().map_or(Vec::new(), |labels| texts(&labels.0));
    spec.zone = owned_name(value.zone);
    spec.vrf = owned_name(value.vrf);
    spec.vlan = owned_name(value.vlan);
    spec.access = owned_name(value.access);
    spec.native = owned_name(value.native);
    spec.trunk = value.trunk.as_ref().map(|trunk| match trunk {
        TagList::Auto(span) => TrunkSpec::Auto(*span),
        TagList::Names(names) => TrunkSpec::Vlans(names.items.iter().map(|name| owned(name.0)).collect()),
    });
    spec
}

/// A route that says exactly one thing; whatever else is reported.
fn route(route: &Route<'_>, out: &mut Diagnostics) -> Option<RouteSpec> {
    let action = route_action(route, out);
    let to = route.to?.map(|target| match target {
        Target::Default => Destination::Default,
        Target::Prefix(net) => Destination::Prefix(net),
    });
    let mut spec = RouteSpec::new(route.node.span(), to, action?);
    if let Some(vrf) = route.vrf {
        spec.table = TableName::Vrf(vrf.0.value.to_owned());
        spec.table_span = Some(vrf.0.span);
    }
    Some(spec)
}

fn route_action(route: &Route<'_>, out: &mut Diagnostics) -> Option<RouteActionSpec> {
    let mut error = |code, span, message: String, help: &str| {
        out.push(Diagnostic::error(code, span, message).help(help));
    };
    let flags = [("blackhole", route.blackhole), ("unreachable", route.unreachable)];
    for (key, flag) in flags.into_iter().filter_map(|(key, flag)| Some((key, flag?))) {
        if !flag.0.value {
            error(Code::BadValue, flag.0.span, format!("`{key}: false` says nothing"), "leave it out");
        }
    }
    let via = route.via.as_ref().map(|via| ("via", via.node.span()));
    let flags = flags.into_iter().filter_map(|(key, flag)| Some((key, flag?.0.span)));
    let given: Vec<_> = via.into_iter().chain(flags).collect();
    match given[..] {
        [_] => {}
        [] if route.broken => return None,
        [] => {
            let help = "give it a `via`, or say `blackhole: true` or `unreachable: true`";
            error(Code::MissingKey, route.node.span(), "a route must say what it does".to_owned(), help);
            return None;
        }
        [(first, _), (second, span), ..] => {
            let message = format!("a route cannot have both `{first}` and `{second}`");
            error(Code::Conflict, span, message, "keep one of them");
            return None;
        }
    }
    match &route.via {
        Some(via) if via.items.is_empty() => {
            if via.node.sequence().is_some_and(|items| items.len() == 0) {
                let help = "name the next hop, or say `blackhole: true`";
                error(Code::BadValue, via.node.span(), "no next hop".to_owned(), help);
            }
            None
        }
        Some(via) => {
            let hop = |address: &PlainAddress| HopSpec { via: Some(address.0), interface: None };
            Some(RouteActionSpec::Send(via.items.iter().map(hop).collect()))
        }
        None if route.blackhole.is_some() => Some(RouteActionSpec::Blackhole),
        None => Some(RouteActionSpec::Unreachable),
    }
}
