//! One claim: a line if it holds, a block with its evidence if it does not.

use super::{Page, doors, evidence};
use crate::report::safe::columns;
use crate::report::snippet::Message;
use crate::report::style::{Detail, Look, Tone, WIDTH, paragraph, wrap};
use crate::report::{CauseKey, Report, cause_key};
use crate::verdict::{Finding, Judgement, Open, Verdict};
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
pub(super) fn line(judgement: &Judgement, report: &Report, page: &Page<'_>) -> String {
    let look = page.look;
    let (tone, glyph) = mark(judgement.verdict, look);
    let word = judgement.verdict.word();
    let head = format!(" {} {}  ", look.paint(tone, glyph), look.paint(tone, word));
    let indent = columns(glyph) + columns(word) + 4;
    let id = look.name(&judgement.claim.id.value, 40);
    let id = format!("{id}{}", under_assumptions(judgement));
    let mut summary = look.clean(&judgement.summary);
    if judgement.verdict != Verdict::Holds {
        summary = format!("{summary} ({})", page.place(judgement.claim.span, 60));
    }
    let mut out = paragraph(&head, indent, &format!("{id}: {summary}"));
    if judgement.verdict == Verdict::Holds && look.detail > Detail::Quiet {
        out.push_str(&proof(judgement, report, page, indent));
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
fn proof(judgement: &Judgement, report: &Report, page: &Page<'_>, indent: usize) -> String {
    let look = page.look;
    let full = look.detail == Detail::Full;
    let sentences: Vec<String> = judgement
        .proof
        .iter()
        .chain(&judgement.notes)
        .map(|note| page.with_place(&note.text, note.span))
        .collect();
    let pad = " ".repeat(indent);
    if full {
        let item = |text: &String| paragraph(&format!("{pad}- "), indent + 2, text);
        let proved: String = sentences.iter().map(item).collect();
        return proved + &assumption_lines(judgement, report, look, &pad);
    }
    let Some(first) = sentences.first() else { return String::new() };
    let more = match sentences.len() - 1 {
        0 => String::new(),
        more => format!(" (+{more} more with -v)"),
    };
    let lines = wrap(&format!("{first}{more}"), WIDTH - indent);
    lines.iter().map(|line| format!("{pad}{}\n", look.paint(Tone::Dim, line))).collect()
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
pub(super) fn block(judgement: &Judgement, report: &Report, shown: &mut Shown, page: &Page<'_>) -> String {
    let look = page.look;
    let mut out = heading(judgement, page);
    let count = judgement.findings.len();
    let context = evidence::Context { judgement, report, page };
    // Only what is broken has a cause; a possible path is shown for itself.
    let broken = judgement.verdict == Verdict::Violated;
    let fold = broken && count > 1 && look.detail < Detail::Full;
    let known = |finding: &Finding, shown: &Shown| {
        let claim = shown.causes.get(&cause_key(finding)).filter(|_| broken && look.detail < Detail::Full);
        claim.cloned()
    };
    // Of several causes the first is told in full that no other claim has shown.
    let fresh = judgement.findings.iter().position(|finding| known(finding, shown).is_none());
    let told = fresh.unwrap_or(0);
    for (index, finding) in judgement.findings.iter().enumerate().filter(|(at, _)| !fold || *at == told) {
        out.push('\n');
        if count > 1 {
            out.push_str(&evidence::title(finding, index, &context));
        }
        out.push_str(&evidence::finding(finding, index, known(finding, shown).as_deref(), &context));
        if broken {
            let id = judgement.claim.id.value.clone();
            shown.causes.entry(cause_key(finding)).or_insert(id);
        }
    }
    if fold {
        out.push_str(&format!("\n{}", doors::further(&judgement.findings, told, &context)));
    }
    if !judgement.open.is_empty() {
        out.push_str(&open(judgement, page));
    }
    let footer = footer(judgement, page);
    if !footer.is_empty() {
        // Below a single finding the notes go on where its own end.
        let gap = if count == 1 && judgement.open.is_empty() { "" } else { "\n" };
        out.push_str(&format!("{gap}{footer}"));
    }
    out
}

fn heading(judgement: &Judgement, page: &Page<'_>) -> String {
    let look = page.look;
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
    let mut out = message.render(page.sources, look);
    if let Some(title) = &claim.title {
        out.push_str(&format!("\n{}", paragraph("   ", 3, &format!("\"{}\"", look.clean(title)))));
    }
    out
}

/// What is not known, and the line that would settle it.
fn open(judgement: &Judgement, page: &Page<'_>) -> String {
    let look = page.look;
    let title = match judgement.verdict {
        Verdict::Vacuous => "why it says nothing:",
        Verdict::Holds | Verdict::Violated | Verdict::Undetermined => {
            "what is not known, and would settle it:"
        }
    };
    let mut out = format!("\n   {}\n", look.paint(Tone::Strong, title));
    for (index, question) in judgement.open.iter().enumerate() {
        out.push_str(&open_item(index + 1, question, page));
    }
    out
}

fn open_item(number: usize, question: &Open, page: &Page<'_>) -> String {
    let look = page.look;
    let what = page.with_place(&question.what, question.span);
    let mut out = paragraph(&format!("{number:>6}. "), 8, &what);
    if !question.settle.is_empty() {
        let label = "settle: ";
        let head = format!("        {}", look.paint(Tone::Help, label));
        out.push_str(&paragraph(&head, 8 + columns(label), &look.clean(&question.settle)));
    }
    out
}

/// The notes of a claim.
fn footer(judgement: &Judgement, page: &Page<'_>) -> String {
    let look = page.look;
    let mut out = String::new();
    // The report lists them once, below all claims.
    let full = look.detail == Detail::Full;
    for (name, reason) in judgement.assumptions.iter().filter(|_| full) {
        let text = format!("{}: \"{}\"", look.clean(name), look.clean(reason));
        out.push_str(&note("assumed", &text, look));
    }
    for sentence in &judgement.notes {
        out.push_str(&note("note", &page.with_place(&sentence.text, sentence.span), look));
    }
    if judgement.more_findings {
        out.push_str(&note("note", "there are more causes than were looked for (--max-causes)", look));
    }
    out
}

/// `   = note: …`, hanging.
pub(super) fn note(label: &str, text: &str, look: &Look) -> String {
    let label = format!("= {label}: ");
    paragraph(&format!("   {}", look.paint(Tone::Help, &label)), 3 + columns(&label), text)
}
