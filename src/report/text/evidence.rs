//! One finding: the path, the packets, each decision, why it looked closed, what closes it, how to see it again.

use super::claim::note;
use super::hops::Table;
use super::{Page, path, reproduce};
use crate::claim::Statement;
use crate::report::Report;
use crate::report::safe::columns;
use crate::report::style::{Look, Tone, WIDTH, paragraph, wrap};
use crate::verdict::{Finding, Judgement, Leg, Remedy, Sender, Verdict};

/// What a finding is shown with.
pub(super) struct Context<'a> {
    pub(super) judgement: &'a Judgement,
    pub(super) report: &'a Report,
    pub(super) page: &'a Page<'a>,
}

/// `cause 1 of 3: rule ping allows … (fw.rules:9)`, above a finding that is not the only one.
pub(super) fn title(finding: &Finding, index: usize, context: &Context<'_>) -> String {
    let kind = match context.judgement.verdict {
        Verdict::Violated => "cause",
        Verdict::Undetermined | Verdict::Holds | Verdict::Vacuous => "possible path",
    };
    let label = format!("{kind} {} of {}: ", index + 1, context.judgement.findings.len());
    let head = format!("   {}", context.page.look.paint(Tone::Strong, &label));
    let text = match &finding.cause {
        Some(cause) => context.page.with_place(&cause.text, cause.span),
        None => "no single line lets it through".to_owned(),
    };
    paragraph(&head, 3 + columns(&label), &text) + "\n"
}

/// Shows a finding. If its cause was shown under another claim, only what differs is repeated.
pub(super) fn finding(
    finding: &Finding,
    index: usize,
    elsewhere: Option<&str>,
    context: &Context<'_>,
) -> String {
    let look = context.page.look;
    let mut blocks = vec![paths(finding, context.page)];
    if elsewhere.is_none() {
        blocks.extend(legs(&finding.legs, context.page));
        if let Some(closed) = &finding.looked_closed {
            let text = context.page.with_place(&closed.text, closed.span);
            let label = "why it looked closed: ";
            let head = format!("   {}", look.paint(Tone::Strong, label));
            blocks.push(hanging(&head, 3 + columns(label), 3, &text));
        }
        blocks.push(remedies(&finding.remedies, index, context));
    } else {
        let packets = finding.legs.iter().enumerate();
        blocks.push(packets.map(|(at, leg)| packet(leg, at, finding.legs.len(), context.page)).collect());
    }
    blocks.push(footer(finding, elsewhere, context));
    blocks.retain(|block| !block.is_empty());
    blocks.join("\n")
}

/// The boxes of each leg, under a line that says who sends it if there are several.
fn paths(finding: &Finding, page: &Page<'_>) -> String {
    let look = page.look;
    let several = finding.legs.len() > 1;
    let mut out = String::new();
    for (index, leg) in finding.legs.iter().enumerate() {
        if several {
            let label = format!("leg {}: ", index + 1);
            let head = format!("   {}", look.paint(Tone::Strong, &label));
            out.push_str(&paragraph(&head, 3 + columns(&label), &sent_by(leg, page)));
        }
        out.push_str(&path::render(leg, look));
    }
    out
}

/// For each leg its packet and its table.
pub(super) fn legs(legs: &[Leg], page: &Page<'_>) -> Vec<String> {
    let look = page.look;
    let table = Table::new(legs, page);
    let shown = legs.iter().enumerate();
    shown
        .map(|(at, leg)| format!("{}{}", packet(leg, at, legs.len(), page), table.render(at, look)))
        .collect()
}

/// `packet  10.50.3.17 → 10.20.0.9 tcp/22 …`, and who sends it unless the paths say so.
fn packet(leg: &Leg, index: usize, count: usize, page: &Page<'_>) -> String {
    let look = page.look;
    let label = if count > 1 { format!("leg {}", index + 1) } else { "packet".to_owned() };
    let indent = 3 + columns(&label) + 2;
    let head = format!("   {}  ", look.paint(Tone::Strong, &label));
    let mut out = paragraph(&head, indent, &look.clean(&leg.packet.to_string()));
    if count == 1 {
        out.push_str(&paragraph(&" ".repeat(indent), indent, &sent_by(leg, page)));
    }
    out
}

fn sent_by(leg: &Leg, page: &Page<'_>) -> String {
    let look = page.look;
    // Somebody on a segment without a node of its own.
    let on_segment = leg.hops.first().is_some_and(|hop| hop.is_segment && hop.place == leg.origin);
    let who = match (leg.sender, &leg.channel) {
        (Sender::FarEnd, Some(channel)) => {
            format!("the far end of the excepted channel {}", page.with_place(&channel.text, channel.span))
        }
        (Sender::FarEnd, None) => "the far end of an excepted channel".to_owned(),
        (Sender::Adversary, _) => "the adversary".to_owned(),
        (Sender::Accomplice, _) => "an accomplice".to_owned(),
        (Sender::Honest, _) if on_segment => "an honest host that nobody described".to_owned(),
        (Sender::Honest, _) => "an honest sender".to_owned(),
        (Sender::Answer, _) => "a device that answers".to_owned(),
        (Sender::Undescribed, _) => "somebody whom nobody described".to_owned(),
    };
    let spoofed = if leg.spoofed { ", with a spoofed source address" } else { "" };
    let purpose = look.clean(&leg.purpose);
    let purpose = if purpose.is_empty() { purpose } else { format!("; {purpose}") };
    format!("sent by {who} at {}{spoofed}{purpose}", look.name(&leg.origin, 40))
}

/// What closes it, each with its place and what it would break.
fn remedies(remedies: &[Remedy], index: usize, context: &Context<'_>) -> String {
    let (page, look) = (context.page, context.page.look);
    if remedies.is_empty() {
        return String::new();
    }
    let what = match context.judgement.findings.len() {
        0 | 1 => "it".to_owned(),
        _ => format!("cause {}", index + 1),
    };
    let lead = if remedies.len() == 1 { "this closes" } else { "any one of these closes" };
    let all = remedies.iter().all(|remedy| remedy.checked);
    let checked = if all { "re-checked against every `reachable` claim" } else { "not re-checked" };
    let title = format!("{lead} {what} ({checked}):");
    let mut out = format!("   {}\n", look.paint(Tone::Strong, &title));
    let places: Vec<String> = remedies
        .iter()
        .map(|remedy| remedy.span.map_or(String::new(), |span| page.place(span, 30)))
        .collect();
    let width = places.iter().map(|place| columns(place)).max().unwrap_or(0);
    for (index, (remedy, place)) in remedies.iter().zip(&places).enumerate() {
        let indent = 8 + width + 2;
        let head = format!("{:>7} {}  ", letter(index), look.cell(Some(Tone::Source), place, width));
        out.push_str(&paragraph(&head, indent, &look.clean(&remedy.text)));
        if !remedy.breaks.is_empty() {
            let glyph = look.glyphs().bad;
            let names: Vec<String> = remedy.breaks.iter().map(|id| look.name(id, 40)).collect();
            let plural = if names.len() == 1 { "claim" } else { "claims" };
            let text = format!("{glyph} but would break {plural} {}", names.join(", "));
            for line in wrap(&text, WIDTH - indent) {
                out.push_str(&format!("{}{}\n", " ".repeat(indent), look.paint(Tone::Bad, &line)));
            }
        }
    }
    out
}

/// `a)`, …, `z)`, then numbers.
fn letter(index: usize) -> String {
    let letter = u8::try_from(index).ok().filter(|index| *index < 26).map(|index| char::from(b'a' + index));
    letter.map_or_else(|| format!("{})", index + 1), |letter| format!("{letter})"))
}

fn footer(finding: &Finding, elsewhere: Option<&str>, context: &Context<'_>) -> String {
    let look = context.page.look;
    let mut out = String::new();
    if let Some(claim) = elsewhere {
        let cause = finding.cause.as_ref();
        let cause = cause.map_or(String::new(), |note| context.page.with_place(&note.text, note.span));
        let text = format!("{cause}; shown in full under claim {} (-v repeats it)", look.name(claim, 40));
        out.push_str(&note("same cause", text.trim_start_matches("; "), look));
    }
    let marked = finding.legs.iter().flat_map(|leg| &leg.hops).flat_map(|hop| &hop.steps).any(|s| s.opening);
    if let Some(cause) = finding
        .cause
        .as_ref()
        .filter(|_| elsewhere.is_none() && !marked && context.judgement.findings.len() == 1)
    {
        out.push_str(&note("cause", &context.page.with_place(&cause.text, cause.span), look));
    }
    for choice in &finding.choices {
        out.push_str(&note("note", &look.clean(choice), look));
    }
    if context.judgement.verdict != Verdict::Vacuous {
        out.push_str(&command("= trace: ", &reproduce::trace(finding, context.report), look));
    }
    let arrives = !matches!(context.judgement.claim.statement, Statement::Reachable(_));
    if context.judgement.verdict == Verdict::Violated && arrives {
        out.push_str(&command("= reproduce: ", &reproduce::on_a_kernel(finding, context.report), look));
    }
    out
}

/// The command on as many lines as it needs, each but the last ending in a backslash, so that it can be
/// pasted. Words are never broken and never elided: the command must work.
fn command(label: &str, words: &[String], look: &Look) -> String {
    if words.is_empty() {
        return String::new();
    }
    let indent = 3 + columns(label);
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        let word = look.clean(word);
        match lines.last_mut() {
            Some(line) if indent + columns(line) + 1 + columns(&word) + 2 <= WIDTH => {
                line.push(' ');
                line.push_str(&word);
            }
            Some(_) | None => lines.push(word),
        }
    }
    let head = format!("   {}", look.paint(Tone::Help, label));
    format!("{head}{}\n", lines.join(&format!(" \\\n{}", " ".repeat(indent))))
}

/// A paragraph whose first line stands behind a label, while the others are indented by `indent`.
fn hanging(head: &str, head_columns: usize, indent: usize, text: &str) -> String {
    let filler = "x".repeat(head_columns - indent - 1);
    let lines = wrap(&format!("{filler} {text}"), WIDTH - indent);
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        let line = if index == 0 { line.get(filler.len() + 1..).unwrap_or("") } else { line.as_str() };
        let lead = if index == 0 { head.to_owned() } else { " ".repeat(indent) };
        out.push_str(&format!("{lead}{line}\n"));
    }
    out
}
