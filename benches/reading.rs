//! Reading 20 MB of YAML: our trees and types, which keep the place of every value, beside `serde_yaml`, which keeps none.
//!
//! `cargo bench --bench reading` generates one description and reads it in five ways, each in a process of its own:
//! ours into a tree with places, ours into the types of the format with places, ours into a validated network;
//! `serde_yaml` into its `Value`, and into types that `serde` derives. `-- 50` takes another size in MB. All are on one
//! thread; what they counted must agree.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a benchmark talks to a terminal")]

mod measure;

use isoaudit::input;
use isoaudit::source::{Loader, SourceMap};
use measure::{Outcome, Random, value};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const ROUNDS: usize = 5;
const CONTENDERS: [(&str, &str); 5] = [
    ("our tree", "a tree, every value with its place"),
    ("our types", "the types of the format, with places"),
    ("our network", "the same, looked up and validated"),
    ("serde value", "serde_yaml::Value, without places"),
    ("serde types", "derived types, without places"),
];

fn main() -> Outcome<()> {
    if let Some(words) = measure::child() {
        let [way, megabytes] = &words[..] else { return Err("a child has two words".into()) };
        return read(way, &description(megabytes.parse()?));
    }
    let megabytes = measure::number(20);
    let size = megabytes.to_string();
    let contenders: Vec<Vec<&str>> = CONTENDERS.iter().map(|(way, _)| vec![*way, size.as_str()]).collect();
    let found = measure::medians(&contenders, ROUNDS)?;
    println!("{megabytes} MB of YAML, one thread\n{:<14} {:>8} {:>9} {:>10}", "", "s", "MB/s", "memory MB");
    for ((way, what), rows) in CONTENDERS.iter().zip(&found) {
        let (seconds, memory) = (value(rows, "seconds"), value(rows, "memory"));
        println!("{way:<14} {seconds:>8.3} {:>9.1} {memory:>10.1}  {what}", megabytes as f64 / seconds);
        if value(rows, "nodes").total_cmp(&value(&found[0], "nodes")).is_ne() {
            return Err(format!("{way} found another number of devices").into());
        }
    }
    let ratio =
        |ours: usize, theirs: usize| value(&found[theirs], "seconds") / value(&found[ours], "seconds");
    println!("our tree is {:.2} times as fast as Value", ratio(0, 3));
    println!("our types are {:.2} times as fast as derived types", ratio(1, 4));
    Ok(())
}

/// Reads a text in one way, and tells what that took. The memory of the text itself is taken off.
fn read(way: &str, text: &str) -> Outcome<()> {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    let expected = text.matches("    group: ").count();
    let mut sources = SourceMap::default();
    let source = sources.add("topology.yaml", text);
    let (memory, start) = (measure::peak_memory(), measure::wall());
    let failed = |found: isoaudit::diag::Diagnostics| format!("{:?}", found.sorted().first());
    let nodes = match way {
        "our tree" => {
            input::count_values(&sources, source).map_err(failed)?;
            expected
        }
        "our types" => input::count_entries(&sources, source).map_err(failed)?.0,
        "our network" => {
            let loader = Loader::new(env!("CARGO_MANIFEST_DIR"), 1 << 20);
            let read =
                input::read_source(&mut sources, &loader, source, &Default::default()).map_err(failed)?;
            read.network.nodes.len()
        }
        "serde value" => {
            let read: serde_yaml::Value = serde_yaml::from_str(text)?;
            read.get("nodes").and_then(serde_yaml::Value::as_mapping).map_or(0, serde_yaml::Mapping::len)
        }
        _ => {
            let read: Description = serde_yaml::from_str(text)?;
            read.nodes.len()
        }
    };
    let seconds = measure::wall() - start;
    measure::tell(&[
        ("seconds", seconds),
        ("memory", measure::peak_memory() - memory),
        ("nodes", nodes as f64),
    ]);
    Ok(())
}

/// A description of at least so many MB (10^6 bytes): racks of a router with its servers, in the styles that people
/// and programs write.
fn description(megabytes: usize) -> String {
    let mut random = Random(20);
    let mut text = "# A generated estate.\nisoaudit: 1\nname: estate\nsites:\n  one: { jurisdiction: SE }\n\
        zones: { app: {}, db: {}, wan: {} }\ngroups:\n  routers: { role: router }\n  servers: { role: host, forwarding: off }\n\
        defaults: { kind: linux, ipv6: off, interfaces: { antispoof: strict } }\nnodes:\n"
        .to_owned();
    let mut links = String::from("links:\n");
    let mut rack = 0_u32;
    while text.len() + links.len() < megabytes * 1_000_000 {
        write_rack(&mut text, &mut links, rack, &mut random);
        rack += 1;
    }
    text + &links
}

fn write_rack(text: &mut String, links: &mut String, rack: u32, random: &mut Random) {
    // Each rack has a /24 of 16.0.0.0/4.
    let net = format!("{}.{}.{}", 16 + (rack >> 16), (rack >> 8) & 255, rack & 255);
    let servers = 8 + random.below(24);
    let _ = write!(
        text,
        "\n  # Rack {rack}, as delivered.\n  rack{rack}-rtr:\n    group: routers\n    site: one\n    labels: \
         {{ rack: r{rack}, owner: team-{} }}\n    interfaces:\n",
        random.below(90)
    );
    for server in 0..servers {
        let port = 4 * server;
        let _ = writeln!(text, "      eth{server}: {{ ipv4: {net}.{port}/31, zone: app }}");
    }
    text.push_str("    routes:\n");
    for server in 0..servers {
        let (port, far) = (4 * server, 4 * server + 1);
        let _ = writeln!(text, "      - to: {net}.{}/32\n        via: {net}.{far}", port + 2);
        let server = format!("rack{rack}-s{server}");
        if random.percent(50) {
            let _ = writeln!(links, "  - endpoints: [\"rack{rack}-rtr:eth{}\", \"{server}:eth0\"]", port / 4);
        } else {
            let _ = writeln!(
                links,
                "  - endpoints:\n      - rack{rack}-rtr:eth{}\n      - '{server}:eth0'\n    transit: [SE]",
                port / 4
            );
        }
    }
    for server in 0..servers {
        let (near, far, own) = (4 * server, 4 * server + 1, 4 * server + 2);
        let zone = ["app", "db"][random.below(2)];
        let name = format!("rack{rack}-s{server}");
        if random.percent(60) {
            let _ = writeln!(
                text,
                "  {name}:\n    group: servers\n    site: one\n    gateway: {net}.{near}\n    interfaces:\n      \
                 eth0:\n        ipv4: {net}.{far}/31\n        zone: {zone}\n      lo1: {{ ipv4: [{net}.{own}/32] }}"
            );
        } else {
            let _ = writeln!(
                text,
                "  {name}:\n    group: servers\n    site: one\n    gateway: [{net}.{near}]\n    interfaces: {{ eth0: \
                 {{ ipv4: {net}.{far}/31, zone: {zone}, antispoof: off }}, lo1: {{ ipv4: [\"{net}.{own}/32\"] }} }}"
            );
        }
    }
}

/// What `serde` derives for the same format, as far as the text has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "reading fills all of it, and only the devices are counted")]
struct Description {
    isoaudit: u8,
    name: String,
    sites: BTreeMap<String, BTreeMap<String, String>>,
    zones: BTreeMap<String, BTreeMap<String, String>>,
    groups: BTreeMap<String, Node>,
    defaults: Defaults,
    nodes: BTreeMap<String, Node>,
    links: Vec<Link>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "see Description")]
struct Defaults {
    kind: String,
    ipv6: String,
    interfaces: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "see Description")]
struct Node {
    group: Option<String>,
    role: Option<String>,
    site: Option<String>,
    forwarding: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    gateway: Option<Many>,
    #[serde(default)]
    interfaces: BTreeMap<String, Interface>,
    #[serde(default)]
    routes: Vec<Route>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "see Description")]
struct Interface {
    ipv4: Many,
    zone: Option<String>,
    antispoof: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "see Description")]
struct Route {
    to: String,
    via: Many,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "see Description")]
struct Link {
    endpoints: Vec<String>,
    transit: Option<Vec<String>>,
}

/// One or several.
#[derive(Deserialize)]
#[serde(untagged)]
#[allow(dead_code, reason = "see Description")]
enum Many {
    One(String),
    Several(Vec<String>),
}
