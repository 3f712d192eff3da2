//! The rules of a device as a kernel loads them: the device's own text where there is one, and nftables made of its
//! policies where there is none.

use super::Obstacle;
use super::condition::{self, Device};
use crate::header::Family;
use crate::model::translation::End;
use crate::model::{Action, Filter, Hook, MarkChange, Marked, NewAddress, NodeId, Rule, Translation};
use crate::model::{InterfaceId, Network};
use crate::source::SourceMap;
use std::collections::BTreeSet;
use std::fmt::Write;

/// What is given to a program that loads rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rules {
    /// The program and its arguments.
    pub(super) program: &'static str,
    /// What it reads.
    pub(super) text: String,
}

/// The tables of a node, in the order of loading.
///
/// # Errors
/// Something in its rules cannot be written down for the kernel.
pub(super) fn rules(network: &Network, sources: &SourceMap, node: NodeId) -> Result<Vec<Rules>, Obstacle> {
    let mut loaded = Vec::new();
    let mut dumps = BTreeSet::new();
    let mut text = String::new();
    for (number, base) in bases(network, node).iter().enumerate() {
        let filter = network.filter(base.hook.filter);
        // A dump is loaded as it is, whatever it hooks where.
        let own = &sources.get(filter.span.source).text;
        if let Some(program) = loader(&filter.name) {
            if dumps.insert(filter.span.source) {
                loaded.push(Rules { program, text: own.to_string() });
            }
            continue;
        }
        table(&mut text, Device { network, node }, number, base)?;
    }
    // Rules can only name sets that are there.
    if let Some(sets) = network.node(node).sets.filter(|_| !loaded.is_empty()) {
        let own = sources.get(sets.source).text.to_string();
        loaded.insert(0, Rules { program: "ipset restore", text: own });
    }
    if !text.is_empty() {
        loaded.push(Rules { program: "nft -f -", text });
    }
    Ok(loaded)
}

/// What loads the dump of this name. What `nft -j list ruleset` prints, `nft -j -f` does not load (chains that rules jump to may
/// come later), so it is written from what was read, as policies are.
fn loader(name: &str) -> Option<&'static str> {
    match name {
        "iptables" => Some("iptables-restore"),
        "ip6tables" => Some("ip6tables-restore"),
        _ => None,
    }
}

/// A hook of a node with its place among those of the kernel.
struct Base {
    hook: Hook,
    /// Type, hook and priority.
    place: (&'static str, &'static str, i32),
    /// The interface that it is bound to, if it is one's own list.
    interface: Option<(&'static str, InterfaceId)>,
}

fn bases(network: &Network, id: NodeId) -> Vec<Base> {
    let node = network.node(id);
    let mut bases = Vec::new();
    let mut add = |hooks: &[Hook], place: (&'static str, &'static str, i32), interface| {
        for (index, hook) in hooks.iter().enumerate() {
            let (kind, name, priority) = place;
            let place = (kind, name, priority + index as i32);
            bases.push(Base { hook: *hook, place, interface });
        }
    };
    add(&node.prerouting, ("filter", "prerouting", -170), None);
    add(&node.input, ("filter", "input", 0), None);
    add(&node.forward, ("filter", "forward", 0), None);
    add(&node.early_output, ("filter", "output", -170), None);
    add(&node.output, ("filter", "output", 0), None);
    add(&node.late_output, ("filter", "postrouting", 50), None);
    for interface in &node.interfaces {
        let spec = network.interface(*interface);
        add(&spec.ingress, ("filter", "prerouting", -190), Some(("iifname", *interface)));
        add(&spec.egress, ("filter", "postrouting", 150), Some(("oifname", *interface)));
    }
    add(&node.translating.prerouting, ("nat", "prerouting", -100), None);
    add(&node.translating.input, ("nat", "input", 100), None);
    add(&node.translating.output, ("nat", "output", -100), None);
    add(&node.translating.postrouting, ("nat", "postrouting", 100), None);
    for base in
        bases.iter_mut().filter(|base| base.place.1 == "output" && node.rerouting.contains(&base.hook))
    {
        base.place.0 = "route";
    }
    bases
}

/// A table for one hook: its base chain, and every chain of the filter that a jump may lead to.
fn table(text: &mut String, device: Device<'_>, number: usize, base: &Base) -> Result<(), Obstacle> {
    let filter = device.network.filter(base.hook.filter);
    let mut needed = BTreeSet::new();
    reach(filter, base.hook.chain, &mut needed);
    let _ = writeln!(text, "table inet policy{number} {{");
    // Chains are declared before anything jumps there.
    for chain in &needed {
        let _ = writeln!(text, " chain c{chain} {{ }}");
    }
    for chain in &needed {
        let _ = writeln!(text, " chain c{chain} {{");
        for rule in &filter.chains[*chain].rules {
            write_rule(text, device, filter, rule)?;
        }
        text.push_str(" }\n");
    }
    let (kind, hook, priority) = base.place;
    let _ = writeln!(text, " chain base {{ type {kind} hook {hook} priority {priority}; policy accept;");
    let mut bound = match base.hook.family {
        None => String::new(),
        Some(Family::V4) => "meta nfproto ipv4 ".to_owned(),
        Some(Family::V6) => "meta nfproto ipv6 ".to_owned(),
    };
    if let Some((field, interface)) = base.interface {
        let _ = write!(bound, "{field} \"{}\" ", device.network.interface(interface).name);
    }
    let entry = &filter.chains[base.hook.chain];
    let _ = writeln!(text, "  {bound}jump c{}", base.hook.chain);
    if let Some(policy) = entry.policy {
        let verdict = verdict(device, filter, policy)?;
        let _ = writeln!(text, "  {bound}{verdict}");
    }
    text.push_str(" }\n}\n");
    Ok(())
}

/// The chains that may run once one does.
fn reach(filter: &Filter, chain: usize, found: &mut BTreeSet<usize>) {
    if !found.insert(chain) {
        return;
    }
    for rule in &filter.chains[chain].rules {
        if let Action::Jump(to) | Action::Goto(to) = rule.action {
            reach(filter, to, found);
        }
    }
}

fn write_rule(text: &mut String, device: Device<'_>, filter: &Filter, rule: &Rule) -> Result<(), Obstacle> {
    let verdict = verdict(device, filter, rule.action).map_err(|obstacle| obstacle.at(rule.span))?;
    for matches in condition::all(device, &rule.matches)? {
        let _ = writeln!(text, "  {} {verdict}", matches.join(" "));
    }
    Ok(())
}

fn verdict(device: Device<'_>, filter: &Filter, action: Action) -> Result<String, Obstacle> {
    Ok(match action {
        Action::Accept => "accept".to_owned(),
        Action::Drop => "drop".to_owned(),
        Action::Reject => "reject".to_owned(),
        Action::Jump(to) => format!("jump c{to}"),
        Action::Goto(to) => format!("goto c{to}"),
        Action::Return => "return".to_owned(),
        Action::Continue => "continue".to_owned(),
        Action::Mark(change) => mark(change)?,
        Action::Translate(position) => translation(&filter.translations[position])?,
        Action::Unknown(id) => {
            let unknown = device.network.unknown(id);
            return Err(Obstacle::new(&unknown.what, unknown.span));
        }
    })
}

/// A statement that sets a mark.
fn mark(change: MarkChange) -> Result<String, Obstacle> {
    let of = condition::mark_word(change.of);
    let (from, kept) = match (change.packet, change.connection) {
        (0, 0) => return Ok(format!("{of} set {}", change.flip)),
        (kept, 0) => (Marked::Packet, kept),
        (0, kept) => (Marked::Connection, kept),
        _ => return Err(Obstacle::new("a mark is made of two others", None)),
    };
    Ok(format!("{of} set {} & {kept:#x} ^ {:#x}", condition::mark_word(from), change.flip))
}

fn translation(to: &Translation) -> Result<String, Obstacle> {
    let ports = match to.ports {
        None => String::new(),
        Some((low, high)) if low == high => format!(":{low}"),
        Some((low, high)) => format!(":{low}-{high}"),
    };
    let random = if to.random { " random" } else { "" };
    let word = match to.end {
        End::Source => "snat",
        End::Destination => "dnat",
    };
    let (family, address) = match to.to {
        NewAddress::Interface => {
            let word = if to.end == End::Source { "masquerade" } else { "redirect" };
            let ports = if ports.is_empty() { String::new() } else { format!(" to {ports}") };
            return Ok(format!("{word}{ports}{random}"));
        }
        NewAddress::Kept => return Ok(format!("{word} to {ports}{random}")),
        NewAddress::Prefix(_) => {
            // nftables wants the prefix that is mapped from, which stands in the matches of the rule.
            return Err(Obstacle::new("a policy maps one prefix to another", Some(to.span)));
        }
        NewAddress::Range(range) => {
            let family = if range.low.is_ipv4() { "ip" } else { "ip6" };
            let bracketed = |address: std::net::IpAddr| match address {
                std::net::IpAddr::V6(six) if !ports.is_empty() => format!("[{six}]"),
                other => other.to_string(),
            };
            let text = if range.low == range.high {
                bracketed(range.low)
            } else {
                format!("{}-{}", bracketed(range.low), bracketed(range.high))
            };
            (family, text)
        }
    };
    Ok(format!("{word} {family} to {address}{ports}{random}"))
}
