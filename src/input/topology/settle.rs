//! What holds of a node once its group and the defaults are taken in. A node's own word wins over its group's,
//! and that over the defaults'.

use super::merge::Merged;
use super::scalar::PlainAddress;
use super::syntax::{AntispoofWord, Interface, Node, Profile, Route, Switch};
use super::variant::{Labels, PolicyPlace};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::input::decode::{List, Many, Name, Named};
use crate::source::Spanned;
use std::collections::HashMap;

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// The node itself.
    Own,
    /// Its group.
    Group,
    /// The defaults.
    Defaults,
}

/// A value with who says it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'m, T> {
    pub(crate) value: &'m T,
    pub(crate) origin: Origin,
}

/// A node with its group and the defaults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settled<'m, 't> {
    pub(crate) name: Spanned<&'t str>,
    pub(crate) node: &'m Node<'t>,
    group: Option<&'m Profile<'t>>,
    defaults: Option<&'m Profile<'t>>,
}

/// All nodes, settled. Groups that nobody declares are reported.
pub(crate) fn settle<'m, 't>(merged: &'m Merged<'t>, out: &mut Diagnostics) -> Vec<Settled<'m, 't>> {
    let groups: HashMap<&str, &Named<'t, Profile<'t>>> =
        merged.groups.iter().map(|group| (group.name.value, group)).collect();
    let mut settled = Vec::with_capacity(merged.nodes.len());
    for named in &merged.nodes {
        let Some(node) = &named.value else { continue };
        let group = node.group.as_ref().and_then(|Name(name)| {
            let group = groups.get(name.value).copied();
            if group.is_none() && !merged.broken {
                let names = merged.groups.iter().map(|group| group.name.value);
                let message = format!("the group `{}` is not declared", name.value);
                let help = out.suggest(name.value, names).or(Some("declare it under `groups`".to_owned()));
                out.push(Diagnostic::error(Code::UnknownName, name.span, message).maybe_help(help));
            }
            group
        });
        let group = group.and_then(|group| group.value.as_ref());
        settled.push(Settled { name: named.name, node, group, defaults: merged.defaults.as_ref() });
    }
    settled
}

/// Reads the methods of one key each off a list, so that no key is settled in a way of its own.
macro_rules! settled {
    ($($(#[$doc:meta])* $key:ident: $ty:ty;)*) => {
        impl<'m, 't> Settled<'m, 't> {
            $($(#[$doc])* pub(crate) fn $key(&self) -> Option<Said<'m, $ty>> {
                let own = self.node.$key.as_ref().map(|value| Said { value, origin: Origin::Own });
                own.or_else(|| self.shared(|profile| profile.$key.as_ref()))
            })*
        }
    };
}

settled! {
    /// The function.
    role: Name<'t>;
    /// Where it stands.
    site: Name<'t>;
    /// The operating system.
    kind: Name<'t>;
    /// Its policy.
    policy: PolicyPlace<'t>;
    /// Its static routes.
    routes: List<'t, Route<'t>>;
    /// Its default next hops.
    gateway: Many<'t, PlainAddress>;
    /// Whether it forwards.
    forwarding: Spanned<Switch>;
    /// Whether IPv6 runs on interfaces without a declared address.
    ipv6: Spanned<Switch>;
}

impl<'m, 't> Settled<'m, 't> {
    fn shared<T>(&self, get: impl Fn(&'m Profile<'t>) -> Option<&'m T>) -> Option<Said<'m, T>> {
        let said = |profile: Option<&'m Profile<'t>>, origin| {
            profile.and_then(&get).map(|value| Said { value, origin })
        };
        said(self.group, Origin::Group).or_else(|| said(self.defaults, Origin::Defaults))
    }

    /// What an interface does with strange sources; `None` asks for one that only a dump shows.
    pub(crate) fn antispoof(
        &self,
        interface: Option<&'m Interface<'t>>,
    ) -> Option<Said<'m, Spanned<AntispoofWord>>> {
        let own = interface.and_then(|interface| interface.antispoof.as_ref());
        own.map(|value| Said { value, origin: Origin::Own })
            .or_else(|| self.shared(|profile| profile.interfaces.as_ref()?.antispoof.as_ref()))
    }

    /// The labels of the node, key by key.
    pub(crate) fn labels(&self) -> Vec<(Spanned<&'t str>, Spanned<&'t str>)> {
        let shared = [self.group, self.defaults].map(|profile| profile.and_then(|p| p.labels.as_ref()));
        join_labels([self.node.labels.as_ref(), shared[0], shared[1]])
    }

    /// The node with everything written out that its group and the defaults say.
    pub(crate) fn written_out(&self) -> Node<'t> {
        let mut node = self.node.clone();
        node.group = None;
        node.role = self.role().map(|said| *said.value);
        node.site = self.site().map(|said| *said.value);
        node.kind = self.kind().map(|said| *said.value);
        node.policy = self.policy().map(|said| said.value.clone());
        node.routes = self.routes().map(|said| said.value.clone());
        node.gateway = self.gateway().map(|said| said.value.clone());
        node.forwarding = self.forwarding().map(|said| *said.value);
        node.ipv6 = self.ipv6().map(|said| *said.value);
        node.labels = some_labels(self.labels());
        for entry in node.interfaces.iter_mut().flat_map(|map| &mut map.entries) {
            if let Some(interface) = &mut entry.value {
                let shared = self.antispoof(None).map(|said| *said.value);
                interface.antispoof = interface.antispoof.or(shared);
            }
        }
        node
    }
}

fn some_labels<'t>(labels: Vec<(Spanned<&'t str>, Spanned<&'t str>)>) -> Option<Labels<'t>> {
    Some(Labels(labels)).filter(|labels| !labels.0.is_empty())
}

fn join_labels<'t>(by_rank: [Option<&Labels<'t>>; 3]) -> Vec<(Spanned<&'t str>, Spanned<&'t str>)> {
    let mut joined: Vec<(Spanned<&'t str>, Spanned<&'t str>)> = Vec::new();
    for labels in by_rank.into_iter().flatten() {
        for (key, value) in &labels.0 {
            if joined.iter().all(|(known, _)| known.value != key.value) {
                joined.push((*key, *value));
            }
        }
    }
    joined
}
