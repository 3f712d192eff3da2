//! Tiny descriptions by chance: the words of the language, read by the reader and built by the builder.

use super::random::{Case, Chance};
use isoaudit::input::{self, Description};
use isoaudit::model::{Existence, Network, NodeId, Role, SegmentId};
use isoaudit::replay::{Foothold, Place, Question, Stance};
use isoaudit::source::{Loader, SourceMap};
use std::fmt::Write;
use std::path::Path;

/// The two files of a description.
pub(crate) struct Text {
    pub(crate) topology: String,
    pub(crate) policies: String,
}

const POLICIES: usize = 3;

struct Writer {
    chance: Chance,
    v6: bool,
}

/// The description of a seed.
pub(crate) fn text(seed: u64) -> Text {
    let mut chance = Chance::new(seed ^ 0x7e57);
    let v6 = chance.percent(30);
    let mut writer = Writer { chance, v6 };
    Text { topology: writer.topology(), policies: writer.policies() }
}

/// Reads the description of a seed, by way of files below a directory of its own.
pub(crate) fn read(seed: u64, directory: &Path) -> Result<Description, String> {
    let Text { topology, policies } = text(seed);
    let root = directory.join(seed.to_string());
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(root.join("topology.yaml"), &topology).unwrap();
    std::fs::write(root.join("lists.rules"), &policies).unwrap();
    let mut sources = SourceMap::default();
    let loader = Loader::new(&root, 1 << 20);
    input::read(&mut sources, &loader, Path::new("topology.yaml"), &Default::default()).map_err(|found| {
        let each = found.sorted().into_iter().map(|d| {
            let place = d.span.map(|span| sources.place(span)).unwrap_or_default();
            format!("{place}: {}\n", d.message)
        });
        format!("{}\n{topology}\n{policies}", each.collect::<String>())
    })
}

/// The network of a description, with a question about it.
pub(crate) fn case(seed: u64, directory: &Path) -> Result<Case, String> {
    let network = read(seed, directory)?.network;
    let question = question(&mut Chance::new(seed ^ 0xa5c), &network);
    Ok(Case { network, question })
}

fn question(chance: &mut Chance, network: &Network) -> Question {
    let mut question = Question::default();
    let nodes: Vec<NodeId> = network
        .nodes_by_id()
        .filter(|(_, node)| node.role != Role::Internet && node.existence == Existence::Described)
        .map(|(id, _)| id)
        .collect();
    let mut foothold = || match chance.below(3) {
        0 | 1 if !network.segments.is_empty() => {
            let place = Place::Segment(SegmentId::at(chance.below(network.segments.len())));
            Foothold { place, stance: Stance::Adversary }
        }
        _ => {
            let stance = chance.pick(&[Stance::Adversary, Stance::Honest]);
            Foothold { place: Place::Node(chance.pick(&nodes)), stance }
        }
    };
    question.footholds = vec![foothold()];
    question.openers = vec![foothold()];
    for foothold in &question.footholds {
        match (foothold.place, foothold.stance) {
            (Place::Segment(segment), _) => {
                question.adversary_segments.insert(segment);
            }
            (Place::Node(node), Stance::Adversary) => {
                question.adversary_nodes.insert(node);
                let interfaces = network.node(node).interfaces.iter();
                question.adversary_segments.extend(interfaces.filter_map(|i| network.interface(*i).segment));
            }
            (Place::Node(_), Stance::Honest) => {}
        }
    }
    question
}

impl Writer {
    fn topology(&mut self) -> String {
        let mut out = String::from(
            "isoaudit: 1\nzones: { a: {}, b: {} }\nvlans: { x: { id: 10 }, y: { id: 20 } }\nvrfs: { blue: {} }\n",
        );
        let reasons = [
            ("no-reflection", 60),
            ("static-neighbours", 60),
            ("no-source-routing", 40),
            ("reassembled", 20),
        ];
        let assumed: Vec<String> = reasons
            .into_iter()
            .filter(|(_, percent)| self.chance.percent(*percent))
            .map(|(name, _)| format!("{name}: \"a test\""))
            .collect();
        let _ = writeln!(out, "assume: {{ {} }}", assumed.join(", "));
        if self.chance.percent(10) {
            out.push_str("cabling: unknown\n");
        }
        out.push_str("nodes:\n");
        let segments = 2 + self.chance.below(2);
        let mut ends = vec![Vec::new(); segments];
        for node in 0..2 + self.chance.below(2) {
            self.node(&mut out, node, &mut ends);
        }
        if self.chance.percent(30) {
            out.push_str("  sw: { kind: linux, role: switch, ipv6: off, interfaces: { ");
            out.push_str("up: { trunk: [x, y] }, p1: { access: x }, p2: { access: y } } }\n");
        }
        let has_switch = out.contains("role: switch");
        out.push_str("links:\n");
        for (segment, mut names) in ends.into_iter().enumerate() {
            if self.chance.percent(30) {
                names.push("internet".to_owned());
            }
            if has_switch && segment == 0 {
                names.push("sw:p1".to_owned());
            }
            if names.len() > 1 {
                let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
                let _ = writeln!(out, "  - endpoints: [{}]", quoted.join(", "));
            }
        }
        if out.ends_with("links:\n") {
            out.push_str("  []\n");
        }
        out
    }

    fn node(&mut self, out: &mut String, node: usize, ends: &mut [Vec<String>]) {
        let role = self.chance.pick(&["router", "firewall", "host"]);
        let kind = if self.chance.percent(92) { "linux" } else { "odd" };
        let _ = write!(out, "  n{node}: {{ role: {role}, kind: {kind}");
        if self.chance.percent(40) {
            out.push_str(self.chance.pick(&[", forwarding: on", ", forwarding: off"]));
        }
        if !self.v6 && self.chance.percent(70) {
            out.push_str(", ipv6: off");
        }
        if self.chance.percent(60) {
            let _ = write!(out, ", policy: {{ file: lists.rules, name: p{} }}", self.chance.below(POLICIES));
        }
        out.push_str(", interfaces: { ");
        let count = 1 + self.chance.below(ends.len());
        for interface in 0..count {
            let segment = (node + interface) % ends.len();
            self.interface(out, node, interface, segment);
            ends[segment].push(format!("n{node}:eth{interface}"));
        }
        out.push_str("}, routes: [ ");
        for _ in 0..self.chance.below(3) {
            self.route(out, node, ends.len());
        }
        out.push_str("] }\n");
    }

    fn interface(&mut self, out: &mut String, node: usize, interface: usize, segment: usize) {
        let _ = write!(out, "eth{interface}: {{ ipv4: 10.0.{segment}.{}/29", node + 1);
        if self.v6 && self.chance.percent(60) {
            let _ = write!(out, ", ipv6: \"fd00:0:0:{segment}::{}/64\"", node + 1);
        }
        if self.chance.percent(60) {
            out.push_str(self.chance.pick(&[", zone: a", ", zone: b"]));
        }
        if self.chance.percent(15) {
            out.push_str(", vrf: blue");
        }
        if self.chance.percent(60) {
            let word = self.chance.pick(&["strict", "loose", "off"]);
            let _ = write!(out, ", antispoof: {word}");
        }
        for key in ["policy-in", "policy-out"] {
            if self.chance.percent(8) {
                let _ =
                    write!(out, ", {key}: {{ file: lists.rules, name: p{} }}", self.chance.below(POLICIES));
            }
        }
        out.push_str(" }, ");
    }

    fn route(&mut self, out: &mut String, node: usize, segments: usize) {
        let to = self.chance.pick(&["default", "10.0.0.0/16", "10.0.1.0/30", "192.0.2.0/24"]);
        let segment = node % segments;
        let via = |chance: &mut Chance| format!("10.0.{segment}.{}", chance.pick(&[1, 2, 3, 4]));
        let own = format!("10.0.{segment}.{}", node + 1);
        let how = match self.chance.below(8) {
            0 => "blackhole: true".to_owned(),
            1 => "unreachable: true".to_owned(),
            2 => format!("via: [{}, {}]", via(&mut self.chance), via(&mut self.chance)),
            _ => format!("via: {}", via(&mut self.chance)),
        };
        // A node is not its own neighbour.
        if !how.contains(&own) {
            let _ = write!(out, "{{ to: {to}, {how} }}, ");
        }
    }

    fn policies(&mut self) -> String {
        let mut out = String::new();
        for policy in 0..POLICIES {
            let _ = writeln!(out, "policy p{policy} {{");
            for rule in 0..self.chance.below(5) {
                self.rule(&mut out, rule);
            }
            let default = self.chance.pick(&["deny", "deny", "allow", "reject"]);
            let _ = writeln!(out, "  default {default}\n}}");
        }
        out
    }

    fn rule(&mut self, out: &mut String, rule: usize) {
        let action = self.chance.pick(&["allow", "allow", "allow", "deny", "reject"]);
        let _ = write!(out, "  rule r{rule} {{ {action}");
        if self.chance.percent(50) {
            let _ = write!(out, " from {}", self.places());
        }
        if self.chance.percent(50) {
            let _ = write!(out, " to {}", self.places());
        }
        if self.chance.percent(45) {
            let pool =
                ["tcp/80", "udp/53", "icmp/echo-request", "tcp", "not tcp/80", "{ tcp/80, icmp }", "any"];
            let _ = write!(out, " service {}", self.chance.pick(&pool));
        }
        if self.chance.percent(10) {
            out.push_str(self.chance.pick(&[" state new", " state established", " state not invalid"]));
        }
        if self.chance.percent(8) {
            out.push_str(" flags syn/syn,ack");
        }
        if self.chance.percent(10) {
            out.push_str(self.chance.pick(&[" in eth0", " out eth1", " in not eth0"]));
        }
        if self.chance.percent(15) {
            out.push_str(" stateless");
        }
        out.push_str(" }\n");
    }

    fn places(&mut self) -> &'static str {
        self.chance.pick(&[
            "any",
            "self",
            "zone a",
            "zone b",
            "10.0.0.0/29",
            "10.0.1.0/29",
            "10.0.0.0/16",
            "10.0.1.2",
            "not 10.0.0.0/29",
            "{ zone a, 10.0.1.0/29 }",
            "not { zone b, 10.0.0.1-10.0.0.4 }",
        ])
    }
}
