//! Interfaces and addresses: the dump beside the description.

use super::Lowering;
use crate::header::Family;
use crate::input::dump::{Doubt, Given, Link, LinkAddress, LinkKind, Setting};
use crate::model::LedgerEntry;
use crate::model::build::{AddressSpec, InterfaceSpec, NodeSpec, TaggedSpec};
use crate::source::{Span, Spanned};

impl Lowering<'_> {
    /// Takes the interfaces from the dump of addresses, if there is one.
    pub(super) fn links(&mut self, node: &mut NodeSpec) {
        let addresses = match &self.dump.addresses {
            Given::Read(addresses) => addresses,
            Given::Empty(span) => {
                let message = "a device has interfaces: `addresses` cannot be `none`".to_owned();
                self.conflict(*span, message, self.beside.config, "leave it out, or name the dump");
                return;
            }
            Given::Absent => return,
        };
        for declared in &node.interfaces {
            if addresses.link(&declared.name.value).is_none() {
                let message =
                    format!("`{}` is not in the dump of the node's interfaces", declared.name.value);
                let other = addresses.links.first().map_or(self.beside.config, |link| link.name.span);
                self.conflict(declared.name.span, message, other, "take it out, or dump the device again");
            }
        }
        for link in &addresses.links {
            let position = node.interfaces.iter().position(|own| own.name.value == link.name.value);
            let position = position.unwrap_or_else(|| {
                node.interfaces.push(InterfaceSpec::new(link.name.clone()));
                node.interfaces.len() - 1
            });
            self.kind(&mut node.interfaces[position], link, addresses.detailed);
            self.addresses(&mut node.interfaces[position], link);
        }
        self.bridges(&addresses.links);
    }

    /// What the interface is, and what it stands on.
    fn kind(&mut self, own: &mut InterfaceSpec, link: &Link, detailed: bool) {
        let name = &link.name.value;
        match &link.kind {
            LinkKind::Loopback => own.loopback = true,
            LinkKind::Vrf { .. } => {
                own.loopback = true;
                self.join_vrf(own, &link.name);
            }
            LinkKind::Vlan { tag } => match &link.parent {
                Some(parent) => own.tagged = Some(TaggedSpec { parent: parent.clone(), tag: *tag }),
                None => {
                    let message = format!("`{name}` is a VLAN of an interface that is not in the dump");
                    self.not_built(link.span, message, "dump the namespace that the parent is in too");
                }
            },
            LinkKind::Macvlan => {
                let message = format!("`{name}` is a second device on the wire of another interface");
                self.not_built(link.span, message, "describe it as a node of its own on the same link");
            }
            LinkKind::Tunnel(kind) if link.up && !self.beside.tunnels.contains(&name.as_str()) => {
                let doubt = Doubt::havoc(format!("who is at the other end of `{name}` ({kind})"), link.span)
                    .settled_by(format!("an entry of `tunnels` that ends at `{name}`"));
                self.unknown(&doubt);
            }
            LinkKind::Other(kind) if link.up => {
                let doubt =
                    Doubt::havoc(format!("what `{name}`, a link of the kind `{kind}`, does"), link.span);
                self.unknown(&doubt);
            }
            LinkKind::Plain if !detailed && link.parent.is_some() && own.vlan.is_none() => {
                let message = format!("how `{name}` stands on another interface is not in the dump");
                self.not_built(link.span, message, "dump it with the details: `ip -j -d addr`");
            }
            LinkKind::Plain | LinkKind::Veth | LinkKind::Bond | LinkKind::Dummy | LinkKind::Bridge { .. } => {
            }
            LinkKind::Tunnel(_) | LinkKind::Other(_) => {}
        }
        if let Some(master) = &link.master {
            self.enslave(own, link, master, detailed);
        }
    }

    fn enslave(&mut self, own: &mut InterfaceSpec, link: &Link, master: &Spanned<String>, detailed: bool) {
        let found = self.dump.links().iter().find(|other| other.name.value == master.value);
        match found.map(|master| &master.kind) {
            Some(LinkKind::Vrf { .. }) => self.join_vrf(own, master),
            Some(LinkKind::Plain) if !detailed => {
                let message =
                    format!("what `{}` is to `{}` is not in the dump", master.value, link.name.value);
                self.not_built(master.span, message, "dump it with the details: `ip -j -d addr`");
            }
            // The builder reports a master that the node does not have.
            Some(_) | None => own.master = Some(master.clone()),
        }
    }

    fn join_vrf(&mut self, own: &mut InterfaceSpec, vrf: &Spanned<String>) {
        if let Some(declared) = own.vrf.as_ref().filter(|declared| declared.value != vrf.value) {
            let message = format!("the VRF is declared `{}`, but it is `{}`", declared.value, vrf.value);
            let help = "name the VRF as the device does";
            self.conflict(declared.span, message, vrf.span, help);
        }
        self.builder.ensure_vrf(vrf.clone());
        own.vrf = Some(vrf.clone());
    }

    fn addresses(&mut self, own: &mut InterfaceSpec, link: &Link) {
        for declared in &own.addresses {
            if !link.addresses.iter().any(|dumped| dumped.net == declared.net) {
                let message = format!("`{}` does not have the address {}", own.name.value, declared.net);
                let help = "take it out, or dump the device again";
                self.conflict(declared.span, message, link.name.span, help);
            }
        }
        own.addresses = link.addresses.iter().map(spec).collect();
        if let Some(learned) = link.addresses.iter().find(|address| address.dynamic) {
            let text = format!(
                "`{}` of `{}` was learned (DHCP, router advertisements) and counts as it was dumped",
                learned.net, link.name.value
            );
            self.builder.add_ledger(LedgerEntry { text, span: Some(learned.span) });
        }
        for doubt in link.doubts.iter().filter(|doubt| !doubt.havoc) {
            let text = format!("not considered: {}", doubt.what);
            self.builder.add_ledger(LedgerEntry { text, span: Some(doubt.span) });
        }
    }

    /// Refuses bridges whose doing the model does not have: it joins all frames of all ports.
    fn bridges(&mut self, links: &[Link]) {
        for bridge in links {
            let LinkKind::Bridge { vlan_filtering, filters } = bridge.kind else { continue };
            let of = |link: &&Link| link.master.as_ref().is_some_and(|m| m.value == bridge.name.value);
            if links.iter().filter(of).count() < 2 {
                continue;
            }
            let name = &bridge.name.value;
            if vlan_filtering == Some(true) {
                let message = format!("`{name}` filters VLANs, and which its ports carry is not in the dump");
                self.not_built(bridge.span, message, "describe it as a node of the role `switch`");
            }
            if let Some(span) = self.bridged_filters(filters, bridge.span) {
                let message = format!("frames that cross `{name}` meet the filters of layer 3");
                self.not_built(span, message, "describe it as a node of the role `switch`, with `policy-in`");
            }
        }
    }

    fn bridged_filters(&self, of_bridge: [bool; 2], span: Span) -> Option<Span> {
        let sysctl = self.dump.sysctl.read();
        Family::ALL.into_iter().find_map(|family| match sysctl.map(|sysctl| sysctl.bridge_filters(family)) {
            Some(Setting::On(line) | Setting::Mixed(line)) => Some(line),
            Some(Setting::Off(_) | Setting::Unsaid) | None => of_bridge[family as usize].then_some(span),
        })
    }
}

fn spec(address: &LinkAddress) -> AddressSpec {
    let on_link = match address.peer {
        _ if address.no_prefix_route => None,
        Some(peer) => Some(peer.trunc()),
        None => Some(address.net.trunc()),
    };
    AddressSpec { net: address.net, span: address.span, on_link }
}
