//! What is read of iptables, as rows of the document (`grammar/netfilter.md`).

use super::known::{CORE, EXTENSIONS, Extension};
use super::target::{Does, Effect, TARGETS, Target};
use crate::header::proto;
use crate::input::dump::coverage::{Row, Section, Standing, quoted};

/// The options of iptables, its matches and its targets.
pub(in crate::input::dump) fn coverage() -> Vec<Section> {
    vec![
        Section {
            title: "iptables: options of a rule",
            intro: "The base matches of iptables(8), in `iptables-save` and `ip6tables-save`; any may be negated.",
            rows: CORE.iter().map(|(names, _, note, limits)| core(names, note, limits)).collect(),
        },
        Section {
            title: "iptables: matches",
            intro: "`-m NAME`, as in iptables-extensions(8). Without a connection tracker, what looks beyond the \
                    IP header is open for later fragments.",
            rows: EXTENSIONS.iter().map(extension).collect(),
        },
        Section {
            title: "iptables: targets",
            intro: "`-j NAME`. A target that goes on and changes what the model does not have is *partly* modelled: \
                    whatever could read that change is not understood itself.",
            rows: TARGETS.iter().map(target).collect(),
        },
    ]
}

fn core(names: &[&'static str], note: &str, limits: &str) -> Row {
    Row::of(quoted(names), Vec::new(), Vec::new(), limits).noting([note])
}

fn extension(extension: &Extension) -> Row {
    let of = |wanted: bool| {
        let rows = extension.options.iter().filter(move |(_, reading)| reading.is_understood() == wanted);
        rows.flat_map(|(names, _)| names.iter().copied()).collect::<Vec<_>>()
    };
    let needs: Vec<&str> = extension.needs.iter().filter_map(|number| proto::name(*number)).collect();
    let needs = if needs.is_empty() { String::new() } else { format!("with `-p` {}", needs.join(", ")) };
    let row = Row::of(quoted(extension.names), of(true), of(false), extension.limits);
    let row = row.noting([needs.as_str(), extension.note]);
    if extension.is_read { row } else { row.standing(Standing::NotUnderstood) }
}

fn target(target: &Target) -> Row {
    let (standing, does) = match target.does {
        Does::Accept | Does::Drop | Does::Return | Does::Reject | Does::Log | Does::Translate => (None, ""),
        Does::Mark(_) => (None, ""),
        Does::Copy | Does::Set => (Some(Standing::Partly), ""),
        Does::Other(Effect::Quiet) => (Some(Standing::Partly), "goes on"),
        Does::Other(Effect::Marks) => {
            (Some(Standing::NotUnderstood), "goes on; no mark of the device is known then")
        }
        Does::Other(Effect::Untracks) => (
            Some(Standing::NotUnderstood),
            "goes on; the state of every packet is open, and nothing is translated for certain",
        ),
        Does::Other(Effect::Havoc) => (Some(Standing::NotUnderstood), "may do anything with packets"),
    };
    let options = target.options.iter().map(|(name, _)| *name).collect();
    let row = Row::of(quoted(&[target.name]), options, Vec::new(), target.limits);
    let row = row.noting([does, target.note]);
    standing.map_or(row.clone(), |standing| row.standing(standing))
}

#[cfg(test)]
mod tests {
    use super::super::known::Reading;
    use super::super::parse;
    use super::*;
    use crate::diag::Diagnostics;
    use crate::header::Family;
    use crate::input::dump::Given;
    use crate::model::{Action, Test};
    use crate::source::SourceMap;

    /// The tests and the action of one rule, and whether it may do anything else.
    fn read(rule: &str, family: Family) -> (Vec<Test>, Action, bool) {
        let table = if rule.contains("--to") || rule.contains("MASQUERADE") { "nat" } else { "filter" };
        let chain = if table == "nat" { "OUTPUT" } else { "INPUT" };
        let text = format!("*{table}\n:{chain} ACCEPT [0:0]\n-A {chain} {rule}\nCOMMIT\n");
        let mut sources = SourceMap::default();
        let id = sources.add("dump", text.as_str());
        let mut out = Diagnostics::default();
        let ruleset = parse(sources.get(id), id, family, &Given::Absent, &mut out);
        let ruleset = ruleset.unwrap_or_else(|| panic!("{rule}: {:?}", out.sorted()));
        let rule = ruleset.filter.chains[0].rules[0].clone();
        (rule.matches.into_iter().map(|one| one.test).collect(), rule.action, !ruleset.havoc.is_empty())
    }

    #[test]
    fn matches_are_understood_as_the_page_says() {
        for one in EXTENSIONS.iter().filter(|one| !one.options.iter().any(|(_, r)| *r == Reading::Set)) {
            for name in one.names {
                let protocol = one.needs.first().map_or(String::new(), |number| format!("-p {number} "));
                let family = if one.needs == [proto::ICMPV6] { Family::V6 } else { Family::V4 };
                // Without a tracker a later fragment is another rule; this one asks for the state too.
                let rule = format!("-m conntrack --ctstate NEW {protocol}-m {name} -j DROP");
                let (tests, _, _) = super::tests::read(&rule, family);
                let open = tests.iter().any(|test| matches!(test, Test::Unknown(_)));
                assert_eq!(open, extension(one).standing == Standing::NotUnderstood, "{name}: {tests:?}");
            }
        }
    }

    #[test]
    fn targets_do_what_the_page_says() {
        for one in TARGETS {
            let value = match one.name {
                "SNAT" => " --to-source 192.0.2.1",
                "DNAT" => " --to-destination 192.0.2.1",
                "REDIRECT" => " --to-ports 80",
                "NETMAP" => " --to 192.0.2.0/24",
                _ => "",
            };
            let (_, action, anything) = read(&format!("-s 10.0.0.1 -j {}{value}", one.name), Family::V4);
            let Row { standing, note, .. } = target(one);
            assert_eq!(anything, note.contains("anything"), "{}", one.name);
            match standing {
                Standing::Partly if note.contains("goes on") => {
                    assert_eq!(action, Action::Continue, "{}", one.name)
                }
                Standing::Modelled | Standing::Partly => {
                    assert!(!matches!(action, Action::Unknown(_)), "{}", one.name);
                }
                Standing::NotUnderstood if anything => {
                    assert!(matches!(action, Action::Unknown(_)), "{}", one.name)
                }
                Standing::NotUnderstood => assert_eq!(action, Action::Continue, "{}", one.name),
                Standing::Refused => panic!("no target is refused"),
            }
        }
    }
}
