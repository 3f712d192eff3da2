//! The script: what is set up, then each packet and what was seen of it.

use super::Obstacle;
use super::ruleset::{self, Rules};
use super::stage::{Origin, Stage, Way};
use crate::header::{Fragment, Packet, proto};
use crate::model::{
    Antispoof, Fact, InterfaceId, Lookup, LookupRule, MarkTest, NextHop, NodeId, Reading, Route, RouteAction,
    Segment, SegmentId, Table,
};
use crate::source::SourceMap;
use crate::wire;
use std::fmt::Write;
use std::net::IpAddr;

/// The programs that the script calls, besides those that load dumps.
pub const PROGRAMS: &[&str] = &["unshare", "sh", "mount", "ip", "nft"];

/// What begins a line that says which packet, by its number from 1, and which namespace the next line is about.
pub const SEEN: &str = "isoaudit-seen";

/// The table of the counters, in each namespace; they are `pNrx` (received), `pNtx` (put on a line) and `pNin` (past the
/// input filter), of packet number N.
pub const COUNTERS: &str = "isoaudit";

/// The table that leads to the first line, and the first of the tables that a device has.
const FORCED_TABLE: usize = 999;
const FIRST_TABLE: usize = 1000;

/// Whom a frame is for that nobody receives.
const NOBODY: &str = "02:ff:ff:ff:ff:ff";

/// What the rest of the script calls: a namespace with no settings of the machine, and a line from an interface to the bridge
/// of a segment.
const FUNCTIONS: &str = "\
namespace() { # NAME
  ip netns add $1
  ip -n $1 link set lo up
  ip netns exec $1 sh -eu <<'END'
for family in ipv4 ipv6; do
  for which in all default; do
    for name in rp_filter send_redirects accept_redirects accept_ra accept_dad; do
      path=/proc/sys/net/$family/conf/$which/$name
      if [ -e $path ]; then echo 0 >$path; fi
    done
  done
done
echo 0 >/proc/sys/net/ipv4/ip_forward
echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
END
}
plug() { # NAMESPACE INTERFACE ADDRESS PORT SEGMENT
  ip -n $1 link add name $2 address $3 type veth peer name $4 netns $5
  ip -n $5 link set dev $4 master bridge
  ip -n $5 link set dev $4 up
}
write() { # NAMESPACE SETTING VALUE
  ip netns exec $1 sh -eu -c \"echo $3 >/proc/sys/net/$2\"
}
";

struct Script<'s, 'f> {
    stage: &'s Stage<'f>,
    text: String,
    /// The addresses of the packets, in all their forms.
    ends: Vec<IpAddr>,
}

/// Writes the script of a stage.
pub(super) fn write(stage: &Stage<'_>, sources: &SourceMap) -> Result<String, Obstacle> {
    let mut script = Script { stage, text: String::new(), ends: ends(stage) };
    script.line("set -eu");
    // All of it is read before any of it runs, so that no command takes the rest of the script for its input.
    script.text.push_str(FUNCTIONS);
    script.line("main() {");
    script.line("mount -t tmpfs none /run");
    for segment in &stage.segments {
        script.segment(*segment);
    }
    for node in &stage.nodes {
        script.device(*node)?;
    }
    for way in &stage.ways {
        if let Origin::Segment(segment) = way.origin {
            script.onlooker(segment);
        }
    }
    for node in stage.nodes.iter().filter(|node| !stage.adversaries.contains(node)) {
        for rules in ruleset::rules(stage.network, sources, *node)? {
            script.load(&stage.namespace(*node), &rules);
        }
    }
    for node in &stage.nodes {
        script.counters(*node);
    }
    for (index, way) in stage.ways.iter().enumerate() {
        script.send(index, way)?;
    }
    script.line("}\nmain </dev/null");
    Ok(script.text)
}

/// The addresses of the packets in all their forms.
fn ends(stage: &Stage<'_>) -> Vec<IpAddr> {
    let packets = stage.ways.iter().flat_map(|way| &way.forms);
    packets.flat_map(|packet| [packet.src, packet.dst]).collect()
}

/// The address of layer 2 of an interface.
fn hardware(id: InterfaceId) -> String {
    let [a, b, c, d] = id.0.to_be_bytes();
    format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// A text as one word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn host_prefix(address: IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 })
}

fn family_flag(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "-4" } else { "-6" }
}

impl Script<'_, '_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn ip(&mut self, namespace: &str, command: &str) {
        let _ = writeln!(self.text, "ip -n {namespace} {command}");
    }

    fn namespace(&mut self, name: &str) {
        let _ = writeln!(self.text, "namespace {name}");
    }

    /// A bridge that every device on the segment is plugged into.
    fn segment(&mut self, id: SegmentId) {
        let namespace = format!("s{}", id.0);
        let _ = writeln!(self.text, "\n# segment {}", comment(&self.stage.network.segment(id).name));
        self.namespace(&namespace);
        self.ip(&namespace, "link add name bridge type bridge mcast_snooping 0 forward_delay 0");
        self.ip(&namespace, "link set dev bridge up");
    }

    /// Plugs an interface into a segment.
    fn plug(&mut self, namespace: &str, name: &str, address: &str, port: &str, segment: SegmentId) {
        let _ = writeln!(self.text, "plug {namespace} {name} {address} {port} s{}", segment.0);
    }

    fn set(&mut self, namespace: &str, setting: &str, value: u8) {
        let _ = writeln!(self.text, "write {namespace} {setting} {value}");
    }

    fn device(&mut self, id: NodeId) -> Result<(), Obstacle> {
        let network = self.stage.network;
        let node = network.node(id);
        let namespace = self.stage.namespace(id);
        let _ = writeln!(self.text, "\n# device {}", comment(&node.name));
        self.namespace(&namespace);
        for (setting, fact) in
            [("ipv4/ip_forward", node.forwarding[0]), ("ipv6/conf/all/forwarding", node.forwarding[1])]
        {
            self.set(&namespace, setting, u8::from(fact.holds(Reading::Must)));
        }
        for interface in &node.interfaces {
            self.interface(&namespace, *interface);
        }
        for interface in &node.interfaces {
            self.neighbours(&namespace, *interface);
        }
        self.routing(id, &namespace)
    }

    fn interface(&mut self, namespace: &str, id: InterfaceId) {
        let spec = self.stage.network.interface(id);
        let Some(segment) = spec.segment else { return };
        let name = &spec.name;
        if name != "lo" {
            self.plug(namespace, name, &hardware(id), &format!("p{}", id.0), segment);
            let off = u8::from(!spec.ipv6.holds(Reading::Must));
            let check = match spec.antispoof[0] {
                Antispoof::Off => 0,
                Antispoof::Strict | Antispoof::Undeclared(_) => 1,
                Antispoof::Loose => 2,
            };
            self.set(namespace, &format!("ipv4/conf/{name}/rp_filter"), check);
            self.set(namespace, &format!("ipv6/conf/{name}/disable_ipv6"), off);
        }
        let six = |address: IpAddr| address.is_ipv6() && spec.ipv6.holds(Reading::Must);
        for address in spec.addresses.iter().filter(|one| one.net.addr().is_ipv4() || six(one.net.addr())) {
            let extra = if address.net.addr().is_ipv6() { " nodad" } else { "" };
            self.ip(namespace, &format!("address add {} dev {name} noprefixroute{extra}", address.net));
        }
        self.ip(namespace, &format!("link set dev {name} up"));
    }

    /// Nobody is asked for an address of layer 2: each address that matters is somebody's, or nobody's.
    fn neighbours(&mut self, namespace: &str, id: InterfaceId) {
        let network = self.stage.network;
        let spec = network.interface(id);
        let Some(segment) = spec.segment.filter(|_| spec.name != "lo") else { return };
        let mut addresses = self.ends.clone();
        for route in network.node(spec.node).tables.iter().flat_map(|table| &table.routes) {
            if let RouteAction::Send(hops) = &route.action {
                addresses.extend(hops.iter().filter(|hop| hop.interface == id).filter_map(|hop| hop.via));
            }
        }
        addresses.sort_unstable();
        addresses.dedup();
        for address in addresses {
            let own = spec.addresses.iter().any(|one| one.net.addr() == address);
            let runs = address.is_ipv4() || spec.ipv6.holds(Reading::Must);
            if !own && runs && !address.is_multicast() {
                let there = self.owner(network.segment(segment), address).map_or(NOBODY.to_owned(), hardware);
                self.ip(namespace, &neighbour(address, &there, &spec.name));
            }
        }
    }

    /// The interface on a segment that owns an address and is set up.
    fn owner(&self, segment: &Segment, address: IpAddr) -> Option<InterfaceId> {
        let network = self.stage.network;
        let owns = |id: &&InterfaceId| {
            let interface = network.interface(**id);
            self.stage.nodes.contains(&interface.node)
                && interface.addresses.iter().any(|one| one.net.addr() == address)
        };
        segment.attached.iter().find(owns).copied()
    }

    fn routing(&mut self, id: NodeId, namespace: &str) -> Result<(), Obstacle> {
        let node = self.stage.network.node(id);
        for (position, table) in node.tables.iter().enumerate() {
            self.table(id, namespace, FIRST_TABLE + position, table);
        }
        for flag in ["-4", "-6"] {
            for preference in [32766, 32767] {
                let _ = writeln!(
                    self.text,
                    "ip -n {namespace} {flag} rule del pref {preference} 2>/dev/null || true"
                );
            }
        }
        for (position, rule) in node.lookup.iter().enumerate().filter(|(_, rule)| rule.unknown.is_none()) {
            self.rule(namespace, 100 + position, rule);
            if let (Lookup::Table(table), Fact::No) = (rule.action, rule.falls_through) {
                for flag in ["-4", "-6"] {
                    let end = format!("{flag} route add unreachable default metric 4278198272 table");
                    let _ = writeln!(
                        self.text,
                        "ip -n {namespace} {end} {} 2>/dev/null || true",
                        FIRST_TABLE + table
                    );
                }
            }
        }
        Ok(())
    }

    fn table(&mut self, node: NodeId, namespace: &str, number: usize, table: &Table) {
        for (index, route) in table.routes.iter().enumerate().filter(|(_, route)| route.unknown.is_none()) {
            if let Some(way) = self.way(node, route) {
                let flag = family_flag(route.prefix.addr());
                let metric = 1 + index;
                self.ip(namespace, &format!("{flag} route add {way} metric {metric} table {number}"));
            }
        }
    }

    /// A route in the words of `ip`; `None` if it is of a family that does not run there.
    fn way(&self, node: NodeId, route: &Route) -> Option<String> {
        let prefix = route.prefix.trunc();
        Some(match &route.action {
            RouteAction::Send(hops) => {
                // Of equal hops the one that the finding tells of, or the first.
                let told = hops.iter().find(|hop| self.stage.chosen.contains(&(node, hop.interface)));
                let NextHop { interface, via } = told.or(hops.first())?;
                let spec = self.stage.network.interface(*interface);
                let runs = prefix.addr().is_ipv4() || spec.ipv6.holds(Reading::Must);
                if !runs || spec.segment.is_none() || spec.name == "lo" {
                    return None;
                }
                match via {
                    Some(via) if via.is_ipv6() && prefix.addr().is_ipv4() => {
                        format!("{prefix} via inet6 {via} dev {} onlink", spec.name)
                    }
                    Some(via) => format!("{prefix} via {via} dev {} onlink", spec.name),
                    None => format!("{prefix} dev {}", spec.name),
                }
            }
            RouteAction::Blackhole => format!("blackhole {prefix}"),
            RouteAction::Unreachable => format!("unreachable {prefix}"),
            RouteAction::Throw => format!("throw {prefix}"),
        })
    }

    fn rule(&mut self, namespace: &str, preference: usize, rule: &LookupRule) {
        let action = match rule.action {
            Lookup::Table(table) => format!("lookup {}", FIRST_TABLE + table),
            Lookup::Blackhole => "blackhole".to_owned(),
            Lookup::Unreachable => "unreachable".to_owned(),
        };
        let mut words = String::new();
        for (word, prefix) in [("from", rule.from), ("to", rule.to)] {
            if let Some(prefix) = prefix {
                let _ = write!(words, " {word} {prefix}");
            }
        }
        if let Some(MarkTest { value, mask, negated }) = rule.mark {
            words = format!("{} fwmark {value:#x}/{mask:#x}{words}", if negated { " not" } else { "" });
        }
        let incoming: Vec<String> = match &rule.incoming {
            None => vec![String::new()],
            Some(list) => {
                list.iter().map(|id| format!(" iif {}", self.stage.network.interface(*id).name)).collect()
            }
        };
        let families: &[&str] = match rule.from.or(rule.to) {
            Some(prefix) => &[family_flag(prefix.addr())],
            None => &["-4", "-6"],
        };
        for (flag, incoming) in families.iter().flat_map(|flag| incoming.iter().map(move |one| (flag, one))) {
            self.ip(namespace, &format!("{flag} rule add pref {preference}{words}{incoming} {action}"));
        }
    }

    /// Somebody on a segment, who only sends.
    fn onlooker(&mut self, segment: SegmentId) {
        let namespace = format!("a{}", segment.0);
        if self.text.contains(&format!("\nnamespace {namespace}\n")) {
            return;
        }
        let _ = writeln!(
            self.text,
            "\n# somebody on segment {}",
            comment(&self.stage.network.segment(segment).name)
        );
        self.namespace(&namespace);
        let [a, b, c, d] = segment.0.to_be_bytes();
        let address = format!("02:01:{a:02x}:{b:02x}:{c:02x}:{d:02x}");
        self.plug(&namespace, "eth0", &address, &namespace, segment);
        self.ip(&namespace, "link set dev eth0 up");
    }

    fn load(&mut self, namespace: &str, rules: &Rules) {
        let _ = writeln!(
            self.text,
            "printf '%s\\n' {} | ip netns exec {namespace} {}",
            quoted(&rules.text),
            rules.program
        );
    }

    /// Counts each packet, in any of its forms, before all rules of the device and behind them.
    fn counters(&mut self, node: NodeId) {
        let mut table = format!("table inet {COUNTERS} {{\n");
        let spots = [("rx", "prerouting", -500), ("in", "input", 1000), ("tx", "postrouting", 1000)];
        for (index, _) in self.stage.ways.iter().enumerate() {
            for (spot, _, _) in spots {
                let _ = writeln!(table, " counter p{}{spot} {{ }}", index + 1);
            }
        }
        for (spot, hook, priority) in spots {
            let _ = writeln!(table, " chain {spot} {{ type filter hook {hook} priority {priority};");
            for (index, way) in self.stage.ways.iter().enumerate() {
                for form in &way.forms {
                    let _ = writeln!(table, "  {} counter name p{}{spot}", likeness(form), index + 1);
                }
            }
            table.push_str(" }\n");
        }
        table.push('}');
        self.load(&self.stage.namespace(node), &Rules { program: "nft -f -", text: table });
    }

    /// Sends a packet, and asks every device whether it saw it.
    fn send(&mut self, index: usize, way: &Way<'_>) -> Result<(), Obstacle> {
        let packet = &way.leg.packet;
        let namespace = self.stage.sender(way);
        let Some(bytes) = wire::bytes(packet) else {
            return Err(Obstacle::new("a packet has addresses of two families", None));
        };
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = writeln!(self.text, "\n# packet {}: {packet}", index + 1);
        let interface = match way.origin {
            Origin::Own(_) => None,
            Origin::Node(_, id) => Some(self.stage.network.interface(id).name.clone()),
            Origin::Segment(_) => Some("eth0".to_owned()),
        };
        if let Some(name) = &interface {
            let there = way.receiver.map_or(NOBODY.to_owned(), hardware);
            let (flag, to) = (family_flag(packet.dst), host_prefix(packet.dst));
            self.ip(&namespace, &format!("{flag} rule add pref 1 to {to} lookup {FORCED_TABLE}"));
            self.ip(&namespace, &format!("{flag} route replace {to} dev {name} table {FORCED_TABLE}"));
            self.ip(&namespace, &neighbour(packet.dst, &there, name));
        }
        let by = interface.unwrap_or_else(|| "-".to_owned());
        let _ = writeln!(self.text, "ip netns exec {namespace} \"$ISOAUDIT\" send-packet {by} {hex}");
        self.line("sleep 0.2");
        for node in &self.stage.nodes {
            let there = self.stage.namespace(*node);
            let _ = writeln!(self.text, "echo {SEEN} {} {there}", index + 1);
            let _ =
                writeln!(self.text, "ip netns exec {there} nft -j list counters table inet {COUNTERS}; echo");
        }
        Ok(())
    }
}

fn neighbour(address: IpAddr, hardware: &str, interface: &str) -> String {
    format!("neighbour replace {address} lladdr {hardware} dev {interface} nud permanent")
}

/// A name in a comment of the script: nothing in it ends the line.
fn comment(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_alphanumeric() || c.is_ascii_graphic() || " –".contains(c) { c } else { '?' })
        .collect()
}

/// Matches of nftables that fit a packet.
fn likeness(packet: &Packet) -> String {
    let word = if packet.src.is_ipv4() { "ip" } else { "ip6" };
    let mut matches =
        format!("{word} saddr {} {word} daddr {} meta l4proto {}", packet.src, packet.dst, packet.proto);
    if packet.fragment == Fragment::Later {
        return matches;
    }
    if proto::has_ports(packet.proto) {
        let _ = write!(matches, " th sport {} th dport {}", packet.sport, packet.dport);
    }
    if matches!(packet.proto, proto::ICMP | proto::ICMPV6) {
        let word = if packet.proto == proto::ICMP { "icmp" } else { "icmpv6" };
        let _ = write!(matches, " {word} type {} {word} code {}", packet.icmp_type, packet.icmp_code);
    }
    matches
}
