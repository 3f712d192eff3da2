//! Dumps of real devices: what real generators wrote, and hand-written ones with everything in them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod beside;
mod show;

use isoaudit::diag::Diagnostics;
use isoaudit::header::Family;
use isoaudit::input::dump::{Given, Ruleset, iptables};
use isoaudit::model::Network;
use isoaudit::source::{Loader, SourceMap};
use std::fs;
use std::path::PathBuf;

const GENERATORS: &[&str] = &["ferm", "firewalld", "shorewall", "ufw", "ufw-no-icmp"];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/dumps").join(name)
}

/// The ruleset of a text, or the errors.
fn rules(text: &str, family: Family) -> Result<Ruleset, String> {
    let mut sources = SourceMap::default();
    let id = sources.add("dump", text);
    let mut out = Diagnostics::default();
    let ruleset = iptables::parse(sources.get(id), id, family, &Given::Absent, &mut out);
    let errors = out.sorted().into_iter().map(|error| {
        let place = error.span.map_or(String::new(), |span| sources.place(span));
        format!("{place}: {}", error.message)
    });
    let errors = errors.collect::<Vec<_>>().join("\n");
    match ruleset {
        Some(ruleset) if errors.is_empty() => Ok(ruleset),
        _ => Err(errors),
    }
}

#[test]
fn the_kernel_reads_the_hand_written_rules_as_we_do() {
    for (ending, family) in [("v4", Family::V4), ("v6", Family::V6)] {
        let of = |kind: &str| {
            let text = fs::read_to_string(path(&format!("exotic/{kind}.{ending}"))).unwrap();
            rules(&text, family).unwrap()
        };
        let hand = of("rules");
        insta::assert_snapshot!(format!("exotic-{ending}"), show::ruleset(&hand));
        for kind in ["nft", "legacy"] {
            assert_eq!(show::normal(&hand), show::normal(&of(kind)), "{kind}.{ending}");
        }
    }
}

/// A description with one firewall and its files, beside it a host on each of its networks.
fn network(config: &str, more: &str) -> Result<Network, String> {
    let text = format!(
        "isoaudit: 1\ndefaults: {{ kind: linux }}\nnodes:\n  fw:\n    role: firewall\n    config: {{ {config} }}\n{more}"
    );
    let mut sources = SourceMap::default();
    let id = sources.add("topology.yaml", text);
    let loader = Loader::new(path(""), 1 << 20);
    match isoaudit::input::read_source(&mut sources, &loader, id, &Default::default()) {
        Ok(description) => Ok(description.network),
        Err(found) => {
            let errors = found.sorted().into_iter().map(|error| {
                let place = error.span.map_or(String::new(), |span| sources.place(span));
                format!("{place}: {}", error.message)
            });
            Err(errors.collect::<Vec<_>>().join("\n"))
        }
    }
}

/// The keys of `config` for a folder of a generator.
fn files(folder: &str) -> String {
    let keys = [
        ("iptables", "iptables-save.txt"),
        ("ip6tables", "ip6tables-save.txt"),
        ("nftables", "nft.json"),
        ("addresses", "ip-addr.json"),
        ("routes", "ip-route.json"),
        ("rules", "ip-rule.json"),
        ("rules6", "ip6-rule.json"),
        ("sysctl", "sysctl.txt"),
    ];
    keys.map(|(key, file)| format!("{key}: {folder}/{file}")).join(", ")
}

#[test]
fn a_node_is_what_its_files_say() {
    for generator in GENERATORS {
        let network = network(&files(generator), "").unwrap();
        let text = show::node(&network, &network.nodes[0]);
        insta::assert_snapshot!(format!("{generator}-node"), text);
        assert!(network.nodes.iter().all(|node| !node.name.starts_with("whatever")), "{generator}");
    }
}

#[test]
fn what_generators_write_is_read_in_full() {
    for (generator, family) in
        GENERATORS.iter().flat_map(|generator| Family::ALL.map(|family| (*generator, family)))
    {
        let network = network(&files(generator), "").unwrap();
        let name = show::program(family);
        let filter = network.filters.iter().find(|filter| filter.name == name).unwrap();
        insta::assert_snapshot!(format!("{generator}-{name}"), show::chains(filter, &network.unknowns));
    }
}
