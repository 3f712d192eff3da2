//! The same question answered without the engine, on the data as they are: every field is cut into classes of values
//! that no rule tells apart, a set of packets is a bit for each class, and every bit is followed through the topology.

use crate::Pairs;
use crate::data::{Data, Rule};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// The pairs of a device and an exit (`DEVICE.PORT`) such that some packet sent by the device leaves there.
pub(crate) fn pairs(data: &Data) -> Pairs {
    let rules: Vec<&Rule> = data.lists.values().flatten().collect();
    let ends = |range: std::ops::RangeInclusive<u32>| [*range.start(), range.end().wrapping_add(1)];
    let addresses = |pattern: crate::data::Pattern| {
        pattern.prefixes().into_iter().flat_map(move |prefix| ends(prefix.address..=prefix.last()))
    };
    let src = classes(rules.iter().flat_map(|rule| addresses(rule.src)), |value| {
        rules.iter().map(|rule| rule.src.matches(value)).collect::<Vec<_>>()
    });
    let port = |rule: &Rule| u32::from(rule.dports.0)..=u32::from(rule.dports.1);
    let dport =
        classes(rules.iter().flat_map(|rule| ends(port(rule))).filter(|port| *port < 1 << 16), |value| {
            rules.iter().map(|rule| port(rule).contains(&value)).collect::<Vec<_>>()
        });
    let protocol = |rule: &Rule| u32::from(rule.protocols.0)..=u32::from(rule.protocols.1);
    let protocols =
        classes(rules.iter().flat_map(|rule| ends(protocol(rule))).filter(|number| *number < 256), |value| {
            rules.iter().map(|rule| protocol(rule).contains(&value)).collect::<Vec<_>>()
        });
    let mut packets = Vec::new();
    for src in &src {
        for protocol in &protocols {
            packets.extend(dport.iter().map(|dport| Rest { src: *src, protocol: *protocol, dport: *dport }));
        }
    }
    let tables = Tables::new(data);
    let routed = data.routes.values().flatten();
    let routed = routed.flat_map(|(prefix, _)| ends(prefix.address..=prefix.last()));
    let filtered = rules.iter().flat_map(|rule| addresses(rule.dst));
    let dst = classes(routed.chain(filtered), |value| {
        let matched: Vec<bool> = rules.iter().map(|rule| rule.dst.matches(value)).collect();
        (tables.ports(value), matched)
    });
    let mut walk = Walk { data, tables, packets, passes: HashMap::new(), pairs: BTreeSet::new() };
    for value in dst {
        walk.destination(value);
    }
    walk.pairs
}

/// One value of each class: values between two borders are alike, and so are those with equal signatures.
fn classes<S: std::hash::Hash + Eq>(
    borders: impl Iterator<Item = u32>,
    signature: impl Fn(u32) -> S,
) -> Vec<u32> {
    let borders: BTreeSet<u32> = borders.chain([0]).collect();
    let mut seen = HashMap::new();
    let mut found = Vec::new();
    for border in borders {
        if seen.insert(signature(border), ()).is_none() {
            found.push(border);
        }
    }
    found
}

/// The fields of a packet but for its destination address.
struct Rest {
    src: u32,
    protocol: u32,
    dport: u32,
}

/// Ports, several if there are equal next hops, by the length of the prefix, the longest first, and by the prefix.
type ByLength<'d> = Vec<(u32, HashMap<u32, Vec<&'d str>>)>;

/// The port of each device for a destination.
struct Tables<'d> {
    devices: Vec<(&'d str, ByLength<'d>)>,
}

impl<'d> Tables<'d> {
    fn new(data: &'d Data) -> Tables<'d> {
        let mut devices = Vec::new();
        for (device, routes) in &data.routes {
            let mut lengths: BTreeMap<u32, HashMap<u32, Vec<&str>>> = BTreeMap::new();
            for (prefix, port) in routes {
                let of_length = lengths.entry(prefix.length).or_default();
                of_length.entry(prefix.address).or_default().push(port);
            }
            devices.push((device.as_str(), lengths.into_iter().rev().collect()));
        }
        Tables { devices }
    }

    fn ports(&self, address: u32) -> Vec<Vec<&'d str>> {
        let port = |(_, lengths): &(&str, ByLength<'d>)| {
            let found = lengths.iter().find_map(|(length, routes)| {
                let host = u32::MAX.checked_shr(*length).unwrap_or(0);
                routes.get(&(address & !host)).cloned()
            });
            found.unwrap_or_default()
        };
        self.devices.iter().map(port).collect()
    }
}

/// A bit for each element of [`Walk::packets`].
type Bits = Vec<u64>;

struct Walk<'d> {
    data: &'d Data,
    tables: Tables<'d>,
    packets: Vec<Rest>,
    /// What a list lets pass, by the list and those of its rules that the destination matches.
    passes: HashMap<(String, Vec<usize>), Bits>,
    pairs: Pairs,
}

/// A way from a device for one destination: what passes, and the exit or the position of the next device.
type Way = (Bits, Result<usize, String>);

impl Walk<'_> {
    fn destination(&mut self, address: u32) {
        let ways = self.ways(address);
        let all = vec![u64::MAX; self.packets.len().div_ceil(64)];
        for start in 0..ways.len() {
            let mut seen: Vec<Bits> = vec![vec![0; all.len()]; ways.len()];
            seen[start].clone_from(&all);
            let mut queue = VecDeque::from([start]);
            while let Some(at) = queue.pop_front() {
                let here = seen[at].clone();
                for (passes, to) in &ways[at] {
                    let through: Bits = here.iter().zip(passes).map(|(a, b)| a & b).collect();
                    match to {
                        Err(exit) if through.iter().any(|word| *word != 0) => {
                            let from = self.tables.devices[start].0.to_owned();
                            self.pairs.insert((from, exit.clone()));
                        }
                        Err(_) => {}
                        Ok(next) => {
                            let mut grew = false;
                            for (known, new) in seen[*next].iter_mut().zip(&through) {
                                grew |= new & !*known != 0;
                                *known |= new;
                            }
                            if grew {
                                queue.push_back(*next);
                            }
                        }
                    }
                }
            }
        }
    }

    fn ways(&mut self, address: u32) -> Vec<Vec<Way>> {
        let devices: Vec<&str> = self.tables.devices.iter().map(|(name, _)| *name).collect();
        let mut all = Vec::new();
        for (device, ports) in devices.iter().zip(self.tables.ports(address)) {
            let mut ways = Vec::new();
            for port in ports.iter().flat_map(|port| self.data.flood(device, port)) {
                let exit = format!("{device}.{port}");
                let links = self.data.links.get(&((*device).to_owned(), port.clone()));
                let mut ends: Vec<_> = links.into_iter().flatten().map(|to| self.data.follow(to)).collect();
                if ends.is_empty() {
                    ends.push((Vec::new(), None));
                }
                for (lists, to) in ends {
                    let next = to.and_then(|to| devices.iter().position(|device| *device == to));
                    ways.push((self.through(&lists, address), next.ok_or_else(|| exit.clone())));
                }
            }
            all.push(ways);
        }
        all
    }

    fn through(&mut self, lists: &[String], address: u32) -> Bits {
        let count = self.packets.len();
        let mut bits: Bits = vec![u64::MAX; count.div_ceil(64)];
        if let Some(last) = bits.last_mut().filter(|_| !count.is_multiple_of(64)) {
            *last = (1 << (count % 64)) - 1;
        }
        for list in lists {
            let rules = self.data.lists.get(list).map(Vec::as_slice).unwrap_or_default();
            let matched: Vec<usize> =
                (0..rules.len()).filter(|rule| rules[*rule].dst.matches(address)).collect();
            let packets = &self.packets;
            let passes = self.passes.entry((list.clone(), matched)).or_insert_with_key(|(_, matched)| {
                let mut bits = vec![0; count.div_ceil(64)];
                for (position, packet) in packets.iter().enumerate() {
                    let first = matched.iter().map(|rule| &rules[*rule]).find(|rule| packet.matches(rule));
                    bits[position / 64] |=
                        u64::from(first.is_some_and(|rule| rule.permit)) << (position % 64);
                }
                bits
            });
            bits.iter_mut().zip(passes.iter()).for_each(|(bits, passes)| *bits &= passes);
        }
        bits
    }
}

impl Rest {
    fn matches(&self, rule: &Rule) -> bool {
        let (low, high) = rule.protocols;
        rule.src.matches(self.src)
            && (u32::from(low)..=u32::from(high)).contains(&self.protocol)
            && (u32::from(rule.dports.0)..=u32::from(rule.dports.1)).contains(&self.dport)
    }
}
