//! Whoever names things, or the way in which the program is called, may mean harm.

use super::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Whether a text could steer a terminal, or turn the direction of reading.
fn steers(text: &str) -> bool {
    text.chars()
        .any(|c| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c) || c == '\u{2066}')
}

#[test]
fn hostile_names_and_titles_reach_no_terminal() {
    for name in ["\u{1b}[2J", "\u{202e}txt", "\u{7}bell", "\u{9b}31m", "\u{2066}in"] {
        let escaped: String = name.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
        let text = NETWORK.replace("id: no-way-out,", &format!("id: no-way-out, title: \"a{escaped}b\","));
        let folder = network("hostile", LEAK);
        let places = [
            text.clone(),
            text.replace("  db:", &format!("  \"d{escaped}b\":")),
            text.replace("name: small", &format!("name: \"s{escaped}l\"")),
            text.replace("change CHG-7", &format!("change {escaped}")),
        ];
        for text in places {
            let file = folder.write("topology.yaml", &text);
            for format in ["text", "json"] {
                let output = run(&["check", &file, "-f", format]);
                let told = format!("{}{}", stdout(&output), stderr(&output));
                assert!((1..=3).contains(&code(&output)), "{told}");
                assert!(!steers(&told), "{format}: {told:?}");
            }
        }
    }
}

#[test]
fn arguments_that_are_no_text_are_no_panic() {
    let folder = network("no-text", LEAK);
    let odd = OsStr::from_bytes(b"\xff\xfe.yaml");
    for arguments in
        [&["check"][..], &["list"], &["resolve"], &["fmt"], &["check", "-f"], &["check", "--claim"]]
    {
        let mut command = isoaudit(arguments);
        let output = command.arg(odd).current_dir(&folder.0).output().unwrap();
        assert_eq!(code(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    }
}

#[test]
fn outputs_that_cannot_be_written_and_huge_numbers_are_told() {
    let folder = network("unwritable-report", LEAK);
    let file = folder.path("topology.yaml");
    let lost = format!("json={}", folder.path("fw.rules/report.json"));
    let output = run(&["check", &file, "-f", &lost]);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    assert!(stderr(&output).contains("cannot write"), "{}", stderr(&output));
    let output = run(&["check", &file, "-f", "json=/dev/full"]);
    assert_eq!(code(&output), 2, "{}", stderr(&output));
    for option in ["--max-causes", "--limit-rounds", "--limit-nodes"] {
        assert_eq!(code(&run(&["check", &file, option, "99999999999999999999"])), 2);
        let output = run(&["check", &file, option, "18446744073709551615"]);
        assert_eq!(code(&output), 1, "{option}: {}", stderr(&output));
    }
}
