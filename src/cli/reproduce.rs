//! `isoaudit reproduce`: a counterexample happens in network namespaces, and the kernel says where it saw the packets.

use super::Outcome;
use super::args::ReproduceArgs;
use super::console::Console;
use super::exit::Exit;
use super::failure::Failure;
use super::inputs::single;
use super::pipeline::{self, Options, ReadOptions};
use isoaudit::audit::Unwatched;
use isoaudit::claim::Statement;
use isoaudit::diag::{Code, Diagnostic, suggest};
use isoaudit::report::{Report, safe::safe};
use isoaudit::reproduce::{COUNTERS, Expected, Obstacle, PROGRAMS, Plan, SEEN, Sight, plan};
use isoaudit::source::SourceMap;
use isoaudit::verdict::{Finding, Verdict};
use serde_json::Value;
use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

pub(super) fn run(arguments: &ReproduceArgs, console: &Console) -> Outcome {
    let mut sources = SourceMap::default();
    let plan = planned(arguments, &mut sources)?;
    if arguments.script {
        return console.print(&plan.script).map(|()| Exit::Fine);
    }
    let seen = perform(&plan)?;
    let (text, happened) = told(&plan, &seen);
    console.print(text)?;
    Ok(if happened { Exit::Fine } else { Exit::Violated })
}

/// Judges the claims, and plans the finding that was named.
fn planned(arguments: &ReproduceArgs, sources: &mut SourceMap) -> Result<Plan, Failure> {
    let input = single(&arguments.input, &arguments.source, "reproduce")?;
    let read = pipeline::read(sources, &input, &ReadOptions::default());
    let description = read.map_err(|wrong| Failure::input(wrong, std::mem::take(sources)))?;
    let network = description.network.clone();
    let named = description.claims.iter().any(|claim| claim.id.value == arguments.finding);
    let claims = if named { vec![arguments.finding.clone()] } else { Vec::new() };
    let options = Options { claims, ..Options::default() };
    let report = pipeline::judge(sources, 0, &input, description, &options, &Unwatched);
    let finding = wanted(&report, &arguments.finding)?;
    plan(&network, sources, finding).map_err(|obstacle| refused(obstacle, std::mem::take(sources)))
}

fn refused(obstacle: Obstacle, sources: SourceMap) -> Failure {
    let Obstacle { what, span } = obstacle;
    let message = format!("this counterexample cannot be reproduced: {what}");
    let diagnostic = match span {
        Some(span) => Diagnostic::error(Code::Reproduce, span, message),
        None => Diagnostic::homeless(Code::Reproduce, message),
    };
    let help = "`isoaudit trace` walks its packets in the second interpreter, and `--format pcap` shows them";
    Failure::Input { diagnostics: vec![diagnostic.help(help)], sources }
}

/// The finding of a fingerprint, or the first one of a claim.
fn wanted<'r>(report: &'r Report, name: &str) -> Result<&'r Finding, Failure> {
    let unfit = |message: String, help: String| Err(Failure::homeless(Code::UnknownName, message, help));
    for judgement in &report.judgements {
        let is_named = judgement.claim.id.value == name;
        let found = if is_named {
            judgement.findings.first()
        } else {
            judgement.findings.iter().find(|finding| finding.fingerprint == name)
        };
        if !is_named && found.is_none() {
            continue;
        }
        if judgement.verdict != Verdict::Violated {
            let help = "only what certainly happens can be shown; `isoaudit check` tells the rest";
            return unfit(format!("`{name}` is {}, not violated", judgement.verdict.word()), help.to_owned());
        }
        if matches!(judgement.claim.statement, Statement::Reachable(_)) {
            let help = "`isoaudit check` tells how far its packets get";
            return unfit(format!("`{name}` breaks because nothing arrives"), help.to_owned());
        }
        if let Some(finding) = found {
            return Ok(finding);
        }
    }
    let broken = report.judgements.iter().filter(|judgement| judgement.verdict == Verdict::Violated);
    let names: Vec<&str> = broken.map(|judgement| judgement.claim.id.value.as_str()).collect();
    let hint = suggest(name, names.iter().copied()).unwrap_or_else(|| match names.as_slice() {
        [] => "no claim of this topology is violated".to_owned(),
        names => format!("violated are {}", names.join(", ")),
    });
    unfit(format!("no claim and no finding is called `{name}`"), hint)
}

/// Runs the script in namespaces of its own, and returns which counters counted: packet, namespace, and what it did.
fn perform(plan: &Plan) -> Result<BTreeSet<(usize, String, String)>, Failure> {
    let cannot = |message: String, help: &str| Failure::homeless(Code::Reproduce, message, help);
    let missing: Vec<&str> = needed(plan).into_iter().filter(|program| !is_installed(program)).collect();
    if !cfg!(target_os = "linux") || !missing.is_empty() {
        let message = match missing.as_slice() {
            [] => "counterexamples happen on Linux only".to_owned(),
            missing => format!("these programs are not installed: {}", missing.join(", ")),
        };
        return Err(cannot(message, "on Debian they are in util-linux, iproute2, nftables and iptables"));
    }
    let output = execute(&plan.script)
        .map_err(|error| cannot(format!("`unshare` did not start: {error}"), "it is part of util-linux"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let last: Vec<&str> = said.lines().rev().take(4).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        let message = format!("the counterexample could not be set up: {}", safe(&last.join("; ")));
        let help = "users need namespaces of their own (kernel.unprivileged_userns_clone, AppArmor), and the kernel \
                    bridges, veth and nf_tables; `--script` writes what was run";
        return Err(cannot(message, help));
    }
    Ok(counted(&String::from_utf8_lossy(&output.stdout)))
}

/// Every program that the script calls.
fn needed(plan: &Plan) -> Vec<&'static str> {
    let loaders = ["iptables-restore", "ip6tables-restore"];
    let loaders = loaders.into_iter().filter(|name| plan.script.contains(&format!(" {name}\n")));
    PROGRAMS.iter().copied().chain(loaders).collect()
}

/// Where programs are looked for: where the user does, and where they commonly are. Users often have no path to what root
/// calls.
fn search_path() -> OsString {
    let own = env::var_os("PATH").unwrap_or_default();
    let common = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
    env::join_paths(env::split_paths(&own).chain(common)).unwrap_or(own)
}

fn is_installed(program: &str) -> bool {
    env::split_paths(&search_path()).any(|folder| folder.join(program).is_file())
}

fn execute(script: &str) -> std::io::Result<Output> {
    let mut child = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--net", "sh", "-s"])
        .env("ISOAUDIT", env::current_exe()?)
        .env("PATH", search_path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A shell that ended early has said why.
        let _ = input.write_all(script.as_bytes());
    }
    child.wait_with_output()
}

/// Reads what the script says of its counters.
fn counted(text: &str) -> BTreeSet<(usize, String, String)> {
    let mut found = BTreeSet::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some((number, namespace)) = line.strip_prefix(SEEN).and_then(|rest| rest.trim().split_once(' '))
        else {
            continue;
        };
        let Ok(number) = number.parse::<usize>() else { continue };
        let document: Value =
            lines.next().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
        for entry in document["nftables"].as_array().into_iter().flatten() {
            let counter = &entry["counter"];
            let (Some(name), Some(packets)) = (counter["name"].as_str(), counter["packets"].as_u64()) else {
                continue;
            };
            let own = name.strip_prefix(&format!("p{number}"));
            if let Some(what) = own.filter(|_| packets > 0 && counter["table"] == COUNTERS) {
                found.insert((number, namespace.to_owned(), what.to_owned()));
            }
        }
    }
    found
}

/// What the kernel did, beside what the finding says, and whether that is the same.
fn told(plan: &Plan, seen: &BTreeSet<(usize, String, String)>) -> (String, bool) {
    let mut text = String::new();
    let mut happened = true;
    for (index, Expected { packet, origin, sights }) in plan.packets.iter().enumerate() {
        let number = index + 1;
        let count = plan.packets.len();
        let _ = writeln!(text, "packet {number} of {count}: {packet}, sent at {}", safe(origin));
        for sight in sights {
            let Sight { node, namespace, .. } = sight;
            let saw = |what: &str| seen.contains(&(number, namespace.clone(), what.to_owned()));
            let asked = [
                (sight.receives, "rx", "received it"),
                (sight.delivers, "in", "took it past its input filter"),
                (sight.sends, "tx", "put it on the line"),
            ];
            let words = asked.iter().filter(|(asked, ..)| *asked).map(|(_, what, words)| {
                let is_so = saw(what);
                happened &= is_so;
                if is_so { (*words).to_owned() } else { format!("NOT {words}") }
            });
            let words: Vec<String> = words.collect();
            let _ = writeln!(text, "  {}: {}", safe(node), words.join(", "));
        }
    }
    text.push_str(match happened {
        true => "reproduced: the kernel did what the finding says\n",
        false => "NOT reproduced: the kernel did something else; please report this, with the topology\n",
    });
    (text, happened)
}

#[cfg(test)]
mod tests {
    use super::*;
    use isoaudit::header::{Fragment, Packet, proto};

    fn plan() -> Plan {
        let [src, dst] = ["10.0.0.1", "192.0.2.9"].map(|text| text.parse().unwrap());
        let (icmp_type, icmp_code, flags, fragment) = (0, 0, 0, Fragment::Whole);
        let (sport, dport) = (40_000, 53);
        let packet =
            Packet { src, dst, proto: proto::UDP, sport, dport, icmp_type, icmp_code, flags, fragment };
        let sight = |node: &str, namespace: &str, receives, delivers, sends| Sight {
            node: node.to_owned(),
            namespace: namespace.to_owned(),
            receives,
            delivers,
            sends,
        };
        let sights = vec![
            sight("host", "n0", false, false, true),
            sight("fw", "n1", true, false, true),
            sight("db", "n2", true, true, false),
        ];
        let script = "printf x | ip netns exec n1 iptables-restore\n".to_owned();
        Plan { script, packets: vec![Expected { packet, origin: "host".to_owned(), sights }] }
    }

    /// What the script says of a namespace whose counters are these.
    fn counters(namespace: &str, counts: [u64; 3]) -> String {
        let one = |(what, count): (&str, u64)| {
            let (name, table) = (format!("p1{what}"), COUNTERS);
            serde_json::json!({ "counter": { "table": table, "name": name, "packets": count, "bytes": 9 } })
        };
        let all: Vec<Value> = ["rx", "in", "tx"].into_iter().zip(counts).map(one).collect();
        format!("{SEEN} 1 {namespace}\n{}\n", serde_json::json!({ "nftables": all }))
    }

    #[test]
    fn what_was_counted_is_held_beside_what_the_finding_says() {
        let all = [counters("n0", [0, 0, 1]), counters("n1", [1, 0, 2]), counters("n2", [1, 1, 0])].concat();
        let (text, happened) = told(&plan(), &counted(&all));
        assert!(happened && !text.contains("NOT"), "{text}");
        let dropped =
            [counters("n0", [0, 0, 1]), counters("n1", [1, 0, 0]), counters("n2", [0, 0, 0])].concat();
        let (text, happened) = told(&plan(), &counted(&dropped));
        assert!(!happened && text.contains("fw: received it, NOT put it on the line"), "{text}");
        let (text, happened) = told(&plan(), &counted("what no script says\n"));
        assert!(!happened && text.contains("host: NOT put it on the line"), "{text}");
    }

    #[test]
    fn the_programs_that_a_script_needs_are_asked_for() {
        assert_eq!(needed(&plan()), ["unshare", "sh", "mount", "ip", "nft", "iptables-restore"]);
        assert!(is_installed("sh") && !is_installed("no-such-program"));
    }
}
