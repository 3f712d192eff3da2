//! What the VLAN words of an interface mean, and which of them cannot stand together.

use super::link::Wiring;
use super::names::visible;
use super::spec::TrunkSpec;
use super::work::Work;
use crate::diag::{Code, Diagnostic};
use crate::model::{InterfaceId, Role, VlanId};
use crate::source::{Span, Spanned};

/// The VLANs that a trunk carries tagged.
#[derive(Debug, Clone)]
pub(super) enum Tags {
    /// The other end may choose.
    Auto(Span),
    /// Exactly these.
    These(Vec<(VlanId, u16)>),
}

impl Tags {
    pub(super) fn carries(&self, tag: u16) -> bool {
        match self {
            Tags::Auto(_) => true,
            Tags::These(tags) => tags.iter().any(|(_, own)| *own == tag),
        }
    }
}

/// The VLAN words of an interface, looked up.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    pub(super) vlan: Option<(VlanId, u16)>,
    pub(super) access: Option<(VlanId, u16)>,
    pub(super) native: Option<(VlanId, u16)>,
    pub(super) trunk: Option<Tags>,
}

impl Words {
    /// Whether any of them is there, so that its switch looks at tags.
    pub(super) fn any(&self) -> bool {
        self.vlan.is_some() || self.is_port()
    }

    /// Whether they make the interface a port of layer 2.
    pub(super) fn is_port(&self) -> bool {
        self.access.is_some() || self.native.is_some() || self.trunk.is_some()
    }

    /// The VLAN of the frames without a tag.
    pub(super) fn untagged(&self) -> Option<VlanId> {
        self.access.or(self.native).map(|(vlan, _)| vlan)
    }

    /// The VLAN that an interface is in by name, if it is exactly one.
    pub(super) fn single(&self) -> Option<VlanId> {
        let trunk = self.trunk.iter().flat_map(|tags| match tags {
            Tags::Auto(_) => &[][..],
            Tags::These(tags) => &tags[..],
        });
        let mut named = [self.vlan, self.access, self.native].into_iter().flatten().chain(trunk.copied());
        let (first, _) = named.next()?;
        let is_auto = matches!(self.trunk, Some(Tags::Auto(_)));
        (!is_auto && named.all(|(other, _)| other == first)).then_some(first)
    }
}

/// Looks up the words of every interface of the network; those of the built-in place have none.
pub(super) fn read_words(work: &mut Work, wiring: &Wiring) -> Vec<Words> {
    let specs = std::mem::take(&mut work.interfaces);
    let mut all = Vec::with_capacity(work.network.interfaces.len());
    for (index, spec) in specs.iter().enumerate() {
        let mut vlan = |name: &Option<Spanned<String>>| name.as_ref().and_then(|name| work.vlan(name));
        let mut words = Words {
            vlan: vlan(&spec.vlan),
            access: vlan(&spec.access),
            native: vlan(&spec.native),
            trunk: None,
        };
        words.trunk = match &spec.trunk {
            None => None,
            Some(TrunkSpec::Auto(span)) => Some(Tags::Auto(*span)),
            Some(TrunkSpec::Vlans(names)) => {
                Some(Tags::These(names.iter().filter_map(|name| work.vlan(name)).collect()))
            }
        };
        all.push(words);
        let id = InterfaceId::at(index);
        if let Some((span, message, help)) = clash(work, id, spec, wiring) {
            let message = format!("`{}` {message}", work.label(id));
            work.findings.push(Diagnostic::error(Code::Link, span, message).help(help));
        }
    }
    work.interfaces = specs;
    all.resize_with(work.network.interfaces.len(), Words::default);
    all
}

/// Words that cannot stand together: where, what is wrong, and what to write.
fn clash(
    work: &Work,
    id: InterfaceId,
    spec: &super::spec::InterfaceSpec,
    wiring: &Wiring,
) -> Option<(Span, String, &'static str)> {
    let node = work.network.interface(id).node;
    let is_switch = work.network.node(node).role == Role::Switch;
    let is_auto = matches!(spec.trunk, Some(TrunkSpec::Auto(_)));
    let port = spec.access.as_ref().or(spec.native.as_ref()).map(|word| word.span);
    let port = port.or_else(|| spec.trunk.as_ref().map(|_| spec.name.span));
    if let (Some(vlan), Some(_)) = (&spec.vlan, port) {
        let name = visible(&vlan.value);
        return Some((
            vlan.span,
            format!("is in VLAN `{name}` and a port at once"),
            "`vlan` is for an interface inside a device; a port has `access`, `trunk` and `native`",
        ));
    }
    if let (Some(access), Some(_), false) = (&spec.access, &spec.trunk, is_auto) {
        let help = "a trunk carries its untagged VLAN by `native`";
        return Some((access.span, "is an access port and a trunk".to_owned(), help));
    }
    if let (Some(native), None) = (&spec.native, &spec.trunk) {
        let help = "a port of one untagged VLAN has `access`";
        return Some((native.span, "has a native VLAN but is no trunk".to_owned(), help));
    }
    if let (Some(port), true, false) = (port, is_switch, spec.addresses.is_empty()) {
        let help = "give the address to an interface of the switch with `vlan`";
        return Some((port, "is a port of layer 2, but has an address".to_owned(), help));
    }
    let inside = port.or_else(|| spec.vlan.as_ref().map(|vlan| vlan.span))?;
    if wiring.tunnel_of[id.index()].is_some() {
        let help = "tunnels carry packets; describe a bridged one as a link";
        return Some((inside, "ends a tunnel, but has VLANs".to_owned(), help));
    }
    None
}
