//! `--as-of`: the day behind which policy rules with an earlier `until` are listed.

use super::trace::commands;
use super::*;

/// Time is asked for and told, up to a day.
const UNTIL: &str = "policy fw {
  default deny
  rule ntp {
    allow from 10.1.0.0/24 to any service udp/123
    until 2027-03-31
  }
}
";

fn check(file: &str, day: Option<&str>, format: &str) -> Output {
    let mut arguments = vec!["check", file, "-f", format];
    arguments.extend(day.into_iter().flat_map(|day| ["--as-of", day]));
    run(&arguments)
}

#[test]
fn no_verdict_hangs_on_a_date() {
    let folder = network("as-of", UNTIL);
    let file = folder.path("topology.yaml");
    for day in [None, Some("1970-01-01"), Some("2027-03-31"), Some("2027-04-01"), Some("9999-12-31")] {
        assert_eq!(code(&check(&file, day, "text")), 1, "{day:?}");
    }
}

#[test]
fn rules_that_have_ended_are_in_the_ledger_with_their_line() {
    let folder = network("as-of-ledger", UNTIL);
    let file = folder.path("topology.yaml");
    let said = "rule `ntp` of `policy fw` should have gone on 2027-03-31, before 2027-04-01";
    let text = stdout(&check(&file, Some("2027-04-01"), "text"));
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&format!("- {said}, and is taken for in force (fw.rules:5)")), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&stdout(&check(&file, Some("2027-04-01"), "json"))).unwrap();
    let topology = &json["topologies"][0];
    assert_eq!(topology["as_of"], "2027-04-01");
    let ended = topology["ledger"].as_array().unwrap();
    let ended = ended.iter().find(|entry| entry["text"].as_str().unwrap().contains(said)).unwrap();
    assert_eq!((&ended["place"]["line"], &ended["place"]["column"]), (&5.into(), &11.into()));
    for day in [None, Some("2027-03-31")] {
        let json: serde_json::Value = serde_json::from_str(&stdout(&check(&file, day, "json"))).unwrap();
        assert_eq!(json["topologies"][0]["as_of"], serde_json::json!(day));
        assert!(!json["topologies"][0]["ledger"].to_string().contains("should have gone"));
    }
}

#[test]
fn what_the_report_tells_to_type_names_the_day() {
    let folder = network("as-of-trace", UNTIL);
    let report = stdout(&check(&folder.path("topology.yaml"), Some("2027-03-31"), "text"));
    let commands = commands(&report);
    assert_eq!(commands.len(), 2, "{report}");
    for command in &commands {
        assert!(command.contains("--as-of 2027-03-31"), "{command}");
        let line = command.replacen("isoaudit", env!("CARGO_BIN_EXE_isoaudit"), 1);
        let output = Command::new("sh").args(["-c", &line]).env("LC_ALL", "C.UTF-8").output().unwrap();
        assert!(stdout(&output).contains("rule ntp allows"), "{command}: {}", stdout(&output));
    }
}

#[test]
fn days_that_do_not_exist_are_refused() {
    for day in
        ["", "tomorrow", "2027-02-29", "2027-3-1", "31.03.2027", "2027-03-31T00:00", "-1", "2027-13-01"]
    {
        let output = run(&["check", "x", &format!("--as-of={day}")]);
        assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "{day}");
        let told = stderr(&output);
        assert!(told.contains("--as-of") && (day.is_empty() || told.contains("2027-03-31")), "{day}: {told}");
    }
}
