//! One claim: a line if it holds, a block with its evidence if it does not.

use super::{evidence, place, with_place};
use crate::report::safe::columns;
use crate::report::snippet::Message;
use crate::report::style::{Detail, Look, Tone, paragraph};
use crate::report::{CauseKey, Report, cause_key};
use crate::source::SourceMap;
use crate::verdict::{Judgement, Open, Verdict};
use std::collections::BTreeMap;

/// Which causes were shown in full, and under which claim.
#[derive(Default)]
pub(super) struct Shown {
    causes: BTreeMap<CauseKey, String>,
}

/// The mark of a verdict.
fn mark(verdict: Verdict, look: &Look) -> (Tone, &'static str) {
    let glyphs = look.glyphs();
    match verdict {
        Verdict::Holds => (Tone::Good, glyphs.good),
        Verdict::Violated => (Tone::Bad, glyphs.bad),
        Verdict::Undetermined | Verdict::Vacuous => (Tone::Open, glyphs.open),
    }
}

/// ` ✓ holds  no-way-in: nothing of … arrives in …`, and what was proved.
pub(super) fn line(judgement: &Judgement, report: &Report, sources: &SourceMap, look: &Look) -> String {
    let (tone, glyph) = mark(judgement.verdict, look);
    let word = judgement.verdict.word();
    let id = look.name(&judgement.claim.id.value, 40);
    let head = format!(" {} {}  ", look.paint(tone, glyph), look.paint(tone, word));
    let head_columns = columns(glyph) + columns(word) + 4;
    let rested = under_assumptions(judgement);
    let mut out =
        paragraph(&head, head_columns, &format!("{id}{rested}: {}", look.clean(&judgement.summary)));
    if judgement.verdict != Verdict::Holds {
        let at = place(judgement.claim.span, sources, look, 60);
        out = paragraph(&head, head_columns, &format!("{id}: {} ({at})", look.clean(&judgement.summary)));
    } else if look.detail > Detail::Quiet {
        out.push_str(&proof(judgement, report, sources, look, head_columns));
    }
    out
}

/// ", under 2 assumptions", or nothing.
fn under_assumptions(judgement: &Judgement) -> String {
    match judgement.assumptions.len() {
        0 => String::new(),
        1 => ", under 1 assumption".to_owned(),
        count => format!(", under {count} assumptions"),
    }
}

/// What was proved: the first sentence, or all of them in full detail.
fn proof(judgement: &Judgement, report: &Report, sources: &SourceMap, look: &Look, indent: usize) -> String {
    let full = look.detail == Detail::Full;
    let sentences: Vec<String> = judgement
        .proof
        .iter()
        .chain(&judgement.notes)
        .map(|note| with_place(&note.text, note.span, sources, look))
        .collect();
    let shown = if full { sentences.len() } else { sentences.len().min(1) };
    let pad = " ".repeat(indent);
    let mut out = String::new();
    for (index, sentence) in sentences.iter().take(shown).enumerate() {
        let more = sentences.len() - shown;
        let tail = if more > 0 { format!(" (+{more} more with -v)") } else { String::new() };
        let head = if full { format!("{pad}- ") } else { pad.clone() };
        let text = format!("{sentence}{}", if index + 1 == shown { tail } else { String::new() });
        out.push_str(&paragraph(&head, columns(&head), &text));
    }
    if full {
        out.push_str(&assumption_lines(judgement, report, look, &pad));
    }
    out
}

fn assumption_lines(judgement: &Judgement, report: &Report, look: &Look, pad: &str) -> String {
    let sentence = |(name, reason): &(String, String)| {
        let entry = report.assumptions.iter().find(|entry| entry.name == *name);
        let sets_aside =
            entry.map_or(String::new(), |e| format!("; sets aside {}", look.clean(&e.lets_pass)));
        let text = format!("assumes {}: \"{}\"{sets_aside}", look.clean(name), look.clean(reason));
        paragraph(&format!("{pad}- "), columns(pad) + 2, &text)
    };
    judgement.assumptions.iter().map(sentence).collect()
}

/// A claim that does not hold, with its line, its evidence, and the way out.
pub(super) fn block(
    judgement: &Judgement,
    report: &Report,
    shown: &mut Shown,
    sources: &SourceMap,
    look: &Look,
) -> String {
    let mut out = heading(judgement, sources, look);
    let count = judgement.findings.len();
    for (index, finding) in judgement.findings.iter().enumerate() {
        out.push('\n');
        if count > 1 {
            let kind = if judgement.verdict == Verdict::Violated { "cause" } else { "possible path" };
            let more = if judgement.more_findings { "+" } else { "" };
            let title = format!("   {kind} {} of {count}{more}", index + 1);
            out.push_str(&format!("{}\n\n", look.paint(Tone::Strong, &title)));
        }
        let key = cause_key(finding);
        let elsewhere = shown.causes.get(&key).filter(|_| look.detail < Detail::Full);
        let context = evidence::Context { judgement, report, sources, look };
        out.push_str(&evidence::finding(finding, elsewhere.map(String::as_str), &context));
        shown.causes.entry(key).or_insert_with(|| judgement.claim.id.value.clone());
    }
    if !judgement.open.is_empty() {
        out.push_str(&open(judgement, sources, look));
    }
    let footer = footer(judgement, sources, look);
    if !footer.is_empty() {
        out.push_str(&format!("\n{footer}"));
    }
    out
}

fn heading(judgement: &Judgement, sources: &SourceMap, look: &Look) -> String {
    let claim = &judgement.claim;
    let severity = match judgement.verdict {
        Verdict::Violated => miette::Severity::Error,
        Verdict::Holds | Verdict::Undetermined | Verdict::Vacuous => miette::Severity::Warning,
    };
    let mut facts = vec![claim.statement.word().to_owned(), claim.severity.word().to_owned()];
    facts.extend(claim.controls.iter().cloned());
    let message = Message {
        heading: format!("{}: {}", judgement.verdict.word(), claim.id.value),
        severity,
        text: judgement.summary.clone(),
        labels: vec![(claim.span, Some(facts.join(" · ")))],
        help: None,
        context: 0,
    };
    message.render(sources, look)
}

/// What is not known, and the line that would settle it.
fn open(judgement: &Judgement, sources: &SourceMap, look: &Look) -> String {
    let title = match judgement.verdict {
        Verdict::Vacuous => "why it says nothing:",
        Verdict::Holds | Verdict::Violated | Verdict::Undetermined => {
            "what is not known, and would settle it:"
        }
    };
    let mut out = format!("\n   {}\n", look.paint(Tone::Strong, title));
    for (index, question) in judgement.open.iter().enumerate() {
        out.push_str(&open_item(index + 1, question, sources, look));
    }
    out
}

fn open_item(number: usize, question: &Open, sources: &SourceMap, look: &Look) -> String {
    let what = with_place(&question.what, question.span, sources, look);
    let mut out = paragraph(&format!("{number:>6}. "), 8, &what);
    if !question.settle.is_empty() {
        let label = "settle: ";
        let head = format!("        {}", look.paint(Tone::Help, label));
        out.push_str(&paragraph(&head, 8 + columns(label), &look.clean(&question.settle)));
    }
    out
}

/// The notes of a claim.
fn footer(judgement: &Judgement, sources: &SourceMap, look: &Look) -> String {
    let mut out = String::new();
    if let Some(title) = &judgement.claim.title {
        out.push_str(&note("claim", &format!("\"{}\"", look.clean(title)), look));
    }
    for (name, reason) in &judgement.assumptions {
        let text = format!("{}: \"{}\"", look.clean(name), look.clean(reason));
        out.push_str(&note("assumed", &text, look));
    }
    for sentence in &judgement.notes {
        out.push_str(&note("note", &with_place(&sentence.text, sentence.span, sources, look), look));
    }
    if judgement.more_findings {
        let count = judgement.findings.len();
        let text = format!("there are more than these {count}; the limit is set by --max-causes");
        out.push_str(&note("note", &text, look));
    }
    out
}

/// `   = note: …`, hanging.
pub(super) fn note(label: &str, text: &str, look: &Look) -> String {
    let label = format!("= {label}: ");
    paragraph(&format!("   {}", look.paint(Tone::Help, &label)), 3 + columns(&label), text)
}
