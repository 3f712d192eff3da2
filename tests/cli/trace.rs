//! `trace`: what reports tell to type, and what is wrong with a packet.

use super::{LEAK, code, network, run, stderr, stdout};
use std::process::Command;

/// The commands behind `= trace:`, as a shell would read them.
pub(super) fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some((_, mut command)) = line.split_once("= trace: ").map(|(a, b)| (a, b.to_owned())) else {
            continue;
        };
        while let Some(begun) = command.strip_suffix('\\') {
            command = format!("{begun}{}", lines.next().unwrap().trim_start());
        }
        found.push(command);
    }
    found
}

#[test]
fn what_the_report_tells_to_type_shows_the_packet_again() {
    let folder = network("reproduce", LEAK);
    let report = stdout(&run(&["check", &folder.path("topology.yaml")]));
    let commands = commands(&report);
    assert_eq!(commands.len(), 2, "{report}");
    for command in &commands {
        let line = command.replacen("isoaudit", env!("CARGO_BIN_EXE_isoaudit"), 1);
        let output = Command::new("sh").args(["-c", &line]).env("LC_ALL", "C.UTF-8").output().unwrap();
        assert_eq!(code(&output), 0, "{command}: {}", stderr(&output));
        assert!(stdout(&output).contains("rule ntp allows"), "{command}: {}", stdout(&output));
    }
    assert!(commands[1].contains("--after"), "an answer needs a question: {}", commands[1]);
}

#[test]
fn traces_say_what_is_wrong_with_a_packet() {
    let folder = network("wrong-packet", LEAK);
    let file = folder.path("topology.yaml");
    for (arguments, said) in [
        (&["tcp/443", "--from", "dbb", "--to", "rtr"][..], "did you mean `db`?"),
        (&["tcp/443", "--from", "db", "--to", "fw", "--in", "eth1"], "has no interface `eth1`"),
        (&["tcp", "--from", "db", "--to", "rtr"], "names no port"),
        (&["icmp", "--from", "db", "--to", "rtr"], "names no type"),
        (&["any", "--from", "db", "--to", "rtr"], "a packet has one protocol"),
        (&["tcp/443", "--from", "db", "--to", "2001:db8::1"], "not of the same IP version"),
        (&["tcp/443", "--from", "fw", "--in", "out", "--to", "db"], "--source ADDRESS"),
        (&["tcp/443", "--from", "db", "--to", "rtr", "--flags", "sin"], "there is no TCP flag `sin`"),
        (&["tcp/443", "--from", "db", "--to", "rtr", "--via", "nowhere"], "no node or segment `nowhere`"),
    ] {
        let mut all = vec!["trace", file.as_str()];
        all.extend(arguments);
        let output = run(&all);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{arguments:?}");
        assert!(stderr(&output).contains(said), "{arguments:?}: {}", stderr(&output));
    }
}
