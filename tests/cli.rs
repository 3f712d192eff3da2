//! The real binary, in an environment of our own: exit codes, streams, formats, colours, help.

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

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
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
    for command in ["", "check", "trace", "list", "resolve", "fmt", "schema", "explain"] {
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
    assert!(told.contains("text, json") && told.contains("did you mean `json`?"), "{told}");
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
