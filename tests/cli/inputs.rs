//! What `check` makes of directories, and of files that cannot be read.

use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

/// The order in which a text names some words.
fn order(text: &str, words: &[&str]) -> Vec<usize> {
    words.iter().map(|word| text.find(word).unwrap_or_else(|| panic!("no {word}: {text}"))).collect()
}

#[test]
fn every_topology_below_a_directory_is_checked_in_the_order_of_paths() {
    let folder = network("tree", CLOSED);
    for (inside, rules) in [("b/deep", LEAK), ("a", CLOSED)] {
        fs::create_dir_all(folder.path(inside)).unwrap();
        folder.write(&format!("{inside}/fw.rules"), rules);
    }
    folder.write("b/deep/prod.isoaudit.yml", NETWORK);
    folder.write("a/topology.yml", &undetermined());
    fs::create_dir_all(folder.path(".git")).unwrap();
    folder.write(".git/topology.yaml", "not for us");
    folder.write("b/notes.yaml", "not for us either");
    let output = run(&["check", &folder.path("")]);
    assert_eq!(code(&output), 1, "the worst of all: {}{}", stdout(&output), stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("3 topologies:"), "{text}");
    let places = order(&text, &["a/topology.yml", "b/deep/prod.isoaudit.yml", "tree/topology.yaml"]);
    assert!(places.is_sorted(), "{text}");
    fs::remove_dir_all(folder.path("b/deep")).unwrap();
    assert_eq!(code(&run(&["check", &folder.path("")])), 3);
    fs::remove_dir_all(folder.path("a")).unwrap();
    assert_eq!(code(&run(&["check", &folder.path("")])), 0);
    folder.write("b/topology.yaml", "isoaudit: 2\n");
    let output = run(&["check", &folder.path("")]);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "nothing is half reported");
}

#[test]
fn a_directory_without_a_topology_is_an_error() {
    let folder = Folder::new("barren");
    fs::create_dir_all(folder.path("a/b")).unwrap();
    folder.write("a/b/other.yaml", NETWORK);
    let output = run(&["check", &folder.path("")]);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    assert!(stderr(&output).contains("no topology in the directory"), "{}", stderr(&output));
    assert!(stderr(&output).contains("in it and below"), "{}", stderr(&output));
}

/// What the commands that take one topology say of a directory: the exit code, and what they tell, its lines joined.
fn of_directory(directory: &str) -> Vec<(i32, String)> {
    let commands: [&[&str]; 3] = [
        &["list", directory, "node:db"],
        &["resolve", directory],
        &["trace", directory, "udp/123", "--from", "db", "--to", "rtr"],
    ];
    let told = |output: &Output| stderr(output).replace("\n        ", " ");
    commands.map(run).map(|output| (code(&output), told(&output))).to_vec()
}

#[test]
fn one_topology_is_taken_of_a_directory_before_those_below_it() {
    let folder = network("one", LEAK);
    fs::create_dir_all(folder.path("more")).unwrap();
    folder.write("more/topology.yaml", "not asked for");
    assert!(of_directory(&folder.path("")).iter().all(|(code, told)| (*code, told.as_str()) == (0, "")));
    folder.write("second.isoaudit.yaml", NETWORK);
    for ((code, told), command) in of_directory(&folder.path("")).iter().zip(["list", "resolve", "trace"]) {
        assert_eq!(*code, 2, "{told}");
        let first = folder.path("second.isoaudit.yaml");
        for said in ["holds 2 topologies", &first, &folder.path("topology.yaml")] {
            assert!(told.contains(said), "{said}: {told}");
        }
        assert!(told.contains(&format!("isoaudit {command} {first} ...")), "{told}");
        assert!(!told.contains("more/topology.yaml"), "{told}");
    }
}

#[test]
fn without_one_in_a_directory_the_only_one_below_it_is_taken() {
    let folder = Folder::new("below");
    for inside in ["a/b", "c", ".hidden"] {
        fs::create_dir_all(folder.path(inside)).unwrap();
    }
    for (code, told) in of_directory(&folder.path("")) {
        assert_eq!(code, 2);
        assert!(
            told.contains("no topology in the directory") && told.contains("in it and below it"),
            "{told}"
        );
    }
    folder.write("a/b/topology.yaml", NETWORK);
    folder.write("a/b/fw.rules", LEAK);
    folder.write(".hidden/topology.yaml", NETWORK);
    assert!(of_directory(&folder.path("")).iter().all(|(code, told)| (*code, told.as_str()) == (0, "")));
    folder.write("c/topology.yml", NETWORK);
    for (code, told) in of_directory(&folder.path("")) {
        assert_eq!(code, 2);
        for said in ["holds 2 topologies", "a/b/topology.yaml", "c/topology.yml"] {
            assert!(told.contains(said), "{said}: {told}");
        }
    }
    for number in 0..20 {
        folder.write(&format!("c/{number:02}.isoaudit.yaml"), NETWORK);
    }
    let (_, told) = of_directory(&folder.path("")).swap_remove(0);
    assert!(told.contains("holds 22 topologies") && told.contains("and 14 more"), "{told}");
}

#[test]
fn links_lead_nowhere_else() {
    let outside = network("links-outside", LEAK);
    let folder = network("links", CLOSED);
    symlink(&outside.0, folder.0.join("away")).unwrap();
    symlink(&folder.0, folder.0.join("round")).unwrap();
    let output = run(&["check", &folder.path("")]);
    assert_eq!(code(&output), 0, "links to directories are not entered: {}", stdout(&output));
    fs::create_dir_all(folder.path("in")).unwrap();
    symlink(outside.0.join("topology.yaml"), folder.0.join("in/topology.yaml")).unwrap();
    let output = run(&["check", &folder.path("")]);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    assert!(stderr(&output).contains("leaves the directory"), "{}", stderr(&output));
    symlink("nowhere", folder.0.join("in/other.isoaudit.yaml")).unwrap();
    let output = run(&["check", &folder.path("")]);
    assert!(
        stderr(&output).contains("other.isoaudit.yaml` cannot be read: no such file"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_search_has_bounds() {
    let folder = Folder::new("bottomless");
    fs::create_dir_all(folder.path(&"d/".repeat(40))).unwrap();
    let output = run(&["check", &folder.path("")]);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    assert!(stderr(&output).contains("directories in more than 32 levels"), "{}", stderr(&output));
}

/// A command of somebody who may not read everything; root may, so root becomes nobody.
fn unprivileged(arguments: &[&str], probe: &Path) -> Command {
    let mut command = isoaudit(arguments);
    if fs::read_dir(probe).is_ok() {
        std::os::unix::process::CommandExt::uid(&mut command, 65_534);
    }
    command
}

#[test]
fn what_may_not_be_read_is_told() {
    let folder = network("forbidden", CLOSED);
    let closed = folder.0.join("closed");
    fs::create_dir_all(&closed).unwrap();
    let forbid =
        |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    forbid(&closed, 0o000);
    let output = unprivileged(&["check", &folder.path("")], &closed).output();
    forbid(&closed, 0o700);
    let output = output.unwrap();
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""), "an unread directory may hold a leak");
    let told = stderr(&output);
    assert!(told.contains("closed` cannot be read") && told.contains("check its permissions"), "{told}");
    forbid(&folder.0.join("topology.yaml"), 0o000);
    forbid(&closed, 0o000);
    let output = unprivileged(&["check", &folder.path("topology.yaml")], &closed).output().unwrap();
    forbid(&closed, 0o700);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    assert!(stderr(&output).contains("topology.yaml` cannot be read"), "{}", stderr(&output));
}
