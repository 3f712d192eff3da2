//! The real binary on a terminal: progress while it works, colours, and none of both where nobody could see them.

use super::*;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

/// What begins a line of progress, and what takes it away: carriage return, and erase to the end of the line.
const ERASE: &str = "\r\u{1b}[K";

/// A pseudo-terminal: the end that a program writes to, and what a reader of the other end sees.
struct Terminal {
    program: File,
    reader: JoinHandle<String>,
}

impl Terminal {
    fn new() -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let program = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let mut screen = File::from(master);
        let reader = spawn(move || {
            let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
            // Once nobody has the other end open, Linux answers with EIO.
            while let Ok(count @ 1..) = screen.read(&mut piece) {
                seen.extend_from_slice(&piece[..count]);
            }
            String::from_utf8(seen).unwrap()
        });
        Terminal { program, reader }
    }

    fn end(&self) -> Stdio {
        Stdio::from(self.program.try_clone().unwrap())
    }

    /// What was shown, once every program that writes there is gone.
    fn seen(self) -> String {
        drop(self.program);
        self.reader.join().unwrap()
    }
}

/// Which of the two streams are a terminal; the other is a pipe.
#[derive(Clone, Copy, PartialEq)]
enum Watched {
    Both,
    Output,
    Errors,
}

/// What a check shows whose input takes `wait` to come: on the terminal, and through the pipe if there is one.
fn shown(
    watched: Watched,
    arguments: &[&str],
    variables: &[(&str, &str)],
    wait: Duration,
) -> (String, String) {
    let terminal = Terminal::new();
    let piped = |is_terminal: bool| if is_terminal { terminal.end() } else { Stdio::piped() };
    let mut command = isoaudit(&["check", "-", "--stdin-filename", "slow.yaml"]);
    command.args(arguments).envs(variables.iter().copied()).stdin(Stdio::piped());
    command.stdout(piped(watched != Watched::Errors)).stderr(piped(watched != Watched::Output));
    let mut child = command.spawn().unwrap();
    // The command holds the other end of the terminal, too.
    drop(command);
    sleep(wait);
    child.stdin.take().unwrap().write_all(OPEN.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    (terminal.seen(), stdout(&output) + &stderr(&output))
}

/// A network that needs no other file, with a claim that breaks.
const OPEN: &str = r#"isoaudit: 1
defaults: { kind: linux, ipv6: off, interfaces: { antispoof: strict } }
zones: { left: {}, right: {} }
nodes:
  a: { role: host, gateway: 10.1.0.1, interfaces: { eth0: { ipv4: 10.1.0.10/24, zone: left } } }
  b: { role: host, gateway: 10.2.0.1, interfaces: { eth0: { ipv4: 10.2.0.10/24, zone: right } } }
  r: { role: router, interfaces: { l: { ipv4: 10.1.0.1/24 }, r: { ipv4: 10.2.0.1/24 } } }
links: [ { endpoints: ["a:eth0", "r:l"] }, { endpoints: ["b:eth0", "r:r"] } ]
claims: [ { id: apart, isolated: { from: "zone:left", to: "zone:right" } } ]
"#;

/// What is shown once the input takes so long that progress is due. How long that is hangs on how soon the program starts,
/// so it is waited longer and longer.
fn shown_with_progress(watched: Watched, arguments: &[&str], variables: &[(&str, &str)]) -> (String, String) {
    let mut wait = Duration::from_millis(600);
    loop {
        let (seen, piped) = shown(watched, arguments, variables, wait);
        if seen.contains("slow.yaml: reading") || wait > Duration::from_secs(30) {
            return (seen, piped);
        }
        wait *= 2;
    }
}

/// Whether a text has colours, or bold or dim letters (ECMA-48 `SGR`).
fn is_coloured(text: &str) -> bool {
    let mut codes = text.split("\u{1b}[").skip(1);
    codes.any(|code| code.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'))
}

#[test]
fn a_terminal_sees_progress_which_makes_way_for_the_report_and_colours() {
    let (seen, _) = shown_with_progress(Watched::Both, &[], &[("TERM", "xterm")]);
    assert!(seen.contains(&format!("{ERASE}slow.yaml: reading")), "{seen:?}");
    let (progress, report) = seen.rsplit_once(ERASE).unwrap();
    assert!(!progress.contains("violated"), "nothing is reported before the end: {progress:?}");
    assert!(
        report.contains("apart") && !report.contains("reading") && !report.contains("judged"),
        "{seen:?}"
    );
    assert!(is_coloured(report), "{report:?}");
}

#[test]
fn progress_goes_to_whoever_watches_the_errors_and_colours_to_whoever_watches_each_stream() {
    let (seen, piped) = shown_with_progress(Watched::Errors, &[], &[]);
    assert!(seen.contains("slow.yaml: reading") && seen.ends_with(ERASE), "{seen:?}");
    assert!(piped.contains("apart") && !piped.contains('\u{1b}'), "{piped:?}");
    let wait = Duration::from_millis(600);
    let (seen, piped) = shown(Watched::Output, &[], &[], wait);
    assert!(is_coloured(&seen) && !seen.contains(ERASE), "{seen:?}");
    assert_eq!(piped, "", "a pipe gets no progress");
    let (seen, _) = shown(Watched::Errors, &["--no-progress"], &[], wait);
    assert_eq!(seen, "");
}

#[test]
fn a_terminal_gets_no_colours_if_somebody_says_so() {
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], bool);
    let cases: [Case<'_>; 6] = [
        (&[], &[], true),
        (&[], &[("NO_COLOR", "1")], false),
        (&["--color", "never"], &[], false),
        (&["--color", "always"], &[("NO_COLOR", "1")], true),
        (&[], &[("CLICOLOR", "0")], false),
        (&[], &[("TERM", "dumb")], false),
    ];
    for (arguments, variables, coloured) in cases {
        let (seen, _) = shown(Watched::Both, arguments, variables, Duration::ZERO);
        assert_eq!(is_coloured(&seen), coloured, "{arguments:?} {variables:?}: {seen:?}");
        assert!(seen.contains("apart"), "{seen:?}");
    }
}

#[test]
fn colours_are_no_reason_to_hide_progress_but_a_dumb_terminal_is() {
    let (seen, _) = shown_with_progress(Watched::Errors, &[], &[("NO_COLOR", "1")]);
    assert!(seen.contains("slow.yaml: reading") && !is_coloured(&seen), "{seen:?}");
    let (seen, _) = shown(Watched::Errors, &[], &[("TERM", "dumb")], Duration::from_millis(600));
    assert_eq!(seen, "", "it could not take the line away");
}

#[test]
fn a_terminal_gets_no_capture() {
    let terminal = Terminal::new();
    let mut command = isoaudit(&["check", "-", "-f", "pcap"]);
    command.stdin(Stdio::null()).stdout(terminal.end()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    drop(command);
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("--format pcap=FILE"), "{}", stderr(&output));
    assert_eq!(terminal.seen(), "");
}
