//! Rules of the semantics by themselves: the smallest description in which one of them decides, from its text to the
//! verdict.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod choices;
mod claims;
mod marks;
mod names;
mod neighbours;
mod own;
mod routing;
mod spread;
mod standing;
mod translation;
mod unsaid;

use isoaudit::audit::{self, Options, Unwatched};
use isoaudit::report::{self, Look, Report};
use isoaudit::source::{DEFAULT_MAX_BYTES, Loader, SourceMap};
use isoaudit::verdict::{Judgement, Verdict};
use std::fs;
use std::path::{Path, PathBuf};

/// A description that was judged, with its texts.
struct Judged {
    sources: SourceMap,
    report: Report,
}

/// Judges a description whose files stand beside it: `name`, `text`.
fn judge(test: &str, files: &[(&str, &str)]) -> Judged {
    judge_with(test, files, &Options::default())
}

fn judge_with(test: &str, files: &[(&str, &str)], options: &Options) -> Judged {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rules-{test}"));
    let _ = fs::remove_dir_all(&folder);
    for (name, text) in files {
        let path: PathBuf = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut sources = SourceMap::default();
    let loader = Loader::new(&folder, DEFAULT_MAX_BYTES);
    let judged = audit::run(&mut sources, &loader, Path::new("topology.yaml"), options, &Unwatched);
    fs::remove_dir_all(&folder).unwrap();
    match judged {
        Ok(report) => {
            let judged = Judged { sources, report };
            let open = judged.report.judgements.iter().flat_map(|one| &one.open);
            let disagreed = open.into_iter().any(|open| open.what.contains("interpreters disagree"));
            assert!(!disagreed, "{test}: {}", judged.text());
            judged
        }
        Err(found) => {
            panic!("{test}: {}", report::text::errors(&found.sorted(), &sources, &Look::PLAIN));
        }
    }
}

impl Judged {
    fn claim(&self, id: &str) -> &Judgement {
        self.report.judgements.iter().find(|one| one.claim.id.value == id).unwrap()
    }

    /// The verdict of each claim in one line: `home=holds talk=violated`.
    fn verdicts(&self) -> String {
        let judgements = self.report.judgements.iter();
        let words = judgements.map(|one| format!("{}={}", one.claim.id.value, one.verdict.word()));
        words.collect::<Vec<_>>().join(" ")
    }

    /// The lines that an open verdict names, without their indent.
    fn named_lines(&self, id: &str) -> Vec<String> {
        let spans = self.claim(id).open.iter().filter_map(|open| open.span);
        let line = |span: isoaudit::source::Span| {
            let place = self.sources.position(span);
            let source = self.sources.get(span.source);
            source.text.lines().nth(place.line as usize - 1).unwrap().trim().to_owned()
        };
        spans.map(line).collect()
    }

    fn text(&self) -> String {
        report::text::report(std::slice::from_ref(&self.report), &self.sources, &Look::PLAIN)
    }
}

/// The text with some of its parts replaced, each of which must be there.
fn with(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "there is no `{old}` to replace");
        text.replace(old, new)
    })
}

/// Two hosts and a firewall between them.
const PAIR: &str = r#"isoaudit: 1
defaults: { kind: linux, ipv6: off, interfaces: { antispoof: strict } }
assume: { static-neighbours: "a test", no-reflection: "a test" }
zones: { left: {}, right: {} }
nodes:
  a: { role: host, gateway: 10.1.0.1, interfaces: { eth0: { ipv4: 10.1.0.10/24, zone: left } } }
  b: { role: host, gateway: 10.2.0.1, interfaces: { eth0: { ipv4: 10.2.0.10/24, zone: right } } }
  r:
    role: firewall
    policy: r.rules
    interfaces:
      l: { ipv4: 10.1.0.1/24 }
      r: { ipv4: 10.2.0.1/24 }
links:
  - endpoints: ["a:eth0", "r:l"]
  - endpoints: ["b:eth0", "r:r"]
claims:
  - { id: apart, isolated: { from: "zone:left", to: "zone:right" } }
"#;

/// A policy that denies what none of these rules allows, and says nothing of itself. Rules that shall open no connection
/// say `stateless`.
fn rules(lines: &str) -> String {
    format!("policy r {{\n  default deny\n  rule quiet {{ deny from self to any }}\n{lines}\n}}\n")
}
