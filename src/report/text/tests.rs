//! Whole text reports, read by eye, and what holds of every one.

use super::*;
use crate::report::fixture::{self, Story};
use crate::report::safe::{columns, is_visible};
use crate::report::style::WIDTH;

fn text(story: &Story, look: Look) -> String {
    report(std::slice::from_ref(&story.report), &story.sources, &look)
}

#[test]
fn the_story_in_unicode() {
    insta::assert_snapshot!(text(&fixture::story(), Look::PLAIN));
}

#[test]
fn the_story_in_ascii() {
    let out = text(&fixture::story(), Look { unicode: false, ..Look::PLAIN });
    assert!(out.is_ascii());
    insta::assert_snapshot!(out);
}

#[test]
fn the_story_in_full_and_in_brief() {
    let story = fixture::story();
    insta::assert_snapshot!("full", text(&story, Look { detail: Detail::Full, ..Look::PLAIN }));
    insta::assert_snapshot!("quiet", text(&story, Look { detail: Detail::Quiet, ..Look::PLAIN }));
}

#[test]
fn colour_adds_nothing_but_colour() {
    let story = fixture::story();
    let coloured = text(&story, Look { colour: true, ..Look::PLAIN });
    insta::assert_snapshot!(coloured.replace('\u{1b}', "<ESC>"));
    let plain = strip(&coloured);
    assert_eq!(plain, text(&story, Look::PLAIN));
}

/// The text without its colour codes.
fn strip(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        out.push_str(part.split_once('m').unwrap().1);
    }
    out.lines().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn hostile_names_stay_names() {
    let story = fixture::hostile();
    for unicode in [true, false] {
        for detail in [Detail::Quiet, Detail::Normal, Detail::Full] {
            let out = text(&story, Look { colour: false, unicode, detail });
            for line in out.lines() {
                assert!(line.chars().all(is_visible), "{line:?}");
                assert!(!line.trim_start().starts_with("fw"), "a name broke a line: {line}");
            }
            assert!(unicode || out.is_ascii());
        }
    }
    insta::assert_snapshot!(text(&story, Look::PLAIN));
}

#[test]
fn no_line_is_wider_than_the_page() {
    for story in [fixture::story(), fixture::hostile()] {
        for unicode in [true, false] {
            for detail in [Detail::Quiet, Detail::Normal, Detail::Full] {
                let out = text(&story, Look { colour: false, unicode, detail });
                let commands = |line: &&str| !line.contains("isoaudit trace") && !line.contains('\\');
                for line in out.lines().filter(commands) {
                    assert!(columns(line) <= WIDTH, "{}: {line}", columns(line));
                }
            }
        }
    }
}

/// The claim of the story that breaks by one packet, with more ways in: some that end elsewhere, and one by another node.
fn several_ways() -> Story {
    let mut story = fixture::story();
    story.report.judgements.truncate(2);
    let mut broken = story.report.judgements.remove(1);
    let first = broken.findings[0].clone();
    let other = |place: &str, at: usize, cause: &str| {
        let mut finding = first.clone();
        let leg = finding.legs.last_mut().unwrap();
        let hop = leg.hops.len() - at;
        leg.hops[hop].place = place.to_owned();
        finding.cause = Some(crate::verdict::Note { text: cause.to_owned(), span: None });
        finding.fingerprint = cause.to_owned();
        finding
    };
    let ends = ["ws-1", "ws-2", "ws-3", "ws-4"].map(|name| other(name, 1, &format!("{name} takes it")));
    broken.findings.extend(ends);
    broken.findings.push(other("fw-old", 3, "fw-old passes it"));
    let mut costly = other("fw-new", 3, "fw-new passes it");
    costly.legs.insert(0, first.legs[0].clone());
    costly.remedies.push(crate::verdict::Remedy {
        text: "give fw-new a policy".to_owned(),
        span: None,
        breaks: vec!["ops-works".to_owned()],
        checked: true,
    });
    broken.findings.push(costly);
    story.report.judgements = vec![broken];
    story
}

#[test]
fn of_several_ways_in_one_is_told_in_full_and_the_others_shortly() {
    let story = several_ways();
    let out = text(&story, Look::PLAIN);
    insta::assert_snapshot!(out);
    for said in
        ["+4 similar to cause 1: ws-1 takes it; ws-2 takes it; ws-3 takes it; 1 more", "fw-old passes it"]
    {
        assert!(out.contains(said), "{said}: {out}");
    }
    assert_eq!(out.matches("= trace:").count(), 1);
    assert_eq!(out.matches("= reproduce: isoaudit reproduce").count(), 1);
    let all = text(&story, Look { detail: Detail::Full, ..Look::PLAIN });
    assert_eq!(all.matches("= trace:").count(), 7, "with -v each is told: {all}");
    assert!(
        !all.contains("similar") && all.lines().all(|line| columns(line) <= WIDTH || line.contains("trace"))
    );
    let ascii = text(&story, Look { unicode: false, ..Look::PLAIN });
    assert!(ascii.is_ascii() && ascii.lines().all(|line| columns(line) <= WIDTH), "{ascii}");
}

#[test]
fn who_sends_is_told_by_what_it_is() {
    let Story { sources, report } = fixture::story();
    let page = Page::plain(&sources, &Look::PLAIN);
    let span = report.judgements[0].claim.span;
    let sent = |sender, channel: Option<&str>| {
        let mut leg = report.judgements[1].findings[0].legs[0].clone();
        let channel = channel.map(|text| crate::verdict::Note { text: text.to_owned(), span: Some(span) });
        (leg.sender, leg.channel) = (sender, channel);
        evidence::legs(std::slice::from_ref(&leg), &page).concat()
    };
    use crate::verdict::Sender;
    let far = sent(Sender::FarEnd, Some("zone:a to zone:b"));
    assert!(far.contains("sent by the far end of the excepted channel zone:a to zone:b"), "{far}");
    assert!(far.contains("(net/topology.yaml:26) at\n           db1;"), "{far}");
    let somebody = sent(Sender::Undescribed, None);
    assert!(somebody.contains("sent by somebody whom nobody described at db1"), "{somebody}");
}

#[test]
fn long_paths_take_several_rows() {
    let leg = fixture::long_path();
    for unicode in [true, false] {
        let look = Look { unicode, ..Look::PLAIN };
        let mut out = path::render(&leg, &look);
        out.push_str(
            &hops::Table::new(std::slice::from_ref(&leg), &Page::plain(&SourceMap::default(), &look))
                .render(0, &look),
        );
        assert!(out.lines().all(|line| columns(line) <= WIDTH), "{out}");
        insta::assert_snapshot!(format!("long_path_{}", if unicode { "unicode" } else { "ascii" }), out);
    }
}

#[test]
fn several_topologies_are_counted_together() {
    let Story { sources, report: first } = fixture::story();
    let mut second = first.clone();
    second.topology = "other".to_owned();
    second.judgements.retain(|judgement| judgement.verdict == Verdict::Holds);
    second.coverage.limits.push("claim no-telnet stopped after 10000 nodes (--limit-nodes)".to_owned());
    let out = report(&[first, second], &sources, &Look { detail: Detail::Quiet, ..Look::PLAIN });
    insta::assert_snapshot!(out);
}

#[test]
fn traces_and_listings() {
    use crate::report::listing::{Listed, Listing};
    let (sources, traced) = fixture::traced();
    insta::assert_snapshot!("trace", trace(&traced, &sources, &Look::PLAIN));
    let place = |name: &str, is_segment, certain| Listed {
        name: name.to_owned(),
        is_segment,
        certain,
        about: "firewall at fra1 (DE)".to_owned(),
        span: None,
    };
    let listed = Listing {
        topology: "pay-de-no".to_owned(),
        selector: "jurisdiction:DE".to_owned(),
        places: vec![
            place("fw-de", false, true),
            place("fw-de:eth1-db1:eth0", true, true),
            place("x", false, false),
        ],
    };
    insta::assert_snapshot!("listing", listing(&listed, &sources, &Look::PLAIN));
}

#[test]
fn of_many_errors_the_first_are_shown() {
    let mut sources = SourceMap::default();
    let id = sources.add("t", "x\n".repeat(1000));
    let all: Vec<Diagnostic> = (0..1000)
        .map(|line| Diagnostic::error(crate::diag::Code::Syntax, Span::new(id, 2 * line, 2 * line + 1), "no"))
        .collect();
    let out = errors(&all, &sources, &Look::PLAIN);
    assert!(out.ends_with("\n1000 errors (800 more are in the format json); nothing was decided\n"), "{out}");
    assert_eq!(out.matches("error[syntax]").count(), SHOWN_MAX);
}

#[test]
fn segments_that_say_nothing_are_left_out() {
    let mut leg = fixture::long_path();
    leg.hops.truncate(5);
    let arrive = |text: &str| crate::verdict::Step {
        stage: "arrive",
        text: text.to_owned(),
        span: None,
        opening: false,
    };
    let receiver = format!("{}:et-0/0/1", leg.hops[2].place);
    let dull = |steps: Vec<crate::verdict::Step>, countries: &[&str]| {
        let mut hops = leg.hops.clone();
        hops[1].steps = steps;
        hops[1].countries = countries.iter().map(|country| (*country).to_owned()).collect();
        path::is_dull(&hops, 1)
    };
    assert!(dull(vec![], &["NO"]) && dull(vec![], &[]));
    assert!(dull(vec![arrive(&format!("sent to {receiver}"))], &["NO"]));
    assert!(dull(vec![arrive(&format!("10.0.0.1 is {receiver}"))], &["NO"]));
    assert!(!dull(vec![], &["NO", "DK"]), "it crosses a border");
    assert!(!dull(vec![arrive(&format!("the adversary on the segment can draw it to {receiver}"))], &["NO"]));
    assert!(!dull(vec![arrive("sent to somebody:else")], &["NO"]));
    assert!(!path::is_dull(&leg.hops, 0) && !path::is_dull(&leg.hops, 4), "ends are never dull");
}

#[test]
fn a_finding_without_a_path_can_be_told() {
    let Story { sources, mut report } = fixture::story();
    for finding in report.judgements.iter_mut().flat_map(|judgement| &mut judgement.findings) {
        finding.legs.clear();
    }
    report.judgements[0].findings.clear();
    let out = super::report(&[report], &sources, &Look::PLAIN);
    assert!(out.contains("violated: cde-isolated") && !out.contains("reproduce"), "{out}");
}
