//! A network as the bench builds it and as the auditor reads it: one description, two readers.

use ipnet::IpNet;
use std::fmt::Write as _;
use std::net::IpAddr;

/// Whose rules a node loads: the texts are the same, the code in the kernel is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Nft,
    Legacy,
}

/// A network of nodes and lines between two of them each.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) nodes: Vec<NodeSpec>,
    pub(crate) links: Vec<LinkSpec>,
    pub(crate) ipv6: bool,
    pub(crate) backend: Backend,
    /// Claims and anything else that the description is to have, as YAML.
    pub(crate) more: String,
}

#[derive(Debug, Clone)]
pub(crate) struct NodeSpec {
    pub(crate) name: String,
    /// A host has a gateway and no rules, and the description says so in its own words; all else comes from dumps.
    pub(crate) is_host: bool,
    /// Further `sysctl` keys, set before any link is there.
    pub(crate) sysctl: Vec<(String, String)>,
    pub(crate) routes: Vec<RouteSpec>,
    pub(crate) rules: Vec<RuleSpec>,
    /// What iptables-restore and ip6tables-restore read, by family.
    pub(crate) tables: [Ruleset; 2],
}

impl NodeSpec {
    pub(crate) fn router(name: &str) -> NodeSpec {
        NodeSpec {
            name: name.to_owned(),
            is_host: false,
            sysctl: Vec::new(),
            routes: Vec::new(),
            rules: Vec::new(),
            tables: [Ruleset::default(), Ruleset::default()],
        }
    }

    /// Whether the kernel tracks connections here: some rule asks for it.
    pub(crate) fn tracks(&self) -> bool {
        let tables = self.tables.iter().flat_map(|tables| &tables.tables);
        tables
            .into_iter()
            .any(|table| table.name == "nat" || table.rules.iter().any(|rule| asks_tracker(rule)))
    }

    pub(crate) fn host(name: &str) -> NodeSpec {
        NodeSpec { is_host: true, ..NodeSpec::router(name) }
    }

    pub(crate) fn route(&mut self, to: &str, action: RouteAction) {
        self.routes.push(RouteSpec { table: MAIN, to: to.parse().unwrap(), action });
    }
}

/// Whether a rule loads the tracker.
fn asks_tracker(rule: &str) -> bool {
    ["state ", "connmark ", "CONNMARK "].iter().any(|word| rule.contains(word))
}

/// The table that is looked up if no rule says otherwise.
pub(crate) const MAIN: u32 = 254;

#[derive(Debug, Clone)]
pub(crate) struct RouteSpec {
    pub(crate) table: u32,
    pub(crate) to: IpNet,
    pub(crate) action: RouteAction,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RouteAction {
    /// To one of these neighbours.
    Via(Vec<IpAddr>),
    /// Straight onto a line.
    Device(String),
    Blackhole,
    Unreachable,
    Prohibit,
    Throw,
}

#[derive(Debug, Clone)]
pub(crate) struct RuleSpec {
    pub(crate) priority: u32,
    pub(crate) v6: bool,
    pub(crate) from: Option<IpNet>,
    pub(crate) to: Option<IpNet>,
    pub(crate) incoming: Option<String>,
    /// The mark, and the bits of it that are looked at.
    pub(crate) mark: Option<(u32, u32)>,
    /// The table, or none for "unreachable".
    pub(crate) table: Option<u32>,
}

/// The tables of one iptables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ruleset {
    /// `:INPUT DROP [0:0]`, by table.
    pub(crate) tables: Vec<TableText>,
}

#[derive(Debug, Clone)]
pub(crate) struct TableText {
    pub(crate) name: String,
    pub(crate) chains: Vec<String>,
    pub(crate) rules: Vec<String>,
}

impl Ruleset {
    /// A filter table with these chains (`INPUT DROP`, `mine -`) and rules (`-A INPUT …`).
    pub(crate) fn filter(chains: &[&str], rules: &[&str]) -> Ruleset {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let table = TableText { name: "filter".to_owned(), chains: owned(chains), rules: owned(rules) };
        Ruleset { tables: vec![table] }
    }

    /// The text that both the kernel's tools and the auditor read.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for table in &self.tables {
            writeln!(text, "*{}", table.name).unwrap();
            table.chains.iter().for_each(|chain| writeln!(text, ":{chain} [0:0]").unwrap());
            table.rules.iter().for_each(|rule| writeln!(text, "{rule}").unwrap());
            text.push_str("COMMIT\n");
        }
        text
    }
}

/// A line.
#[derive(Debug, Clone)]
pub(crate) struct LinkSpec {
    pub(crate) ends: [EndSpec; 2],
}

#[derive(Debug, Clone)]
pub(crate) struct EndSpec {
    pub(crate) node: usize,
    pub(crate) interface: String,
    pub(crate) addresses: Vec<IpNet>,
}

impl Spec {
    pub(crate) fn new(backend: Backend, ipv6: bool) -> Spec {
        Spec { nodes: Vec::new(), links: Vec::new(), ipv6, backend, more: String::new() }
    }

    pub(crate) fn add(&mut self, node: NodeSpec) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// A line between two nodes; each end is named after the line. Its number.
    pub(crate) fn link(&mut self, ends: [usize; 2], addresses: [&[&str]; 2]) -> usize {
        let number = self.links.len();
        let end = |side: usize| EndSpec {
            node: ends[side],
            interface: format!("eth{number}"),
            addresses: addresses[side].iter().map(|text| text.parse().unwrap()).collect(),
        };
        self.links.push(LinkSpec { ends: [end(0), end(1)] });
        number
    }

    /// The ends of lines at a node: number of the line, side.
    pub(crate) fn ends_of(&self, node: usize) -> Vec<(usize, usize)> {
        let sides = self.links.iter().enumerate().flat_map(|(number, _)| [(number, 0), (number, 1)]);
        sides.filter(|(number, side)| self.links[*number].ends[*side].node == node).collect()
    }

    /// Whether what some node makes of a mark may hang on the state of a connection.
    pub(crate) fn marks_by_state(&self) -> bool {
        let sets = |node: &NodeSpec| {
            let rules = node.tables.iter().flat_map(|tables| &tables.tables).flat_map(|table| &table.rules);
            rules.into_iter().any(|rule| rule.contains("MARK "))
        };
        self.nodes.iter().any(|node| node.tracks() && sets(node))
    }

    /// Whether some node translates addresses.
    pub(crate) fn translates(&self) -> bool {
        let mut tables = self.nodes.iter().flat_map(|node| &node.tables).flat_map(|tables| &tables.tables);
        tables.any(|table| table.name == "nat" && !table.rules.is_empty())
    }

    pub(crate) fn addresses_of(&self, node: usize) -> Vec<IpAddr> {
        let ends = self.ends_of(node).into_iter();
        ends.flat_map(|(number, side)| &self.links[number].ends[side].addresses).map(IpNet::addr).collect()
    }

    /// The description that names the dumps of each node, which stand in a folder of its name.
    pub(crate) fn yaml(&self) -> String {
        let mut text = String::from("isoaudit: 1\nname: kernel\ndefaults: { kind: linux");
        if !self.ipv6 {
            text.push_str(", ipv6: off");
        }
        text.push_str(", interfaces: { antispoof: off } }\n");
        // Each host is a zone of its name, and so is its line.
        let hosts = self.nodes.iter().filter(|node| node.is_host).map(|node| format!("{}: {{}}", node.name));
        writeln!(text, "zones: {{ {} }}", hosts.collect::<Vec<_>>().join(", ")).unwrap();
        text.push_str("nodes:\n");
        for (index, node) in self.nodes.iter().enumerate() {
            if node.is_host { self.host(index, &mut text) } else { self.router(index, &mut text) }
        }
        text.push_str("links:\n");
        for LinkSpec { ends: [one, two] } in &self.links {
            let name = |end: &EndSpec| format!("\"{}:{}\"", self.nodes[end.node].name, end.interface);
            writeln!(text, "  - endpoints: [{}, {}]", name(one), name(two)).unwrap();
        }
        text.push_str(&self.more);
        text
    }

    fn router(&self, index: usize, text: &mut String) {
        let NodeSpec { name, tables, .. } = &self.nodes[index];
        writeln!(text, "  {name}:\n    role: router\n    config:").unwrap();
        let mut file = |key: &str, file: &str| {
            writeln!(
                text,
                "      {key}: {}",
                if file == "none" { file.to_owned() } else { format!("{name}/{file}") }
            )
            .unwrap();
        };
        let given = |table: &Ruleset, name| if table.tables.is_empty() { "none" } else { name };
        file("iptables", given(&tables[0], "iptables-save.txt"));
        file("ip6tables", given(&tables[1], "ip6tables-save.txt"));
        file("nftables", "none");
        file("addresses", "ip-addr.json");
        file("routes", "ip-route.json");
        file("rules", "ip-rule.json");
        if self.ipv6 {
            file("routes6", "ip6-route.json");
            file("rules6", "ip6-rule.json");
        }
        file("sysctl", "sysctl.txt");
    }

    fn host(&self, index: usize, text: &mut String) {
        let NodeSpec { name, routes, .. } = &self.nodes[index];
        writeln!(text, "  {name}:\n    role: host\n    forwarding: off\n    interfaces:").unwrap();
        for (number, side) in self.ends_of(index) {
            let end = &self.links[number].ends[side];
            let of = |v6: bool| {
                let those = end.addresses.iter().filter(|net| net.addr().is_ipv6() == v6);
                those.map(|net| format!("\"{net}\"")).collect::<Vec<_>>().join(", ")
            };
            write!(text, "      {}: {{ ipv4: [{}]", end.interface, of(false)).unwrap();
            if self.ipv6 {
                write!(text, ", ipv6: [{}]", of(true)).unwrap();
            }
            writeln!(text, ", zone: {name} }}").unwrap();
        }
        let via = |route: &RouteSpec| match &route.action {
            RouteAction::Via(hops) => format!("{{ to: \"{}\", via: \"{}\" }}", route.to, hops[0]),
            other => panic!("a host has no route of the kind {other:?}"),
        };
        let all: Vec<String> = routes.iter().map(via).collect();
        writeln!(text, "    routes: [ {} ]", all.join(", ")).unwrap();
    }
}
