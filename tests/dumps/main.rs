//! Dumps of real devices: what real generators wrote, and hand-written ones with everything in them.

mod show;

use isoaudit::diag::Diagnostics;
use isoaudit::header::Family;
use isoaudit::input::dump::{Ruleset, iptables};
use isoaudit::source::SourceMap;
use std::fs;
use std::path::PathBuf;

const GENERATORS: &[&str] = &["ferm", "firewalld", "shorewall", "ufw", "ufw-no-icmp"];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/dumps").join(name)
}

fn load(sources: &mut SourceMap, name: &str) -> isoaudit::source::SourceId {
    let text = fs::read_to_string(path(name)).unwrap();
    sources.add(name, text)
}

/// The ruleset of a text, or the errors.
fn rules(text: &str, family: Family) -> Result<Ruleset, String> {
    let mut sources = SourceMap::default();
    let id = sources.add("dump", text);
    let mut out = Diagnostics::default();
    let ruleset = iptables::parse(sources.get(id), id, family, &mut out);
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
fn what_generators_write_is_read_in_full() {
    for generator in GENERATORS {
        for (file, family) in [("iptables-save.txt", Family::V4), ("ip6tables-save.txt", Family::V6)] {
            let text = fs::read_to_string(path(&format!("{generator}/{file}"))).unwrap();
            let ruleset = rules(&text, family).unwrap();
            insta::assert_snapshot!(
                format!("{generator}-{}", show::program(family)),
                show::ruleset(&ruleset)
            );
        }
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
