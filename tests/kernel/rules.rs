//! Rules of iptables by chance. A feature is one row of [`FEATURES`].

use super::chance::Chance;
use super::spec::TableText;
use ipnet::IpNet;
use isoaudit::header::Family;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What rules of a node may speak about.
#[derive(Debug, Clone)]
pub(crate) struct Vocabulary {
    pub(crate) family: Family,
    pub(crate) prefixes: Vec<IpNet>,
    pub(crate) interfaces: Vec<String>,
    /// What may be behind translations: addresses of anybody, and a prefix of the node that is on no line.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) pool: IpNet,
    /// Whether rules speak of marks of connections.
    pub(crate) marks_connections: bool,
}

pub(crate) const PORTS: &[u16] = &[22, 53, 80, 443, 1024, 8080, 40000, 65535];

/// A kind of match: its name, the protocol that it needs in front, and how it is written.
struct Feature {
    name: &'static str,
    needs: Needs,
    write: fn(&mut Chance, &Vocabulary) -> String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Tcp,
    Ports,
    Icmp,
    /// An in-interface, so not in OUTPUT or POSTROUTING.
    In,
    /// An out-interface, so not in INPUT or PREROUTING.
    Out,
    /// IPv4 only.
    V4,
}

fn not(chance: &mut Chance) -> &'static str {
    if chance.percent(25) { "! " } else { "" }
}

pub(crate) fn port(chance: &mut Chance) -> String {
    if chance.percent(60) {
        return chance.pick(PORTS).to_string();
    }
    let low = chance.below(PORTS.len() - 1);
    let high = low + 1 + chance.below(PORTS.len() - 1 - low);
    format!("{}:{}", PORTS[low], PORTS[high])
}

fn ports(chance: &mut Chance) -> String {
    let count = 1 + chance.below(3);
    let all: Vec<String> = (0..count).map(|_| port(chance)).collect();
    all.join(",")
}

fn range(chance: &mut Chance, words: &Vocabulary) -> String {
    let (one, two) = (chance.pick(&words.prefixes), chance.pick(&words.prefixes));
    let (low, high) = (one.network().min(two.network()), one.broadcast().max(two.broadcast()));
    // Both ends inside a network, so that the ends are worth asking about.
    let inside = |address: IpAddr, up: bool| match address {
        IpAddr::V4(a) => IpAddr::from(
            (if up { u32::from(a).saturating_add(3) } else { u32::from(a).saturating_sub(3) }).to_be_bytes(),
        ),
        IpAddr::V6(a) => IpAddr::from(
            (if up { u128::from(a).saturating_add(3) } else { u128::from(a).saturating_sub(3) })
                .to_be_bytes(),
        ),
    };
    let (low, high) = (inside(low, true), inside(high, false));
    format!("{}-{}", low.min(high), low.max(high))
}

fn states(chance: &mut Chance) -> String {
    let mut all = vec!["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"];
    all.retain(|_| chance.percent(35));
    if all.is_empty() { "RELATED,ESTABLISHED".to_owned() } else { all.join(",") }
}

fn interface(chance: &mut Chance, words: &Vocabulary) -> String {
    match chance.below(20) {
        0 | 1 => "eth+".to_owned(),
        2 => "lo".to_owned(),
        _ => chance.pick(&words.interfaces),
    }
}

fn flags(chance: &mut Chance) -> String {
    chance
        .pick(&[
            "FIN,SYN,RST,ACK SYN",
            "SYN SYN",
            "ACK ACK",
            "RST RST",
            "SYN,ACK SYN,ACK",
            "ALL NONE",
            "FIN,ACK FIN",
            "PSH,URG NONE",
        ])
        .to_owned()
}

fn icmp_type(chance: &mut Chance, words: &Vocabulary) -> String {
    match words.family {
        Family::V4 => chance.pick(&["8", "0", "3", "3/3", "11", "any", "echo-request", "13"]).to_owned(),
        Family::V6 => chance.pick(&["128", "129", "1", "1/4", "3", "echo-request", "139"]).to_owned(),
    }
}

/// A mark, or some bits of one: few, so that rules speak of the same.
fn mark(chance: &mut Chance) -> String {
    let value = chance.pick(&[0, 1, 1, 2, 3]);
    if chance.percent(40) {
        format!("{value:#x}/{:#x}", chance.pick(&[1, 2, 3, 0xff]))
    } else {
        format!("{value:#x}")
    }
}

/// A target that sets a mark.
fn marking(chance: &mut Chance, tracks: bool) -> String {
    let bits = chance.pick(&[1, 2, 3]);
    match chance.below(9) {
        0 => format!("-j MARK --and-mark {bits:#x}"),
        1 => format!("-j MARK --or-mark {bits:#x}"),
        2 => format!("-j MARK --xor-mark {bits:#x}"),
        3 => format!("-j MARK --set-xmark {bits:#x}/{:#x}", chance.pick(&[1, 2, 3, 0xff])),
        4 if tracks => "-j CONNMARK --save-mark".to_owned(),
        5 if tracks => "-j CONNMARK --restore-mark".to_owned(),
        6 if tracks => format!("-j CONNMARK --set-mark {}", mark(chance)),
        _ => format!("-j MARK --set-mark {}", mark(chance)),
    }
}

const FEATURES: &[Feature] = &[
    Feature {
        name: "source",
        needs: Needs::Nothing,
        write: |c, w| format!("{}-s {}", not(c), c.pick(&w.prefixes)),
    },
    Feature {
        name: "destination",
        needs: Needs::Nothing,
        write: |c, w| format!("{}-d {}", not(c), c.pick(&w.prefixes)),
    },
    Feature {
        name: "protocol",
        needs: Needs::Nothing,
        write: |c, w| {
            let icmp = if w.family == Family::V4 { "icmp" } else { "ipv6-icmp" };
            format!("{}-p {}", not(c), c.pick(&["tcp", "udp", icmp, "47", "132"]))
        },
    },
    Feature {
        name: "destination port",
        needs: Needs::Ports,
        write: |c, _| format!("{}--dport {}", not(c), port(c)),
    },
    Feature {
        name: "source port",
        needs: Needs::Ports,
        write: |c, _| format!("{}--sport {}", not(c), port(c)),
    },
    Feature {
        name: "multiport",
        needs: Needs::Ports,
        write: |c, _| {
            let word = c.pick(&["--dports", "--sports", "--ports"]);
            format!("-m multiport {}{word} {}", not(c), ports(c))
        },
    },
    Feature {
        name: "iprange",
        needs: Needs::Nothing,
        write: |c, w| {
            let word = c.pick(&["--src-range", "--dst-range"]);
            format!("-m iprange {}{word} {}", not(c), range(c, w))
        },
    },
    Feature {
        name: "conntrack",
        needs: Needs::Nothing,
        write: |c, _| format!("-m conntrack {}--ctstate {}", not(c), states(c)),
    },
    Feature {
        name: "established",
        needs: Needs::Nothing,
        write: |_, _| "-m conntrack --ctstate RELATED,ESTABLISHED".to_owned(),
    },
    Feature {
        name: "ICMP type",
        needs: Needs::Icmp,
        write: |c, w| {
            let word = if w.family == Family::V4 { "-m icmp" } else { "-m icmp6" };
            let option = if w.family == Family::V4 { "--icmp-type" } else { "--icmpv6-type" };
            format!("{word} {}{option} {}", not(c), icmp_type(c, w))
        },
    },
    Feature {
        name: "TCP flags",
        needs: Needs::Tcp,
        write: |c, _| format!("{}--tcp-flags {}", not(c), flags(c)),
    },
    Feature { name: "SYN", needs: Needs::Tcp, write: |c, _| format!("{}--syn", not(c)) },
    Feature {
        name: "in-interface",
        needs: Needs::In,
        write: |c, w| format!("{}-i {}", not(c), interface(c, w)),
    },
    Feature {
        name: "out-interface",
        needs: Needs::Out,
        write: |c, w| format!("{}-o {}", not(c), interface(c, w)),
    },
    Feature {
        name: "addrtype",
        needs: Needs::Nothing,
        write: |c, w| {
            let all = ["--dst-type UNICAST", "--dst-type BROADCAST", "--dst-type LOCAL", "--src-type LOCAL"];
            // IPv6 has no broadcast, and takes the first address of a network for anycast, not for local as the model does.
            let word = c.pick(if w.family == Family::V4 { &all } else { &all[..1] });
            format!("-m addrtype {}{word}", not(c))
        },
    },
    Feature { name: "fragment", needs: Needs::V4, write: |c, _| format!("{}-f", not(c)) },
    Feature {
        name: "state",
        needs: Needs::Nothing,
        write: |c, _| format!("-m state {}--state {}", not(c), states(c).replace("UNTRACKED", "NEW")),
    },
    Feature {
        name: "mark",
        needs: Needs::Nothing,
        write: |c, _| format!("-m mark {}--mark {}", not(c), mark(c)),
    },
    Feature {
        name: "connmark",
        needs: Needs::Nothing,
        write: |c, _| format!("-m connmark {}--mark {}", not(c), mark(c)),
    },
    // What the auditor does not understand: whether it matches is open.
    Feature {
        name: "ttl (open)",
        needs: Needs::V4,
        write: |c, _| format!("-m ttl --ttl-gt {}", c.pick(&[10, 200])),
    },
    Feature {
        name: "length (open)",
        needs: Needs::Nothing,
        write: |c, _| format!("-m length --length {}", c.pick(&["0:40", "41:65535"])),
    },
    Feature {
        name: "limit (open)",
        needs: Needs::Nothing,
        write: |_, _| "-m limit --limit 5/sec".to_owned(),
    },
    Feature {
        name: "translated",
        needs: Needs::Nothing,
        write: |c, _| format!("-m conntrack {}--ctstate {}", not(c), c.pick(&["DNAT", "SNAT", "SNAT,DNAT"])),
    },
    Feature {
        name: "comment",
        needs: Needs::Nothing,
        write: |_, _| "-m comment --comment \"a comment of \\\"two\\\" words\"".to_owned(),
    },
];

/// How often each feature was written.
pub(crate) type Coverage = BTreeMap<&'static str, usize>;

/// Rules under construction.
pub(crate) struct Writer<'a> {
    pub(crate) chance: &'a mut Chance,
    pub(crate) words: Vocabulary,
    pub(crate) coverage: &'a mut Coverage,
    /// Whether rules may ask for the state of connections, for which the kernel puts datagrams together first.
    pub(crate) tracks: bool,
}

const OWN_CHAINS: [&str; 3] = ["one", "two", "three"];

/// What the rules of a chain may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Targets {
    /// Of `filter`; may call the chains of its own from this one on.
    Filter(usize),
    /// Of `mangle`, where nothing is rejected.
    Early,
    /// Of `nat`: destinations.
    Destination,
    /// Of `nat`: sources, of what leaves.
    Source,
    /// Of `nat`: sources, of what is delivered.
    Delivered,
}

impl Writer<'_> {
    pub(crate) fn count(&mut self, name: &'static str) {
        *self.coverage.entry(name).or_default() += 1;
    }

    /// A filter table.
    pub(crate) fn filter(&mut self) -> TableText {
        let mut chains = Vec::new();
        let mut rules = Vec::new();
        for name in ["INPUT", "FORWARD", "OUTPUT"] {
            let drops = self.chance.percent(if name == "FORWARD" { 55 } else { 20 });
            chains.push(format!("{name} {}", if drops { "DROP" } else { "ACCEPT" }));
        }
        chains.extend(OWN_CHAINS.iter().map(|name| format!("{name} -")));
        let usual = self.tracks && self.chance.percent(45);
        for name in ["INPUT", "FORWARD", "OUTPUT"] {
            if usual {
                self.count("established");
                rules.push(format!("-A {name} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"));
            }
            let most = if name == "FORWARD" { 7 } else { 3 };
            for _ in 0..self.chance.below(most) {
                rules.push(self.rule(name, Targets::Filter(0)));
            }
        }
        for (depth, name) in OWN_CHAINS.iter().enumerate() {
            for _ in 0..self.chance.below(4) {
                rules.push(self.rule(name, Targets::Filter(depth + 1)));
            }
        }
        TableText { name: "filter".to_owned(), chains, rules }
    }

    /// A table that drops a little before `nat` is asked, and a little behind it.
    pub(crate) fn mangle(&mut self) -> TableText {
        const CHAINS: [&str; 5] = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];
        let mut rules = Vec::new();
        for name in CHAINS {
            let most = if matches!(name, "PREROUTING" | "OUTPUT") { 4 } else { 2 };
            for _ in 0..self.chance.below(most) {
                self.count("mangle");
                rules.push(self.rule(name, Targets::Early));
            }
        }
        // What only a packet has that nothing has translated yet.
        for address in [self.of_pool(self.words.pool), self.address()] {
            if self.chance.percent(40) {
                rules.push(format!("-A PREROUTING -d {address} -j DROP"));
            }
        }
        if self.chance.percent(30) {
            let address = self.address();
            rules.push(format!("-A OUTPUT -d {address} -j DROP"));
        }
        let chains = CHAINS.map(|name| format!("{name} ACCEPT")).to_vec();
        TableText { name: "mangle".to_owned(), chains, rules }
    }

    /// A rule of a chain.
    pub(crate) fn rule(&mut self, chain: &str, targets: Targets) -> String {
        let mut matches = Vec::new();
        let mut protocol: Option<&str> = None;
        let icmp = if self.words.family == Family::V4 { "icmp" } else { "ipv6-icmp" };
        let mut names = Vec::new();
        for _ in 0..self.chance.pick(&[0, 1, 1, 1, 2, 2, 3]) {
            let feature = &FEATURES[self.chance.below(FEATURES.len())];
            let wanted: &[&str] = match feature.needs {
                Needs::Nothing => &[],
                Needs::Tcp => &["tcp"],
                Needs::Ports => &["tcp", "udp"],
                Needs::Icmp => &[icmp],
                Needs::In if matches!(chain, "OUTPUT" | "POSTROUTING") => continue,
                Needs::Out if matches!(chain, "INPUT" | "PREROUTING") => continue,
                Needs::V4 if self.words.family == Family::V6 => continue,
                Needs::In | Needs::Out | Needs::V4 => &[],
            };
            let of_states = ["conntrack", "established", "state", "translated", "connmark"];
            let silent = feature.name == "connmark" && !self.words.marks_connections;
            if silent || (!self.tracks && of_states.contains(&feature.name)) {
                continue;
            }
            let is_protocol = feature.name == "protocol";
            // iptables takes one of them only.
            let both = |one, two| feature.name == one && names.contains(&two);
            let clash = both("SYN", "TCP flags") || both("TCP flags", "SYN");
            if clash || names.contains(&feature.name) || (is_protocol && protocol.is_some()) {
                continue;
            }
            match protocol {
                _ if wanted.is_empty() => {}
                Some(given) if wanted.contains(&given) => {}
                Some(_) => continue,
                None if names.contains(&"protocol") => continue,
                None => {
                    let chosen = self.chance.pick(wanted);
                    protocol = Some(chosen);
                    let module = if chosen == icmp { String::new() } else { format!(" -m {chosen}") };
                    matches.push(format!("-p {chosen}{module}"));
                }
            }
            matches.push((feature.write)(self.chance, &self.words));
            names.push(feature.name);
            self.count(feature.name);
        }
        let target = match targets {
            Targets::Filter(first) => self.target(first, protocol == Some("tcp")),
            Targets::Early if self.chance.percent(60) => {
                self.count("sets a mark");
                marking(self.chance, self.tracks && self.words.marks_connections)
            }
            Targets::Early => self.chance.pick(&["-j DROP", "-j ACCEPT", "-j RETURN"]).to_owned(),
            Targets::Destination | Targets::Source | Targets::Delivered => {
                self.translation(chain, targets, matches!(protocol, Some("tcp" | "udp")))
            }
        };
        matches.insert(0, format!("-A {chain}"));
        matches.push(target);
        matches.retain(|part| !part.is_empty());
        matches.join(" ")
    }

    fn target(&mut self, first: usize, is_tcp: bool) -> String {
        let own = OWN_CHAINS.get(first..).unwrap_or_default().to_vec();
        let (name, text) = match self.chance.below(20) {
            0..=6 => ("accept", "-j ACCEPT".to_owned()),
            7..=10 => ("drop", "-j DROP".to_owned()),
            11 if is_tcp => ("reset", "-j REJECT --reject-with tcp-reset".to_owned()),
            11..=12 => ("reject", "-j REJECT".to_owned()),
            13..=15 if !own.is_empty() => ("jump", format!("-j {}", self.chance.pick(&own))),
            16 if !own.is_empty() => ("goto", format!("-g {}", self.chance.pick(&own))),
            17 => ("return", "-j RETURN".to_owned()),
            18 => ("log", "-j LOG --log-prefix \"seen \"".to_owned()),
            19 if self.chance.percent(30) => ("NFLOG", "-j NFLOG --nflog-group 3".to_owned()),
            19 => ("counter only", String::new()),
            _ => ("accept", "-j ACCEPT".to_owned()),
        };
        self.count(name);
        text
    }
}
