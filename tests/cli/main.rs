//! The real binary, in an environment of our own: exit codes, streams, formats, colours, help.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops here")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

mod days;
mod hostile;
mod inputs;
mod reproduce;
mod terminal;
mod trace;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A command that knows nothing of who runs the tests.
fn isoaudit(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isoaudit"));
    command.args(arguments).env_clear().env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    isoaudit(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What was said on standard error, its lines joined again where they were wrapped: how long a message is hangs on
/// where the checkout stands, and no test may.
fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap().replace("\n  │ ", " ")
}

/// A folder that is gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether a document is the errors of the JSON format, and how many.
fn errors_in(json: &str) -> usize {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(value["format"], "isoaudit/1");
    value["errors"].as_array().unwrap().len()
}

#[test]
fn help_is_what_was_reviewed() {
    let mut text = String::new();
    for command in ["", "check", "trace", "reproduce", "list", "resolve", "fmt", "schema", "explain"] {
        let mut arguments: Vec<&str> = Some(command).filter(|c| !c.is_empty()).into_iter().collect();
        arguments.push("--help");
        let output = run(&arguments);
        assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
        text.push_str(&format!("$ isoaudit {}\n{}\n", arguments.join(" "), stdout(&output)));
    }
    assert!(text.lines().all(|line| line.chars().count() <= 100));
    insta::assert_snapshot!(text);
}

#[test]
fn wrong_usage_is_told_on_standard_error() {
    for arguments in [
        &[][..],
        &["check"],
        &["chek", "x"],
        &["check", "--nonsense", "x"],
        &["check", "-q", "-v", "x"],
        &["check", "--max-causes", "0", "x"],
        &["check", "--threads", "many", "x"],
        &["check", "--color", "sometimes", "x"],
        &["check", "-f", "jsno", "x"],
        &["check", "-f", "json=", "x"],
        &["check", "-f", "text", "-f", "json", "x"],
        &["check", "-f", "json=a", "-f", "text=a", "x"],
        &["check", "-", "-"],
        &["trace", "x", "tcp/1"],
        &["trace", "x", "tcp/1", "--from", "a", "--to", "b", "--after", "nonsense"],
        &["list", "x"],
        &["fmt"],
        &["fmt", "-", "other.rules"],
        &["schema", "html"],
    ] {
        let output = run(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
        assert!(!stderr(&output).is_empty(), "{arguments:?}");
    }
}

#[test]
fn an_unknown_format_names_the_known_ones() {
    let told = stderr(&run(&["check", "-f", "jsno", "x"]));
    assert!(told.contains("text, json, pcap") && told.contains("did you mean `json`?"), "{told}");
    let told = stderr(&run(&["check", "-f", "text", "-f", "json", "x"]));
    assert!(told.contains("two formats go to standard output"), "{told}");
}

#[test]
fn no_input_found_is_an_error_that_says_what_was_looked_for() {
    let folder = Folder::new("empty-input");
    folder.write("network.yaml", "isoaudit: 1\n");
    let output = run(&["check", &folder.path("")]);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    let told = stderr(&output);
    for name in ["topology.yaml", "topology.yml", "*.isoaudit.yaml", "*.isoaudit.yml", "no-input"] {
        assert!(told.contains(name), "{told}");
    }
    let output = run(&["check", &folder.path("missing.yaml")]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("does not exist"));
}

#[test]
fn every_input_that_is_wrong_is_told() {
    let output = run(&["check", "missing-a.yaml", "missing-b.yaml", "-f", "json"]);
    assert_eq!(code(&output), 2);
    assert_eq!(errors_in(&stdout(&output)), 2);
    let told = stderr(&output);
    assert!(told.contains("missing-a.yaml") && told.contains("missing-b.yaml"), "{told}");
}

#[test]
fn programs_get_a_document_even_when_nothing_was_decided() {
    let folder = Folder::new("errors-document");
    let json = folder.path("report.json");
    let text = folder.path("report.txt");
    let (to_json, to_text) = (format!("json={json}"), format!("text={text}"));
    let output = run(&["check", "missing.yaml", "-f", &to_json, "-f", &to_text]);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    assert_eq!(errors_in(&fs::read_to_string(json).unwrap()), 1);
    assert!(fs::read_to_string(text).unwrap().contains("missing.yaml"));
    let output = run(&["list", "missing.yaml", "any", "-f", "json"]);
    assert_eq!((code(&output), errors_in(&stdout(&output))), (2, 1));
    let trace = ["trace", "missing.yaml", "tcp/1", "--from", "a", "--to", "b", "-f", "json"];
    let output = run(&trace);
    assert_eq!((code(&output), errors_in(&stdout(&output))), (2, 1));
}

#[test]
fn a_report_that_cannot_be_written_is_claimed_by_nobody() {
    let folder = Folder::new("unwritable");
    let lost = format!("json={}", folder.path("no/such/folder/report.json"));
    let output = run(&["check", "missing.yaml", "-f", &lost]);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    assert!(stderr(&output).contains("cannot write"), "{}", stderr(&output));
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[test]
fn standard_input_is_capped_and_must_be_utf8() {
    for (bytes, said) in
        [(&b"aaaaaaaaaaaaaaaa"[..], "larger than the limit of 8 bytes"), (b"ab\xff", "not UTF-8")]
    {
        let mut child = isoaudit(&["check", "-", "--max-bytes", "8"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

/// A small network. The lines that a test changes are written as holes.
const NETWORK: &str = r#"isoaudit: 1
name: small
sites: { sha: { jurisdiction: CN }, sin: { jurisdiction: SG } }
defaults: { kind: linux, ipv6: off, interfaces: { antispoof: strict } }
assume: { no-source-routing: "change CHG-7" }
nodes:
  fw:
    role: firewall
    site: sha
    policy: fw.rules
    interfaces: { in: { ipv4: 10.1.0.1/24 }, out: { ipv4: 192.0.2.1/30 } }
    routes: [ { to: default, via: 192.0.2.2 } ]
  db: { role: host, site: sha, gateway: 10.1.0.1, interfaces: { eth0: { ipv4: 10.1.0.20/24 } } }
  rtr:
    role: router
    site: sin
    interfaces: { eth0: { ipv4: 192.0.2.2/30 } }
    routes: [ { to: 10.1.0.0/24, via: 192.0.2.1 } ]
links:
  - endpoints: ["fw:in", "db:eth0"]
  - { endpoints: ["fw:out", "rtr:eth0"], transit: [CN, SG] }
claims:
  - { id: no-way-out, isolated: { from: "jurisdiction:CN", to: "not jurisdiction:CN" } }
  - { id: no-way-in, isolated: { from: "not jurisdiction:CN", to: "jurisdiction:CN" } }
"#;

/// With this nothing passes.
const CLOSED: &str = "policy fw {\n  default deny\n}\n";

/// With this time is asked for, and told.
const LEAK: &str =
    "policy fw {\n  default deny\n  rule ntp { allow from 10.1.0.0/24 to any service udp/123 }\n}\n";

/// The network without a word on where the other side is.
fn undetermined() -> String {
    NETWORK.replace("    site: sin\n", "").replace(", transit: [CN, SG]", "")
}

/// A folder with the small network in it.
fn network(name: &str, rules: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("topology.yaml", NETWORK);
    folder.write("fw.rules", rules);
    folder
}

#[test]
fn exit_codes_tell_the_verdict_in_every_format() {
    let vacuous = NETWORK.replace("from: \"not jurisdiction:CN\"", "from: \"site:sha and site:sin\"");
    let open = undetermined();
    let broken = NETWORK.replace("site: sin", "site: sni");
    for (name, text, rules, expected) in [
        ("holds", NETWORK, CLOSED, 0),
        ("violated", NETWORK, LEAK, 1),
        ("refused", &broken, LEAK, 2),
        ("vacuous", &vacuous, CLOSED, 3),
        ("undetermined", &open, LEAK, 3),
    ] {
        let folder = network(&format!("exit-{name}"), rules);
        let file = folder.write("topology.yaml", text);
        for arguments in [&["check", &file][..], &["check", &file, "-f", "json"], &["check", &file, "-q"]] {
            let output = run(arguments);
            assert_eq!(code(&output), expected, "{arguments:?}: {}{}", stdout(&output), stderr(&output));
        }
        let json: serde_json::Value =
            serde_json::from_str(&stdout(&run(&["check", &file, "-f", "json"]))).unwrap();
        match expected {
            2 => assert!(json["errors"][0]["place"]["line"].as_u64().is_some_and(|line| line > 1)),
            _ => assert_eq!(json["verdict"], name),
        }
    }
}

#[test]
fn a_violation_wins_over_what_is_open_and_bad_input_over_all() {
    let leak = network("wins-leak", LEAK);
    let open = network("wins-open", LEAK);
    open.write("topology.yaml", &undetermined());
    let bad = network("wins-bad", "policy fw {");
    let of = |folders: &[&Folder]| {
        let paths: Vec<String> = folders.iter().map(|folder| folder.path("")).collect();
        let mut arguments = vec!["check"];
        arguments.extend(paths.iter().map(String::as_str));
        run(&arguments)
    };
    assert_eq!(code(&of(&[&open])), 3);
    assert_eq!(code(&of(&[&open, &leak])), 1);
    let output = of(&[&leak, &open, &bad]);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "nothing is half reported");
    let both = stdout(&of(&[&leak, &open]));
    for said in ["wins-leak/topology.yaml:", "wins-open/topology.yaml:", "fw.rules:", "2 topologies:"] {
        assert!(both.contains(said), "{said}: {both}");
    }
}

#[test]
fn every_json_document_keeps_to_the_schema() {
    let schema = serde_json::from_str(&stdout(&run(&["schema", "report"]))).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let folder = network("schema", LEAK);
    let file = folder.path("topology.yaml");
    for arguments in [
        &["check", &file, "-f", "json"][..],
        &["check", &file, "missing", "-f", "json"],
        &["list", &file, "jurisdiction:CN", "-f", "json"],
        &["trace", &file, "udp/123", "--from", "db", "--to", "rtr", "-f", "json"],
        &["trace", &file, "udp", "--from", "db", "--to", "rtr", "-f", "json"],
    ] {
        let document = serde_json::from_str(&stdout(&run(arguments))).unwrap();
        let problems: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{arguments:?}: {problems:#?}");
    }
}

#[test]
fn several_formats_come_out_of_one_run() {
    let folder = network("formats", LEAK);
    let file = folder.path("topology.yaml");
    let (json, text) = (folder.path("report.json"), folder.path("report.txt"));
    let pcap = folder.path("report.pcapng");
    fs::write(&json, "old").unwrap();
    let [to_json, to_text, to_pcap] =
        [format!("json={json}"), format!("text={text}"), format!("pcap={pcap}")];
    let formats = ["-f", "text", "-f", &to_json, "-f", &to_text, "-f", &to_pcap];
    let output = run(&[&["check", &file, "--color", "always"][..], &formats].concat());
    assert_eq!(code(&output), 1);
    let value: serde_json::Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!(value["counts"]["violated"], 2);
    let written = fs::read_to_string(&text).unwrap();
    assert!(stdout(&output).contains('\u{1b}') && !written.contains('\u{1b}'), "files are plain");
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 5, "no draft is left behind");
    assert_eq!(fs::read(&pcap).unwrap()[..4], [0x0a, 0x0d, 0x0d, 0x0a], "a section of pcapng");
    assert_eq!(run(&["check", &file, "-f", "pcap"]).stdout, fs::read(&pcap).unwrap(), "a pipe gets the same");
}

#[test]
fn the_same_bytes_come_out_with_any_number_of_threads() {
    let folder = network("threads", LEAK);
    let file = folder.path("topology.yaml");
    for format in ["text", "json"] {
        let of = |threads: &str| stdout(&run(&["check", &file, "-f", format, "--threads", threads, "-v"]));
        assert_eq!(of("1"), of("3"));
    }
}

#[test]
fn claims_can_be_picked_and_unknown_ones_are_told() {
    let folder = network("claims", LEAK);
    let file = folder.path("topology.yaml");
    let picked = stdout(&run(&["check", &file, "--claim", "no-way-in", "-q"]));
    assert!(picked.contains("no-way-in") && !picked.contains("no-way-out"), "{picked}");
    let output = run(&["check", &file, "--claim", "no-way-on"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    assert!(stderr(&output).contains("did you mean `no-way-in`?"), "{}", stderr(&output));
}

#[test]
fn assumptions_are_named_and_strict_drops_them() {
    let folder = network("assumed", CLOSED);
    let file = folder.path("topology.yaml");
    let text = stdout(&run(&["check", &file]));
    assert!(text.contains("under 1 assumption") && text.contains("change CHG-7"), "{text}");
    let strict = stdout(&run(&["check", &file, "--strict"]));
    assert!(!strict.contains("assumption") && !strict.contains("CHG-7"), "{strict}");
}

#[test]
fn a_topology_may_come_from_standard_input() {
    let folder = network("stdin", LEAK);
    let name = folder.path("piped.yaml");
    let mut child = isoaudit(&["check", "-", "--stdin-filename", &name, "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(NETWORK.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("stdin/piped.yaml:"), "{}", stdout(&output));
}

#[test]
fn the_exit_code_survives_a_reader_who_has_seen_enough() {
    let folder = network("pipe", LEAK);
    let file = folder.path("topology.yaml");
    let mut child =
        isoaudit(&["check", &file]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (1, ""));
}

#[test]
fn colours_follow_flag_and_environment() {
    let coloured = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = isoaudit(&["check", "missing.yaml"]);
        command.args(arguments).envs(variables.iter().copied());
        stderr(&command.output().unwrap()).contains('\u{1b}')
    };
    assert!(!coloured(&[], &[]), "a pipe gets no colours");
    assert!(coloured(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(!coloured(&["--color", "never"], &[("FORCE_COLOR", "1")]));
    assert!(coloured(&[], &[("FORCE_COLOR", "1")]));
    assert!(coloured(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[], &[("CLICOLOR_FORCE", "0")]));
    assert!(!coloured(&[], &[("NO_COLOR", "1"), ("FORCE_COLOR", "1")]));
}

#[test]
fn a_locale_without_utf8_gets_ascii() {
    let told = |locale: &str, arguments: &[&str]| {
        let mut command = isoaudit(&["check", "missing-é.yaml"]);
        stderr(&command.args(arguments).env("LC_ALL", locale).output().unwrap())
    };
    assert!(told("C", &[]).is_ascii());
    assert!(told("C.UTF-8", &["--ascii"]).is_ascii());
    assert!(told("C.UTF-8", &[]).contains("missing-é.yaml"));
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure() {
    let mut child =
        isoaudit(&["schema", "report"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
}

#[test]
fn names_from_outside_cannot_steer_the_terminal() {
    let told = stderr(&run(&["check", "evil\u{1b}[2J\u{202e}.yaml"]));
    assert!(told.contains("\\u{1b}[2J\\u{202e}"), "{told}");
    assert!(!told.contains('\u{1b}') && !told.contains('\u{202e}'));
}

#[test]
fn words_of_the_reports_are_explained() {
    let output = run(&["explain", "unknown-key"]);
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).contains("unknown-key (diagnostic)"));
    let all = stdout(&run(&["explain"]));
    for word in ["holds", "vacuous", "only-via", "no-reflection", "include-cycle"] {
        assert!(all.contains(word), "{word}");
        assert_eq!(code(&run(&["explain", word])), 0);
    }
    let output = run(&["explain", "vacuos"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("did you mean `vacuous`?"));
}

#[test]
fn schemas_are_json() {
    for which in ["topology", "report"] {
        let output = run(&["schema", which]);
        assert_eq!(code(&output), 0);
        let schema: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert!(jsonschema::meta::is_valid(&schema), "{which}");
    }
}
