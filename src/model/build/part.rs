//! What each interface is to layer 2: a port of a switch, the end of a wire, a sub-interface, or nothing.

use super::conflict::Words;
use super::link::Wiring;
use super::names::visible;
use super::work::Work;
use crate::diag::{Code, Diagnostic};
use crate::model::{InterfaceId, Role};
use crate::source::Span;

/// What an interface is to layer 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// It has nothing to do with layer 2: a loopback, the end of a tunnel, or something that is wrong.
    Apart,
    /// A tagged sub-interface; it is of layer 3 unless it is a port of a bridge.
    Sub {
        /// The interface that it stands on.
        parent: InterfaceId,
        /// The tag of its frames on the wire.
        tag: u16,
    },
    /// The address of a switch in one of its VLANs.
    Svi(u16),
    /// A port of a switch.
    Port,
    /// The end of a wire at a device that does not bridge it.
    Own,
}

/// The part of every interface. A switch's interface with an address and without VLAN words is no port of it.
pub(super) fn parts(work: &mut Work, wiring: &Wiring, words: &[Words]) -> Vec<Part> {
    let ids = (0..work.network.interfaces.len()).map(InterfaceId::at);
    let mut parts: Vec<Part> = ids.map(|id| part(work, wiring, words, id)).collect();
    // Stacked tags: a sub-interface must stand on the end of a wire.
    for index in 0..parts.len() {
        let Part::Sub { parent, .. } = parts[index] else { continue };
        if parts[parent.index()] == Part::Own {
            continue;
        }
        let id = InterfaceId::at(index);
        let message = format!(
            "`{}` stands on `{}`, which ends no cable of its own",
            work.label(id),
            work.label(parent)
        );
        let help = "stacked tags, tags inside tunnels and tags on ports of bridges are not built yet";
        work.findings.error(Code::NotBuilt, work.network.interface(id).span, message, help);
        parts[index] = Part::Apart;
    }
    parts
}

fn part(work: &mut Work, wiring: &Wiring, words: &[Words], id: InterfaceId) -> Part {
    let Some(spec) = work.interfaces.get(id.index()) else { return Part::Own };
    let is_linked = wiring.wire_of[id.index()].is_some();
    let is_alone = spec.loopback && !is_linked;
    if is_alone || wiring.tunnel_of[id.index()].is_some() {
        return Part::Apart;
    }
    let is_switch = work.network.node(work.network.interface(id).node).role == Role::Switch;
    let own = &words[id.index()];
    if spec.tagged.is_some() {
        return dumped_sub(work, own, words, id);
    }
    if let Some((_, tag)) = own.vlan {
        let span = spec.vlan.as_ref().map_or(spec.name.span, |vlan| vlan.span);
        if is_linked {
            let message = format!("`{}` is inside a device, but a cable ends at it", work.label(id));
            let help = if is_switch {
                "link a port, and give that `access` or `trunk`"
            } else {
                "link the interface that it stands on; if its frames are untagged, write `access` for `vlan`"
            };
            work.findings.error(Code::Link, span, message, help);
            return Part::Apart;
        }
        return match is_switch {
            true => Part::Svi(tag),
            false => declared_sub(work, words, id, tag, span),
        };
    }
    if is_switch && (spec.addresses.is_empty() || own.is_port()) {
        return Part::Port;
    }
    check_forgotten_vlan(work, words, id, is_linked);
    Part::Own
}

/// The interface of the node that a name such as `eth1.110` says it stands on.
fn parent_by_name(work: &Work, id: InterfaceId) -> Option<InterfaceId> {
    let interface = work.network.interface(id);
    let (parent, _) = interface.name.rsplit_once('.')?;
    work.interface(interface.node, parent)
}

/// A sub-interface of the description: `eth1.110` with `vlan`, on an `eth1` whose trunk carries that VLAN.
fn declared_sub(work: &mut Work, words: &[Words], id: InterfaceId, tag: u16, span: Span) -> Part {
    let label = work.label(id);
    let Some(parent) = parent_by_name(work, id) else {
        let message = format!("`{label}` is in a VLAN, but stands on no interface of its node");
        let help = match work.network.interface(id).name.rsplit_once('.') {
            Some((parent, _)) => {
                format!("declare `{}` with a `trunk` that carries the VLAN", visible(parent))
            }
            None => {
                "name it after the trunk that it stands on, such as `eth1.110` on `eth1`; if its frames are \
                     untagged, write `access` for `vlan`"
                    .to_owned()
            }
        };
        work.findings.error(Code::Link, span, message, &help);
        return Part::Apart;
    };
    let over = &words[parent.index()];
    // Frames of the native VLAN have no tag, also those of a sub-interface.
    if over.native.is_some_and(|(_, native)| native == tag) {
        return Part::Sub { parent, tag: super::layer2::UNTAGGED };
    }
    if over.trunk.as_ref().is_some_and(|trunk| trunk.carries(tag)) {
        return Part::Sub { parent, tag };
    }
    let trunk = work.label(parent);
    let message = format!("`{label}` is in a VLAN that `{trunk}` does not carry");
    let missing = Diagnostic::error(Code::Link, span, message)
        .also(work.network.interface(parent).span, "the interface that it stands on")
        .help(format!("add the VLAN to the `trunk` of `{trunk}`"));
    work.findings.push(missing);
    Part::Apart
}

/// A sub-interface of a dump, which says the parent and the tag. The description may only confirm them.
fn dumped_sub(work: &mut Work, own: &Words, words: &[Words], id: InterfaceId) -> Part {
    let Some(tagged) = work.interfaces[id.index()].tagged.clone() else { return Part::Apart };
    let label = work.label(id);
    let node = work.network.interface(id).node;
    let Some(parent) = work.interface(node, &tagged.parent.value).filter(|parent| *parent != id) else {
        let message = format!(
            "`{label}` stands on `{}`, which is no interface of its node",
            visible(&tagged.parent.value)
        );
        let help = "dump all interfaces at once (`ip -j addr`)";
        work.findings.error(Code::UnknownName, tagged.parent.span, message, help);
        return Part::Apart;
    };
    if let Some((_, tag)) = own.vlan.filter(|(_, tag)| *tag != tagged.tag) {
        let span = work.interfaces[id.index()].vlan.as_ref().map_or(tagged.parent.span, |vlan| vlan.span);
        let message = format!("`{label}` has the tag {tag} here, but {} in its dump", tagged.tag);
        let differs = Diagnostic::error(Code::Conflict, span, message)
            .also(tagged.parent.span, "dumped here")
            .help("the device knows its tag; correct the description");
        work.findings.push(differs);
    }
    if words[parent.index()].trunk.as_ref().is_some_and(|trunk| !trunk.carries(tagged.tag)) {
        let trunk = work.label(parent);
        let message = format!("`{trunk}` does not carry the tag {}, which `{label}` has", tagged.tag);
        let span = work.network.interface(parent).span;
        let differs = Diagnostic::error(Code::Conflict, span, message)
            .also(tagged.parent.span, "dumped here")
            .help("add the VLAN to the `trunk`");
        work.findings.push(differs);
    }
    Part::Sub { parent, tag: tagged.tag }
}

/// Refuses a sub-interface of a trunk that does not say its VLAN.
fn check_forgotten_vlan(work: &mut Work, words: &[Words], id: InterfaceId, is_linked: bool) {
    let Some(parent) = parent_by_name(work, id).filter(|_| !is_linked) else { return };
    if words[parent.index()].trunk.is_some() {
        let message = format!("`{}` stands on a trunk, but names no VLAN", work.label(id));
        let help = "add `vlan` with the name of its VLAN";
        work.findings.error(Code::Link, work.network.interface(id).span, message, help);
    }
}
