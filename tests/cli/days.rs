//! `--as-of`: the day for which `until` of policy rules is judged.

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
fn a_day_settles_whether_a_rule_is_in_force_up_to_its_last() {
    let folder = network("as-of", UNTIL);
    let file = folder.path("topology.yaml");
    assert_eq!(code(&check(&file, None, "text")), 3, "nobody asks the clock");
    assert_eq!(code(&check(&file, Some("2027-03-31"), "text")), 1);
    assert_eq!(code(&check(&file, Some("1970-01-01"), "text")), 1);
    // A rule that has ended may be on the device still, or not: the verdict is what it was without a day.
    assert_eq!(code(&check(&file, Some("2027-04-01"), "text")), 3);
}

#[test]
fn rules_that_have_ended_are_in_the_ledger_with_their_line() {
    let folder = network("as-of-ledger", UNTIL);
    let file = folder.path("topology.yaml");
    let said = "rule `ntp` of `policy fw` ended on 2027-03-31, before 2027-04-01";
    let text = stdout(&check(&file, Some("2027-04-01"), "text"));
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&format!("- {said}: no verdict relies")), "{text}");
    assert!(words.contains("or on its being gone (fw.rules:5)"), "{text}");
    assert!(words.contains("leave rule `ntp` out, or move its date to 2027-04-01 or later"), "{text}");
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
        assert!(!json["topologies"][0]["ledger"].to_string().contains("ended on"));
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
        let dateless = line.replace("--as-of 2027-03-31", "");
        let output = Command::new("sh").args(["-c", &dateless]).env("LC_ALL", "C.UTF-8").output().unwrap();
        assert!(stdout(&output).contains("rule ntp may allow"), "{}", stdout(&output));
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
