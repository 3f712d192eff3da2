//! The format of the measured networks: what `topo.txt`, `vlan.txt` and `rules.txt` say, as they say it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

/// A device and a port of it.
pub(crate) type Port = (String, String);

/// A network, in the order of its files.
#[derive(Debug, Default)]
pub(crate) struct Data {
    /// Where each port leads. An access list stands between as a device with the ports `inport` and `permit`.
    pub(crate) links: BTreeMap<Port, Vec<Port>>,
    /// The ports that a route to a VLAN floods to.
    pub(crate) vlans: BTreeMap<Port, Vec<String>>,
    /// The routes of each device: prefix and port; the longest prefix wins.
    pub(crate) routes: BTreeMap<String, Vec<(Prefix, String)>>,
    /// The rules of each access list, the first match first. Behind them everything is denied.
    pub(crate) lists: BTreeMap<String, Vec<Rule>>,
}

/// An IPv4 prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Prefix {
    pub(crate) address: u32,
    pub(crate) length: u32,
}

impl Prefix {
    pub(crate) fn last(self) -> u32 {
        self.address | u32::MAX.checked_shr(self.length).unwrap_or(0)
    }
}

/// A rule of an access list.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) permit: bool,
    pub(crate) protocols: (u8, u8),
    pub(crate) src: Pattern,
    pub(crate) dst: Pattern,
    pub(crate) dports: (u16, u16),
    priority: i64,
}

/// An address and the bits of it that do not count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pattern {
    pub(crate) address: u32,
    pub(crate) wildcard: u32,
}

impl Pattern {
    pub(crate) fn matches(self, address: u32) -> bool {
        (address ^ self.address) & !self.wildcard == 0
    }

    /// The same addresses as prefixes: one for each value of the wild bits above the lowest run of them.
    pub(crate) fn prefixes(self) -> Vec<Prefix> {
        let low = self.wildcard.trailing_ones();
        let high = self.wildcard.checked_shr(low).unwrap_or(0).checked_shl(low).unwrap_or(0);
        let base = self.address & !self.wildcard;
        let mut prefixes = Vec::new();
        let mut wild = 0;
        loop {
            prefixes.push(Prefix { address: base | wild, length: 32 - low });
            // The next subset of the bits of `high`, in order.
            wild = wild.wrapping_sub(high) & high;
            if wild == 0 {
                return prefixes;
            }
        }
    }
}

impl Data {
    /// Reads a folder.
    pub(crate) fn read(folder: &Path) -> Result<Data, Box<dyn Error + Send + Sync>> {
        let mut data = Data::default();
        let text = |name: &str| fs::read_to_string(folder.join(name));
        for line in text("topo.txt")?.lines() {
            let [from, out, to, into] = words(line)?;
            data.links.entry((from, out)).or_default().push((to, into));
        }
        for line in text("vlan.txt").unwrap_or_default().lines() {
            let mut words = line.split_whitespace().map(str::to_owned);
            let (Some(device), Some(vlan)) = (words.next(), words.next()) else {
                return Err(format!("vlan.txt: `{line}`").into());
            };
            data.vlans.insert((device, vlan), words.collect());
        }
        for line in text("rules.txt")?.lines() {
            match line.split_whitespace().nth(1) {
                Some("fwd") => {
                    let [_, _, device, address, length, port, _] = words(line)?;
                    let prefix = Prefix { address: address.parse()?, length: length.parse()? };
                    data.routes.entry(device).or_default().push((prefix, port));
                }
                Some("acl") => data.rule(line)?,
                _ => return Err(format!("rules.txt: `{line}`").into()),
            }
        }
        for rules in data.lists.values_mut() {
            rules.sort_by_key(|rule| std::cmp::Reverse(rule.priority));
        }
        Ok(data)
    }

    fn rule(&mut self, line: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        let [_, _, list, _, _, action, low, high, src, swild, slow, shigh, dst, dwild, dlow, dhigh, priority] =
            words(line)?;
        if (slow.as_str(), shigh.as_str()) != ("null", "null") {
            return Err(format!("no network had source ports so far: `{line}`").into());
        }
        let rule = Rule {
            permit: action == "permit",
            protocols: (low.parse()?, high.parse()?),
            src: pattern(&src, &swild)?,
            dst: pattern(&dst, &dwild)?,
            dports: (bound(&dlow, 0)?, bound(&dhigh, u16::MAX)?),
            priority: priority.parse()?,
        };
        self.lists.entry(list).or_default().push(rule);
        Ok(())
    }

    /// The ports that a route of a device to `port` leads to.
    pub(crate) fn flood(&self, device: &str, port: &str) -> Vec<String> {
        let key = (device.to_owned(), port.to_owned());
        self.vlans.get(&key).cloned().unwrap_or_else(|| vec![key.1])
    }

    /// Follows a link through the access lists on it: their names, and the device behind, if there is one.
    pub(crate) fn follow(&self, first: &Port) -> (Vec<String>, Option<String>) {
        let mut lists = Vec::new();
        let mut at = first;
        while at.1 == "inport" {
            // A list is named after the device, its own name, the port and the direction.
            let name = at.0.rsplitn(3, '_').last().unwrap_or_default();
            lists.push(name.to_owned());
            match self.links.get(&(at.0.clone(), "permit".to_owned())).and_then(|to| to.first()) {
                Some(next) => at = next,
                None => return (lists, None),
            }
        }
        (lists, Some(at.0.clone()))
    }
}

fn words<const N: usize>(line: &str) -> Result<[String; N], Box<dyn Error + Send + Sync>> {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    words.try_into().map_err(|_| format!("expected {N} words: `{line}`").into())
}

fn bound(word: &str, open: u16) -> Result<u16, Box<dyn Error + Send + Sync>> {
    if word == "null" { Ok(open) } else { Ok(word.parse()?) }
}

fn pattern(address: &str, wildcard: &str) -> Result<Pattern, Box<dyn Error + Send + Sync>> {
    let number = |word: &str| word.parse::<std::net::Ipv4Addr>().map(u32::from);
    Ok(match (address, wildcard) {
        ("any", _) => Pattern { address: 0, wildcard: u32::MAX },
        (address, "null") => Pattern { address: number(address)?, wildcard: 0 },
        (address, wildcard) => Pattern { address: number(address)?, wildcard: number(wildcard)? },
    })
}
