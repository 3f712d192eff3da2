//! A measured network as a description of ours, with a stub at each exit.
//!
//! Each link is a wire of its own for each direction, with addresses of 198.18.0.0/15 (RFC 2544), which is set free in
//! every question. What leaves the network has a stub host behind it, local delivery (`self`) too; what enters comes
//! in on the interface `inject`, which every device has. A list on a link is the `policy-out` of its sender; each
//! further one is a device that forwards everything through its `policy-in`. A flood is a route with several next
//! hops: some packet may take each.

use crate::data::{Data, Pattern, Prefix, Rule};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

/// The addresses of wires.
pub(crate) const WIRES: &str = "198.18.0.0/15";
const WIRES_START: u32 = u32::from_be_bytes([198, 18, 0, 0]);
/// The interface of every device on which packets are injected.
pub(crate) const INJECT: &str = "inject";
/// The file of the lists.
const LISTS: &str = "lists.rules";
/// What the names of stubs begin with.
pub(crate) const STUB: &str = "exit.";

const HEAD: &str = "isoaudit: 1
name: measured
defaults: { kind: linux, ipv6: off, interfaces: { antispoof: off } }
assume:
  no-reflection: the other tools follow packets only
  no-source-routing: likewise
  no-hidden-forwarding: likewise
  static-neighbours: likewise
  reassembled: the lists know no fragments
nodes:
";

/// Writes the description of a network into a folder.
pub(crate) fn write(data: &Data, folder: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut writer = Writer { data, next: WIRES_START, nodes: BTreeMap::new(), links: String::new() };
    for (device, routes) in &data.routes {
        writer.device(device, routes)?;
    }
    let mut text = HEAD.to_owned();
    for (name, node) in &writer.nodes {
        let forwarding = if node.is_stub { "role: host, forwarding: off" } else { "role: router" };
        write!(text, "  {name}: {{ {forwarding}, interfaces: {{{} }}, routes: [", node.interfaces)?;
        // A line for each route: a route is then found where it is written.
        write!(text, "{}\n  ] }}\n", node.routes)?;
    }
    write!(text, "links:\n{}", writer.links)?;
    fs::create_dir_all(folder)?;
    fs::write(folder.join("topology.yaml"), text)?;
    fs::write(folder.join(LISTS), lists(data)?)?;
    Ok(())
}

/// A device as it is written.
#[derive(Default)]
struct Node {
    is_stub: bool,
    interfaces: String,
    routes: String,
}

struct Writer<'d> {
    data: &'d Data,
    /// The first address of the next wire.
    next: u32,
    nodes: BTreeMap<String, Node>,
    links: String,
}

impl Writer<'_> {
    fn device(
        &mut self,
        device: &str,
        routes: &[(Prefix, String)],
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let inject = Ipv4Addr::from(self.wire());
        self.interface(device, &format!("{INJECT}: {{ ipv4: {inject}/32 }}"));
        let used: BTreeSet<String> =
            routes.iter().flat_map(|(_, port)| self.data.flood(device, port)).collect();
        let mut hops: BTreeMap<String, Vec<Ipv4Addr>> = BTreeMap::new();
        for port in used {
            let peers = self.data.links.get(&(device.to_owned(), port.clone()));
            let mut ways: Vec<_> = peers.into_iter().flatten().map(|peer| self.data.follow(peer)).collect();
            if ways.is_empty() {
                ways.push((Vec::new(), None));
            }
            for (index, (lists, to)) in ways.into_iter().enumerate() {
                let to = to.unwrap_or_else(|| format!("{STUB}{device}.{port}"));
                let hop = self.way(device, &format!("{port}.{index}"), &lists, &to)?;
                hops.entry(port.clone()).or_default().push(hop);
            }
        }
        let mut by_prefix: BTreeMap<Prefix, BTreeSet<Ipv4Addr>> = BTreeMap::new();
        for (prefix, port) in routes {
            let ports = self.data.flood(device, port);
            let via = ports.iter().filter_map(|port| hops.get(port)).flatten();
            by_prefix.entry(*prefix).or_default().extend(via);
        }
        for (prefix, via) in by_prefix {
            let via: Vec<String> = via.iter().map(Ipv4Addr::to_string).collect();
            self.route(device, &show(prefix), &via.join(", "))?;
        }
        Ok(())
    }

    /// Wires an interface of a device through lists to another; returns the next hop.
    fn way(
        &mut self,
        device: &str,
        end: &str,
        lists: &[String],
        to: &str,
    ) -> Result<Ipv4Addr, Box<dyn Error + Send + Sync>> {
        let (first, further) = lists.split_first().map_or((None, lists), |(first, rest)| (Some(first), rest));
        let policy = first.map_or(String::new(), |list| format!(", policy-out: {}", named(list)));
        let (mut from, mut end, mut policy) = (device.to_owned(), end.to_owned(), policy);
        let mut hop = None;
        for step in further.iter().map(Some).chain([None]) {
            let wire = self.wire();
            let (near, far) = (Ipv4Addr::from(wire), Ipv4Addr::from(wire + 1));
            let next = step.map_or(to.to_owned(), |list| format!("list.{list}.{wire}"));
            let filter = step.map_or(String::new(), |list| format!(", policy-in: {}", named(list)));
            self.interface(&from, &format!("{end}: {{ ipv4: {near}/31{policy} }}"));
            self.interface(&next, &format!("from{wire}: {{ ipv4: {far}/31{filter} }}"));
            writeln!(self.links, "  - endpoints: [\"{from}:{end}\", \"{next}:from{wire}\"]")?;
            if hop.is_some() {
                self.route(&from, "default", &far.to_string())?;
            }
            hop = hop.or(Some(far));
            (from, end, policy) = (next, "out".to_owned(), String::new());
        }
        hop.ok_or_else(|| "a way has at least one wire".into())
    }

    fn interface(&mut self, node: &str, interface: &str) {
        let node = self
            .nodes
            .entry(node.to_owned())
            .or_insert_with_key(|name| Node { is_stub: name.starts_with(STUB), ..Node::default() });
        if !node.interfaces.is_empty() {
            node.interfaces.push(',');
        }
        node.interfaces.push_str("\n      ");
        node.interfaces.push_str(interface);
    }

    fn route(&mut self, node: &str, to: &str, via: &str) -> std::fmt::Result {
        let routes = &mut self.nodes.entry(node.to_owned()).or_default().routes;
        let comma = if routes.is_empty() { "" } else { "," };
        write!(routes, "{comma}\n      {{ to: {to}, via: [{via}] }}")
    }

    fn wire(&mut self) -> u32 {
        self.next += 2;
        self.next - 2
    }
}

fn show(prefix: Prefix) -> String {
    format!("{}/{}", Ipv4Addr::from(prefix.address), prefix.length)
}

fn named(list: &str) -> String {
    format!("{{ file: {LISTS}, name: {list} }}")
}

/// The access lists as policies.
fn lists(data: &Data) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut text = String::new();
    for (name, rules) in &data.lists {
        writeln!(text, "policy {name} {{\n  default deny")?;
        for (number, rule) in rules.iter().enumerate() {
            let action = if rule.permit { "allow" } else { "deny" };
            let (from, to, service) = (places(rule.src), places(rule.dst), service(rule)?);
            let opens = if rule.permit { " stateless" } else { "" };
            writeln!(text, "  rule r{number} {{ {action} from {from} to {to} service {service}{opens} }}")?;
        }
        text.push_str("}\n");
    }
    Ok(text)
}

fn places(pattern: Pattern) -> String {
    let prefixes: Vec<String> = pattern.prefixes().into_iter().map(show).collect();
    match prefixes.as_slice() {
        [all] if all == "0.0.0.0/0" => "any".to_owned(),
        [one] => one.clone(),
        several => format!("{{ {} }}", several.join(", ")),
    }
}

fn service(rule: &Rule) -> Result<String, Box<dyn Error + Send + Sync>> {
    let (low, high) = rule.dports;
    let ports = if (low, high) == (0, u16::MAX) { String::new() } else { format!("/{low}-{high}") };
    Ok(match (rule.protocols, ports.is_empty()) {
        ((0, 255), true) => "any".to_owned(),
        ((6, 6), _) => format!("tcp{ports}"),
        ((17, 17), _) => format!("udp{ports}"),
        ((1, 1), true) => "icmp".to_owned(),
        (protocols, _) => return Err(format!("no list had protocols {protocols:?} so far").into()),
    })
}
