//! Descriptions in temporary folders.

mod network;

use super::*;

/// The root of a description that is made of texts.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Folder {
        let root = std::env::temp_dir().join(format!("isoaudit-input-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        for (path, text) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Folder(root)
    }

    fn loader(&self) -> Loader {
        Loader::new(&self.0, crate::source::DEFAULT_MAX_BYTES)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What `resolve` writes, or the messages with their places.
fn resolved(files: &[(&str, &str)], name: &str) -> Result<String, Vec<String>> {
    let folder = Folder::new(name, files);
    let mut sources = SourceMap::default();
    match resolve(&mut sources, &folder.loader(), Path::new(files[0].0)) {
        Ok(value) => Ok(serde_yaml::to_string(&value).unwrap()),
        Err(found) => Err(messages(found, &sources)),
    }
}

/// Each message with its places.
fn messages(found: Diagnostics, sources: &SourceMap) -> Vec<String> {
    let one = |found: crate::diag::Diagnostic| {
        let place = found.span.map_or("-".to_owned(), |span| sources.place(span));
        let related: String = found.related.iter().map(|l| format!(" [{}]", sources.place(l.span))).collect();
        format!("{place}: {}{related}", found.message)
    };
    found.sorted().into_iter().map(one).collect()
}

#[test]
fn the_schema_in_grammar_is_the_generated_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar/topology.schema.json");
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_GRAMMAR").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written == text, "grammar/topology.schema.json drifted: run this test with UPDATE_GRAMMAR=1");
}

#[test]
fn groups_and_defaults_are_written_out() {
    let text = "\
isoaudit: 1
groups: { servers: { role: host, forwarding: off, labels: { tier: db, os: x } } }
defaults: { kind: linux, ipv6: off, role: router, interfaces: { antispoof: strict } }
nodes:
  a: { group: servers, labels: { tier: web }, interfaces: { e0: { ipv4: 10.0.0.1/24, antispoof: off } } }
  b: { kind: other, interfaces: { e0: { ipv4: [10.0.0.2/24] } } }
";
    let expected = "\
isoaudit: 1
nodes:
  a:
    role: host
    kind: linux
    labels:
      tier: web
      os: x
    interfaces:
      e0:
        ipv4: 10.0.0.1/24
        antispoof: off
    forwarding: off
    ipv6: off
  b:
    role: router
    kind: other
    interfaces:
      e0:
        ipv4: 10.0.0.2/24
        antispoof: strict
    ipv6: off
";
    assert_eq!(resolved(&[("t.yaml", text)], "groups").unwrap(), expected);
}

#[test]
fn included_files_are_merged_and_names_are_given_once() {
    let files = [
        ("t.yaml", "isoaudit: 1\ninclude: [a/x.yaml, a/y.yaml]\nzones: { z: {} }\n"),
        ("a/x.yaml", "isoaudit: 1\ninclude: [y.yaml]\nnodes: { n: {} }\n"),
        ("a/y.yaml", "isoaudit: 1\nzones: { y: {}, z: {} }\nnodes: { n: {} }\nname: why\n"),
    ];
    assert_eq!(
        resolved(&files, "merge").unwrap_err(),
        [
            "a/y.yaml:2:17: the zone `z` is given in two files [t.yaml:3:10]",
            "a/y.yaml:3:10: the node `n` is given in two files [a/x.yaml:3:10]",
        ]
    );
}

#[test]
fn include_cycles_show_the_chain() {
    let files = [
        ("t.yaml", "isoaudit: 1\ninclude: [b.yaml]\n"),
        ("b.yaml", "isoaudit: 1\ninclude: [sub/c.yaml, sub/../b.yaml]\n"),
        ("sub/c.yaml", "isoaudit: 1\ninclude: [../b.yaml]\n"),
    ];
    assert_eq!(
        resolved(&files, "cycle").unwrap_err(),
        [
            "b.yaml:2:23: `b.yaml` includes itself",
            "sub/c.yaml:2:11: `b.yaml` includes itself: `b.yaml` → `sub/c.yaml` → `b.yaml` [b.yaml:2:11]",
        ]
    );
}

#[test]
fn files_outside_the_root_are_refused() {
    let files = [("t.yaml", "isoaudit: 1\ninclude: [../x.yaml, /etc/hostname, none.yaml, d]\n"), ("d/x", "")];
    let errors = resolved(&files, "root").unwrap_err();
    let expected = [
        "t.yaml:2:11: `../x.yaml` cannot be read: the path leaves the directory of the topology",
        "t.yaml:2:22: `/etc/hostname` cannot be read: the path leaves the directory of the topology",
        "t.yaml:2:37: `none.yaml` cannot be read: no such file",
        "t.yaml:2:48: `d` cannot be read: not a regular file",
    ];
    assert_eq!(errors, expected);
    assert_eq!(resolved(&[("t/x", "")], "none").unwrap_err().len(), 1);
}

#[test]
fn one_run_finds_the_errors_of_all_entries() {
    let text = "\
isoaudit: 2
zone: {}
sites: { a: { jurisdiction: false }, b: { jurisdicton: CN } }
nodes:
  n: { ipv6: false, interfaces: { 'e 0': { ipv4: 10.0.0.1 } }, routes: [ { to: 10.0.0.1/8, via: 10.0.0.2/8 } ] }
services: {}
claims: [ { id: c, contained: {} } ]
";
    assert_eq!(
        resolved(&[("t.yaml", text)], "all").unwrap_err(),
        [
            "t.yaml:1:11: expected the format version `1`, found the number `2`",
            "t.yaml:2:1: the description has no key `zone`",
            "t.yaml:3:29: expected a country code, found the boolean `false`",
            "t.yaml:3:43: a site has no key `jurisdicton`",
            "t.yaml:5:14: expected `on` or `off`, found the boolean `false`",
            "t.yaml:5:35: the name `e 0` has a space",
            "t.yaml:5:50: `10.0.0.1` has no length",
            "t.yaml:5:80: `10.0.0.1/8` has host bits",
            "t.yaml:5:97: `10.0.0.2/8` has a length",
            "t.yaml:6:1: `services` is not built yet: services on nodes",
            "t.yaml:7:20: `contained` is not built yet: how far a breach spreads",
        ]
    );
}
