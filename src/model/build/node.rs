//! From the specifications of sites, zones, VLANs, VRFs and nodes to their places in the network.

use super::names::{check_name, visible};
use super::spec::{InterfaceSpec, NodeSpec};
use super::work::Work;
use crate::diag::{Code, Diagnostic};
use crate::model::country::{is_jurisdiction, suggest_jurisdiction};
use crate::model::kind::KINDS;
use crate::model::{
    Address, Existence, Kind, NodeId, Role, Site, SiteId, Vlan, VlanId, Vrf, VrfId, Zone, ZoneId,
};
use crate::source::Spanned;

/// The name of the built-in place outside every jurisdiction.
pub(super) const INTERNET: &str = "internet";

/// The words of roles that mean more than "host".
const ROLES: [&str; 5] = ["router", "firewall", "gateway", "switch", "host"];

pub(super) fn resolve_nodes(work: &mut Work) {
    make_sites(work);
    make_zones(work);
    make_vlans(work);
    let vrfs = work.vrfs.items().iter().map(|vrf| Vrf { name: vrf.name.value.clone() });
    work.network.vrfs = vrfs.collect();
    let mut nodes = std::mem::take(&mut work.nodes);
    for spec in &mut nodes {
        let interfaces = std::mem::take(&mut spec.interfaces);
        let id = make_node(work, spec);
        for interface in interfaces {
            make_interface(work, id, interface);
        }
    }
    work.nodes = nodes;
}

/// Refuses what is no country.
pub(super) fn check_country(work: &mut Work, code: &Spanned<String>) {
    if !is_jurisdiction(&code.value) {
        let message = format!("`{}` is not a country", visible(&code.value));
        work.findings.error(Code::BadValue, code.span, message, &suggest_jurisdiction(&code.value));
    }
}

fn make_sites(work: &mut Work) {
    let countries: Vec<Spanned<String>> =
        work.sites.items().iter().filter_map(|site| site.jurisdiction.clone()).collect();
    for country in &countries {
        check_country(work, country);
    }
    let sites = work.sites.items().iter();
    let sites = sites.map(|s| Site { name: s.name.value.clone(), jurisdiction: s.jurisdiction.clone() });
    work.network.sites = sites.collect();
}

fn make_zones(work: &mut Work) {
    let zones = work.zones.items().iter().map(|zone| Zone {
        name: zone.name.value.clone(),
        plane: zone.plane.clone(),
        labels: zone.labels.clone(),
    });
    work.network.zones = zones.collect();
}

/// VLANs, with a tag each that is valid and no other's.
fn make_vlans(work: &mut Work) {
    for (index, vlan) in work.vlans.items().iter().enumerate() {
        check_name("a VLAN", &vlan.name, &mut work.findings);
        let tag = vlan.tag.value;
        if !(1..=4094).contains(&tag) {
            let message = format!("{tag} is not a VLAN tag");
            let help = "a number from 1 to 4094; 0 and 4095 are reserved by IEEE 802.1Q";
            work.findings.error(Code::Link, vlan.tag.span, message, help);
        }
        if let Some(first) = work.vlan_of_tag.get(&tag) {
            let first = &work.vlans.items()[first.index()];
            let message = format!(
                "VLANs `{}` and `{}` have the same tag {tag}",
                visible(&first.name.value),
                visible(&vlan.name.value)
            );
            let taken = Diagnostic::error(Code::Conflict, vlan.tag.span, message)
                .also(first.tag.span, "the tag is taken here")
                .help("use one name for both; domains that are not connected are different segments anyway");
            work.findings.push(taken);
        } else {
            work.vlan_of_tag.insert(tag, VlanId::at(index));
        }
    }
    let vlans = work.vlans.items().iter();
    work.network.vlans = vlans.map(|v| Vlan { name: v.name.value.clone(), tag: v.tag.value }).collect();
}

fn make_node(work: &mut Work, spec: &mut NodeSpec) -> NodeId {
    check_name("a node", &spec.name, &mut work.findings);
    let name = &spec.name.value;
    if name == INTERNET {
        let help = "choose another name; links end at it by the endpoint `internet`";
        work.findings.error(Code::Conflict, spec.name.span, "`internet` is built in", help);
    } else if name.contains(':') {
        let message = format!("the name of a node, `{}`, holds a colon", visible(name));
        let help = "`node:interface` would not tell where the node ends";
        work.findings.error(Code::BadValue, spec.name.span, message, help);
    }
    let role = role(work, spec.role.as_ref());
    let kind = kind(work, spec.kind.as_ref());
    let site = spec.site.as_ref().and_then(|site| work.sites.resolve(site, &mut work.findings));
    let id = work.add_node(name.clone(), spec.name.span, role, Existence::Described);
    let node = &mut work.network.nodes[id.index()];
    node.kind = kind;
    node.site = site.map(SiteId::at);
    node.labels = std::mem::take(&mut spec.labels);
    node.prerouting = std::mem::take(&mut spec.prerouting);
    node.rerouting = std::mem::take(&mut spec.rerouting);
    node.translating = std::mem::take(&mut spec.translating);
    node.sets = spec.dumped.sets;
    node.input = std::mem::take(&mut spec.input);
    node.forward = std::mem::take(&mut spec.forward);
    node.early_output = std::mem::take(&mut spec.early_output);
    node.output = std::mem::take(&mut spec.output);
    node.late_output = std::mem::take(&mut spec.late_output);
    id
}

fn role(work: &mut Work, word: Option<&Spanned<String>>) -> Role {
    let Some(word) = word else { return Role::Host };
    match word.value.as_str() {
        "router" => Role::Router,
        "firewall" => Role::Firewall,
        "gateway" => Role::Gateway,
        "switch" => Role::Switch,
        "host" => Role::Host,
        INTERNET => {
            let help = "links end at it by the endpoint `internet`; give this node another role";
            work.findings.error(Code::BadValue, word.span, "the role `internet` is built in", help);
            Role::Host
        }
        other => {
            if let Some(help) = work.findings.suggest(other, ROLES.into_iter()) {
                let message = format!("the role `{}` has no meaning of its own", visible(other));
                work.findings.push(
                    Diagnostic::warning(Code::BadValue, word.span, message)
                        .label("taken as a host, which does not forward")
                        .help(help),
                );
            }
            Role::Other(other.to_owned())
        }
    }
}

fn kind(work: &mut Work, word: Option<&Spanned<String>>) -> Kind {
    let Some(word) = word else { return Kind::Unknown(String::new()) };
    let kind = Kind::of_word(&word.value);
    if kind.row().is_none() {
        let known = KINDS.iter().map(|row| row.word);
        if let Some(help) = work.findings.suggest(&word.value, known) {
            let message = format!("the kind `{}` has no table", visible(&word.value));
            let label = "nothing is certain about what it does";
            work.findings
                .push(Diagnostic::warning(Code::BadValue, word.span, message).label(label).help(help));
        }
    }
    kind
}

fn make_interface(work: &mut Work, node: NodeId, mut spec: InterfaceSpec) {
    check_name("an interface", &spec.name, &mut work.findings);
    let name = spec.name.value.clone();
    if let Some(first) = work.interface(node, &name) {
        let first = work.network.interface(first).span;
        let message =
            format!("`{}` has two interfaces of the name `{}`", work.node_label(node), visible(&name));
        let repeated = Diagnostic::error(Code::DuplicateKey, spec.name.span, message)
            .also(first, "declared here first")
            .help("merge them, or rename one");
        work.findings.push(repeated);
        return;
    }
    let zone = spec.zone.as_ref().and_then(|zone| work.zones.resolve(zone, &mut work.findings));
    let vrf = spec.vrf.as_ref().and_then(|vrf| work.vrfs.resolve(vrf, &mut work.findings));
    let id = work.add_interface(node, name.clone(), spec.name.span);
    work.interface_names.insert((node, name), id);
    // A packet from outside to 127.0.0.0/8 or ::1 is nobody's (RFC 1122 section 3.2.1.3, RFC 4291 section
    // 2.5.3).
    let own = spec.addresses.iter().filter(|address| !(spec.loopback && address.net.addr().is_loopback()));
    let addresses = own.map(|address| Address { net: address.net, span: address.span }).collect();
    let interface = &mut work.network.interfaces[id.index()];
    interface.addresses = addresses;
    interface.labels.clone_from(&spec.labels);
    interface.zone = zone.map(ZoneId::at);
    interface.vrf = vrf.map(VrfId::at);
    interface.ingress = std::mem::take(&mut spec.ingress);
    interface.egress = std::mem::take(&mut spec.egress);
    work.interfaces.push(spec);
}
