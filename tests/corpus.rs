//! Every topology that is shipped, and the corpus beside them: each gets the verdicts that its README says, in words that
//! were read; each leak has a twin that closes it with one line.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use isoaudit::audit::{self, Options, Unwatched};
use isoaudit::report::{self, Look, Report};
use isoaudit::source::{DEFAULT_MAX_BYTES, Loader, SourceMap};
use isoaudit::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

#[path = "../examples/fabric.rs"]
#[allow(dead_code, reason = "only the files of a fabric are asked for, not the command line around them")]
mod fabric;

/// A topology with the report about it.
struct Case {
    /// Its folder, from the root of the repository.
    folder: PathBuf,
    sources: SourceMap,
    report: Report,
}

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let mut cases: Vec<Case> =
        ["topologies", "tests/corpus"].iter().flat_map(|root| folders(Path::new(root))).map(case).collect();
    cases.sort_by(|a, b| a.folder.cmp(&b.folder));
    cases
});

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders below this one that hold a topology; those of bad inputs have a test of their own.
fn folders(folder: &Path) -> Vec<PathBuf> {
    if folder == Path::new("tests/corpus/bad") {
        return Vec::new();
    }
    let mut found = Vec::new();
    if root().join(folder).join("topology.yaml").is_file() {
        found.push(folder.to_owned());
    }
    for entry in fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            found.extend(folders(&folder.join(entry.file_name())));
        }
    }
    found
}

fn case(folder: PathBuf) -> Case {
    let mut sources = SourceMap::default();
    let loader = Loader::new(root().join(&folder), DEFAULT_MAX_BYTES);
    let path = Path::new("topology.yaml");
    match audit::run(&mut sources, &loader, path, &Options::default(), &Unwatched) {
        Ok(report) => Case { folder, sources, report },
        Err(found) => {
            let told = report::text::errors(&found.sorted(), &sources, &Look::PLAIN);
            panic!("{}: {told}", folder.display());
        }
    }
}

fn named(folder: &str) -> &'static Case {
    let found = CASES.iter().find(|case| case.folder == Path::new(folder));
    found.unwrap_or_else(|| panic!("there is no topology in {folder}"))
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Violated => "violated",
        Verdict::Undetermined => "undetermined",
        Verdict::Vacuous => "vacuous",
    }
}

impl Case {
    fn verdicts(&self) -> BTreeMap<String, &'static str> {
        let judgements = self.report.judgements.iter();
        judgements.map(|one| (one.claim.id.value.clone(), word(one.verdict))).collect()
    }

    /// What the README of the folder, or the one above it, says: a line `expected FOLDER: claim=verdict …`.
    fn expected(&self) -> BTreeMap<String, String> {
        let name = self.folder.file_name().unwrap().to_str().unwrap();
        let head = format!("expected {name}: ");
        let readmes = [self.folder.join("README.md"), self.folder.parent().unwrap().join("README.md")];
        let texts = readmes.iter().filter_map(|path| fs::read_to_string(root().join(path)).ok());
        let lines: Vec<String> =
            texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        let line = lines.iter().find_map(|line| line.strip_prefix(&head));
        let line = line.unwrap_or_else(|| panic!("{}: no README says `{head}…`", self.folder.display()));
        let pair = |word: &str| word.split_once('=').map(|(claim, verdict)| (claim.into(), verdict.into()));
        line.split(' ').map(|word| pair(word).unwrap_or_else(|| panic!("`{word}`"))).collect()
    }
}

#[test]
fn every_topology_gets_the_verdicts_that_its_readme_says() {
    for case in CASES.iter() {
        let expected = case.expected();
        let expected: BTreeMap<String, &str> =
            expected.iter().map(|(claim, verdict)| (claim.clone(), verdict.as_str())).collect();
        assert_eq!(case.verdicts(), expected, "{}", case.folder.display());
    }
}

#[test]
fn every_report_is_what_was_reviewed() {
    for case in CASES.iter() {
        let name = case.folder.iter().map(|part| part.to_str().unwrap()).collect::<Vec<_>>().join("-");
        for format in ["text", "json"] {
            let write = report::format(format).unwrap().report;
            let told = write(std::slice::from_ref(&case.report), &case.sources, &Look::PLAIN);
            let told = String::from_utf8(told).unwrap();
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path("snapshots/corpus");
            settings.set_prepend_module_to_snapshot(false);
            settings.set_omit_expression(true);
            settings.add_filter(&regex_of(env!("CARGO_PKG_VERSION")), "VERSION");
            settings.bind(|| insta::assert_snapshot!(format!("{name}.{format}"), told));
        }
    }
}

/// A pattern for the version in quotes, where the JSON report tells it.
fn regex_of(version: &str) -> String {
    format!("\"{}\"", version.replace('.', "\\."))
}

/// The reports of a case, in each format.
fn reports(case: &Case) -> Vec<String> {
    let write = |name| {
        let write = report::format(name).unwrap().report;
        let told = write(std::slice::from_ref(&case.report), &case.sources, &Look::PLAIN);
        String::from_utf8(told).unwrap()
    };
    ["text", "json"].into_iter().map(write).collect()
}

#[test]
fn one_thread_and_many_write_the_same_bytes() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let pools = [1, 2, 7].map(pool);
    for folder in CASES.iter().map(|case| &case.folder) {
        let [one, two, seven] =
            [0, 1, 2].map(|index| pools[index].install(|| reports(&self::case(folder.clone()))));
        assert_eq!(one, two, "{}", folder.display());
        assert_eq!(one, seven, "{}", folder.display());
    }
}

#[test]
fn text_reports_fit_into_a_hundred_columns() {
    for case in CASES.iter() {
        let told = report::text::report(std::slice::from_ref(&case.report), &case.sources, &Look::PLAIN);
        // An argument of a command has to stand on one line.
        for line in told.lines().filter(|line| !line.contains("--after '")) {
            assert!(line.chars().count() <= 100, "{}: {line}", case.folder.display());
        }
    }
}

#[test]
fn of_what_is_shipped_at_most_one_verdict_in_five_is_open_and_each_says_what_would_settle_it() {
    let shipped = || CASES.iter().filter(|case| case.folder.starts_with("topologies"));
    let all: usize = shipped().map(|case| case.report.judgements.len()).sum();
    let mut open = 0;
    for case in shipped() {
        for judgement in case.report.judgements.iter().filter(|one| one.verdict == Verdict::Undetermined) {
            open += 1;
            let named = |reason: &isoaudit::verdict::Open| reason.span.is_some() && !reason.settle.is_empty();
            assert!(
                !judgement.open.is_empty() && judgement.open.iter().all(named),
                "{}: {} does not name a line",
                case.folder.display(),
                judgement.claim.id.value
            );
        }
    }
    assert!(all >= 100, "{all} verdicts");
    assert!(open * 5 <= all, "{open} of {all} verdicts are undetermined");
    assert!(open > 0, "what is shipped does not show how an open question looks");
}

#[test]
fn each_kind_of_claim_is_seen_with_each_verdict() {
    let mut seen = BTreeSet::new();
    for judgement in CASES.iter().flat_map(|case| &case.report.judgements) {
        seen.insert((judgement.claim.statement.word(), word(judgement.verdict)));
    }
    for kind in ["isolated", "confined", "only-via", "reachable"] {
        for verdict in ["holds", "violated", "undetermined", "vacuous"] {
            assert!(seen.contains(&(kind, verdict)), "no `{kind}` that is {verdict}");
        }
    }
}

/// Each leak with its twin.
const TWINS: &[(&str, &str)] = &[
    ("topologies/dual-homed-host/on", "topologies/dual-homed-host/off"),
    ("topologies/fabric/leak", "topologies/fabric/closed"),
    ("topologies/pci-segment/leak", "topologies/pci-segment/closed"),
    ("topologies/region-cn/ack-trusted", "topologies/region-cn/holds"),
    ("topologies/region-cn/default-route-in-mgmt", "topologies/region-cn/holds"),
    ("topologies/region-cn/foreign-filter", "topologies/region-cn/holds"),
    ("topologies/region-cn/ipv6-unfiltered", "topologies/region-cn/holds"),
    ("topologies/region-cn/no-discard-route", "topologies/region-cn/holds"),
    ("topologies/region-cn/rule-above-deny", "topologies/region-cn/holds"),
    ("topologies/region-cn/second-router", "topologies/region-cn/holds"),
    ("topologies/region-cn/transit-detour", "topologies/region-cn/holds"),
    ("topologies/region-cn/vlan-across-border", "topologies/region-cn/holds"),
    ("topologies/region-cn/wide-prefix", "topologies/region-cn/holds"),
    ("topologies/shorewall-border/leak", "topologies/shorewall-border/closed"),
    ("topologies/ufw-border/leak", "topologies/ufw-border/closed"),
];

#[test]
fn every_leak_has_a_twin_that_differs_in_one_line_and_holds() {
    let leaks = CASES.iter().filter(|case| case.folder.starts_with("topologies"));
    let leaks = leaks.filter(|case| case.verdicts().values().any(|verdict| *verdict == "violated"));
    let leaks: BTreeSet<&Path> = leaks.map(|case| case.folder.as_path()).collect();
    let listed: BTreeSet<&Path> = TWINS.iter().map(|(leak, _)| Path::new(*leak)).collect();
    assert_eq!(leaks, listed, "the violated topologies, and those with a twin");
    for (leak, closed) in TWINS {
        let held = named(closed).verdicts();
        assert!(held.values().all(|verdict| *verdict == "holds"), "{closed}: {held:?}");
        let broken = named(leak).verdicts();
        assert!(broken.keys().eq(held.keys()), "{leak} and {closed} make different claims");
        let lines = differing_lines(Path::new(leak), Path::new(closed));
        assert_eq!(lines.len(), 1, "{leak} and {closed} differ in {lines:#?}");
    }
}

/// The lines in which the files of two folders differ: what stands at a place here, and there.
fn differing_lines(here: &Path, there: &Path) -> Vec<(String, String)> {
    let (ours, theirs) = (files(here), files(there));
    assert!(ours.keys().eq(theirs.keys()), "{} and {} hold other files", here.display(), there.display());
    let mut found = Vec::new();
    for (name, a) in &ours {
        let b = &theirs[name];
        let head = a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let (a, b) = (&a[head..], &b[head..]);
        let tail = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
        let (a, b) = (&a[..a.len() - tail], &b[..b.len() - tail]);
        let at = |lines: &[String], index: usize| lines.get(index).cloned().unwrap_or_default();
        found.extend((0..a.len().max(b.len())).map(|index| (at(a, index), at(b, index))));
    }
    found
}

/// The lines of every file of a folder, READMEs apart. Of dumps those are left out that are not configuration: comments with
/// dates, the check sums by which Shorewall calls two empty chains, and what repeats `iptables-save` in another notation.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<String>> {
    let mut found = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(inside) = open.pop() {
        for entry in fs::read_dir(root().join(folder).join(&inside)).unwrap().map(Result::unwrap) {
            let name = inside.join(entry.file_name());
            if entry.path().is_dir() {
                open.push(name);
            } else if !name.ends_with("README.md") && !name.ends_with("nft.json") {
                let text = fs::read_to_string(entry.path()).unwrap();
                let is_dump = name.to_string_lossy().ends_with("tables-save.txt");
                let incidental =
                    |line: &&str| is_dump && (line.starts_with('#') || line.starts_with(":sha-"));
                let lines = text.lines().filter(|line| !incidental(line)).map(str::to_owned).collect();
                found.insert(name, lines);
            }
        }
    }
    found
}

#[test]
fn the_shipped_fabric_is_what_the_generator_writes() {
    let written: BTreeMap<PathBuf, Vec<String>> = fabric::fabric(80)
        .unwrap()
        .into_iter()
        .map(|(name, text)| (PathBuf::from(name), text.lines().map(str::to_owned).collect()))
        .collect();
    assert_eq!(files(Path::new("topologies/fabric/leak")), written);
}

#[test]
fn fabrics_have_as_many_devices_as_was_asked_for() {
    for devices in [54, 80, 1_000] {
        let files = fabric::fabric(devices).unwrap();
        let folder = std::env::temp_dir().join(format!("isoaudit-fabric-{devices}-{}", std::process::id()));
        for (name, text) in files {
            fs::create_dir_all(folder.join(&name).parent().unwrap()).unwrap();
            fs::write(folder.join(&name), text).unwrap();
        }
        let loader = Loader::new(&folder, DEFAULT_MAX_BYTES);
        let read = isoaudit::input::read(
            &mut SourceMap::default(),
            &loader,
            Path::new("topology.yaml"),
            &Default::default(),
        );
        let read = read.map_err(|found| found.sorted()).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(read.network.nodes.len(), devices);
        assert!(read.warnings.sorted().is_empty(), "{devices} devices give warnings");
    }
    assert!(fabric::fabric(53).is_err() && fabric::fabric(50_000_000).is_err());
}

#[test]
fn nothing_that_is_shipped_speaks_of_the_place_where_it_was_made() {
    let places = [env!("CARGO_MANIFEST_DIR").into(), std::env::temp_dir()];
    let places = places.map(|place: PathBuf| place.to_string_lossy().into_owned());
    for folder in CASES.iter().map(|case| &case.folder) {
        for (name, lines) in files(folder) {
            for line in lines {
                let private = places.iter().any(|place| line.contains(place));
                assert!(!private, "{}: {line}", folder.join(name).display());
            }
        }
    }
}
