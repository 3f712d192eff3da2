//! Rules of `nat` by chance: the usual ones of a gateway, and others.

use super::rules::{Targets, Writer, port};
use super::spec::TableText;
use ipnet::IpNet;
use isoaudit::header::{Family, address_from_number, address_number};
use std::net::IpAddr;

/// Chains of its own: one that translates destinations, one that translates sources of what leaves.
const BEFORE: &str = "before";
const BEHIND: &str = "behind";

impl Writer<'_> {
    /// A table that translates.
    pub(crate) fn nat(&mut self) -> TableText {
        const CHAINS: [&str; 4] = ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"];
        let mut chains = CHAINS.map(|name| format!("{name} ACCEPT")).to_vec();
        chains.extend([BEFORE, BEHIND].map(|name| format!("{name} -")));
        let mut rules = Vec::new();
        if self.chance.percent(45) {
            rules.push(self.forward());
        }
        if self.chance.percent(45) {
            rules.push(self.hide());
        }
        if self.chance.percent(20) {
            rules.extend(self.hairpin());
        }
        if self.chance.percent(25) {
            rules.push(self.own());
        }
        if self.chance.percent(25) {
            rules.extend(self.map());
        }
        let others = [
            ("PREROUTING", Targets::Destination, 3),
            ("INPUT", Targets::Delivered, 2),
            ("OUTPUT", Targets::Destination, 2),
            ("POSTROUTING", Targets::Source, 3),
            (BEFORE, Targets::Destination, 3),
            (BEHIND, Targets::Source, 3),
        ];
        for (chain, targets, most) in others {
            for _ in 0..self.chance.below(most) {
                let rule = self.rule(chain, targets);
                rules.push(rule);
            }
        }
        TableText { name: "nat".to_owned(), chains, rules }
    }

    /// A port of the gateway that leads to somebody behind it.
    fn forward(&mut self) -> String {
        self.count("port forward");
        let inside = self.address();
        let outside = if self.chance.percent(50) { self.of_pool(self.words.pool) } else { self.address() };
        let protocol = self.chance.pick(&["tcp", "udp"]);
        let to = self.with_ports(inside.to_string(), 60);
        format!(
            "-A PREROUTING -d {outside} -p {protocol} -m {protocol} --dport {} -j DNAT --to-destination {to}",
            port(self.chance)
        )
    }

    /// What the gateway itself sends to somebody, as often itself, goes to somebody else.
    fn own(&mut self) -> String {
        self.count("own packets translated");
        let (asked, to) = (self.address(), self.address());
        let out = match self.chance.below(4) {
            0 => " -o lo".to_owned(),
            1 => format!(" ! -o {}", self.chance.pick(&self.words.interfaces)),
            _ => String::new(),
        };
        format!("-A OUTPUT -d {asked}{out} -j DNAT --to-destination {to}")
    }

    /// What leaves by a line is hidden behind it.
    fn hide(&mut self) -> String {
        self.count("MASQUERADE");
        let out = self.chance.pick(&self.words.interfaces);
        let whose = if self.chance.percent(40) {
            format!(" -s {}", self.chance.pick(&self.words.prefixes))
        } else {
            String::new()
        };
        format!("-A POSTROUTING{whose} -o {out} -j MASQUERADE")
    }

    /// Who asks for a neighbour by the gateway gets its answer by it.
    fn hairpin(&mut self) -> [String; 2] {
        self.count("hairpin");
        let net = self.chance.pick(&self.words.prefixes);
        let (inside, outside) = (self.of_pool(net), self.of_pool(self.words.pool));
        [
            format!("-A PREROUTING -d {outside} -j DNAT --to-destination {inside}"),
            format!("-A POSTROUTING -s {net} -d {net} -j MASQUERADE"),
        ]
    }

    /// One address for one, both ways.
    fn map(&mut self) -> [String; 2] {
        self.count("NETMAP both ways");
        let pool = self.words.pool;
        let inside = self.like_pool();
        [
            format!("-A PREROUTING -d {pool} -j NETMAP --to {inside}"),
            format!("-A POSTROUTING -s {inside} -j NETMAP --to {pool}"),
        ]
    }

    /// A part of some network that is as large as the pool.
    fn like_pool(&mut self) -> IpNet {
        let inside = self.chance.pick(&self.words.addresses);
        IpNet::new(inside, self.words.pool.prefix_len()).unwrap().trunc()
    }

    pub(crate) fn address(&mut self) -> IpAddr {
        self.chance.pick(&self.words.addresses)
    }

    /// One of the first addresses of a network.
    pub(crate) fn of_pool(&mut self, net: IpNet) -> IpAddr {
        let first = address_number(net.network());
        let number = (first + self.chance.below(6) as u128).min(address_number(net.broadcast()));
        address_from_number(Family::of(net.addr()), number)
    }

    /// Addresses with ports behind, as far as the share says.
    fn with_ports(&mut self, addresses: String, share: usize) -> String {
        if !self.chance.percent(share) {
            return addresses;
        }
        let ports = self.ports();
        match self.words.family {
            Family::V4 => format!("{addresses}:{ports}"),
            Family::V6 => format!("[{addresses}]:{ports}"),
        }
    }

    fn ports(&mut self) -> String {
        port(self.chance).replace(':', "-")
    }

    /// One address, or a few.
    fn addresses(&mut self) -> String {
        let one = if self.chance.percent(50) { self.of_pool(self.words.pool) } else { self.address() };
        if self.chance.percent(60) {
            return one.to_string();
        }
        self.count("range of addresses");
        let length = if self.chance.percent(20) { 200 } else { 1 + self.chance.below(5) as u128 };
        format!("{one}-{}", address_from_number(self.words.family, address_number(one) + length))
    }

    /// What a rule makes of packets; ports can be changed if the rule asks for a protocol that has some.
    pub(crate) fn translation(&mut self, chain: &str, targets: Targets, has_ports: bool) -> String {
        let called = match targets {
            // A chain does not call itself.
            _ if [BEFORE, BEHIND].contains(&chain) => None,
            Targets::Destination => Some(BEFORE),
            Targets::Source => Some(BEHIND),
            Targets::Delivered | Targets::Filter(_) | Targets::Early => None,
        };
        let share = if has_ports { 50 } else { 0 };
        let (name, text) = match (self.chance.below(12), targets, called) {
            (0, ..) => ("accept", "-j ACCEPT".to_owned()),
            (1, ..) => ("return", "-j RETURN".to_owned()),
            (2, _, Some(chain)) => ("jump", format!("-j {chain}")),
            (3, ..) => ("log", "-j LOG".to_owned()),
            (4 | 5, ..) => {
                let whole = self.chance.pick(&self.words.prefixes);
                let to = if self.chance.percent(50) { self.like_pool() } else { whole };
                ("NETMAP", format!("-j NETMAP --to {to}"))
            }
            (6..=8, Targets::Source, _) => ("MASQUERADE", self.by_interface("MASQUERADE", share)),
            (6 | 7, Targets::Destination, _) => ("REDIRECT", self.by_interface("REDIRECT", share)),
            (_, Targets::Destination, _) => {
                let to = self.addresses();
                let to = self.with_ports(to, share);
                ("DNAT", format!("-j DNAT --to-destination {to}{}", self.how()))
            }
            _ => {
                let to = self.addresses();
                let to = self.with_ports(to, share);
                ("SNAT", format!("-j SNAT --to-source {to}{}", self.how()))
            }
        };
        self.count(name);
        text
    }

    fn by_interface(&mut self, name: &str, share: usize) -> String {
        let changes = self.chance.percent(share);
        let ports = if changes { format!(" --to-ports {}", self.ports()) } else { String::new() };
        let random = if self.chance.percent(15) { " --random" } else { "" };
        format!("-j {name}{ports}{random}")
    }

    /// How a translation chooses.
    fn how(&mut self) -> &'static str {
        match self.chance.below(12) {
            0 => " --random",
            1 => " --persistent",
            _ => "",
        }
    }
}
