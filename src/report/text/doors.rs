//! A claim that breaks in several ways: one is told in full, of each other the line that lets it through, the way and
//! the packet; those that differ from one told only in where they end are counted with it.

use super::evidence::Context;
use crate::claim::Statement;
use crate::report::safe::columns;
use crate::report::style::{Tone, WIDTH, paragraph, wrap};
use crate::verdict::{Finding, Leg, Sender};

/// Similar doors that are named; the others are counted.
const NAMED_MAX: usize = 3;

/// Columns that the name of a place may take in a short way.
const NAME_MAX: usize = 32;

/// The findings but the one that is told in full, in a line or two each.
pub(super) fn further(findings: &[Finding], told: usize, context: &Context<'_>) -> String {
    let look = context.page.look;
    let mut groups: Vec<Vec<usize>> = vec![vec![told]];
    for (index, finding) in findings.iter().enumerate().filter(|(index, _)| *index != told) {
        let like = |group: &&mut Vec<usize>| {
            group.first().is_some_and(|first| shape(&findings[*first]) == shape(finding))
        };
        match groups.iter_mut().find(like) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    let reaches = matches!(context.judgement.claim.statement, Statement::Reachable(_));
    let title = match (findings.len().saturating_sub(1), reaches) {
        (0, _) => return String::new(),
        (1, false) => "1 more way through, enough by itself (-v shows it in full):".to_owned(),
        (1, true) => "1 more pair that cannot talk (-v shows it in full):".to_owned(),
        (more, false) => format!("{more} more ways through, each enough by itself (-v shows them in full):"),
        (more, true) => format!("{more} more pairs that cannot talk (-v shows them in full):"),
    };
    let mut out = format!("   {}\n", look.paint(Tone::Strong, &title));
    for (position, group) in groups.iter().enumerate() {
        let Some((first, similar)) = group.split_first() else { continue };
        if position > 0 {
            out.push_str(&door(&findings[*first], *first, context));
        }
        let similar: Vec<&Finding> = similar.iter().map(|index| &findings[*index]).collect();
        let like = if position == 0 { format!(" to cause {}", told + 1) } else { String::new() };
        out.push_str(&counted(&similar, &like, context));
    }
    out
}

/// What makes two findings similar: the senders and all places but the last of each packet's way, and the stage that
/// lets it through.
fn shape(finding: &Finding) -> (Vec<(Sender, Vec<&str>)>, Option<&'static str>) {
    let places = |leg: &Leg| -> usize { leg.hops.len().saturating_sub(1) };
    let legs = finding.legs.iter().map(|leg| {
        let before = leg.hops.iter().take(places(leg)).map(|hop| hop.place.as_str());
        (leg.sender, before.collect())
    });
    let steps = finding.legs.iter().flat_map(|leg| &leg.hops).flat_map(|hop| &hop.steps);
    (legs.collect(), steps.filter(|step| step.opening).map(|step| step.stage).next())
}

/// ` 2. rule web-in lets it through (fw.rules:10)`, and below it the way and the packet.
fn door(finding: &Finding, index: usize, context: &Context<'_>) -> String {
    let look = context.page.look;
    let mut out = paragraph(&format!("{:>6}. ", index + 1), 8, &cause(finding, context));
    if let Some((last, before)) = finding.legs.split_last() {
        let opened = match before.len() {
            0 => String::new(),
            1 => ", after 1 other packet".to_owned(),
            more => format!(", after {more} other packets"),
        };
        let text = format!("{}: {}{opened}", way(last, context), look.clean(&last.packet.to_string()));
        for line in wrap(&text, WIDTH - 8) {
            out.push_str(&format!("        {}\n", look.paint(Tone::Dim, &line)));
        }
    }
    let broken: Vec<String> =
        finding.remedies.iter().flat_map(|remedy| &remedy.breaks).map(|id| look.name(id, 40)).collect();
    if !broken.is_empty() {
        let plural = if broken.len() == 1 { "claim" } else { "claims" };
        let text = format!("{} closing it would break {plural} {}", look.glyphs().bad, broken.join(", "));
        for line in wrap(&text, WIDTH - 8) {
            out.push_str(&format!("        {}\n", look.paint(Tone::Bad, &line)));
        }
    }
    out
}

fn cause(finding: &Finding, context: &Context<'_>) -> String {
    match &finding.cause {
        Some(cause) => context.page.with_place(&cause.text, cause.span),
        None => "no single line lets it through".to_owned(),
    }
}

/// The nodes of a way, and the segment that it ends on.
fn way(leg: &Leg, context: &Context<'_>) -> String {
    let look = context.page.look;
    let last = leg.hops.len().saturating_sub(1);
    let mut names: Vec<String> = Vec::new();
    if leg.hops.first().is_none_or(|hop| hop.is_segment) {
        names.push(look.name(&leg.origin, NAME_MAX));
    }
    for (index, hop) in leg.hops.iter().enumerate().filter(|(index, hop)| !hop.is_segment || *index == last) {
        let name = look.name(&hop.place, NAME_MAX);
        if index > 0 || !hop.is_segment {
            names.push(if hop.is_segment { format!("({name})") } else { name });
        }
    }
    names.join(&format!(" {} ", look.glyphs().to))
}

/// `+2 similar: db-gui takes it (topology.yaml:66); …`, or nothing.
fn counted(similar: &[&Finding], like: &str, context: &Context<'_>) -> String {
    if similar.is_empty() {
        return String::new();
    }
    let mut causes: Vec<String> =
        similar.iter().take(NAMED_MAX).map(|finding| cause(finding, context)).collect();
    let unnamed = similar.len().saturating_sub(NAMED_MAX);
    if unnamed > 0 {
        causes.push(format!("{unnamed} more"));
    }
    let label = format!("+{} similar{like}: ", similar.len());
    let head = format!("        {}", context.page.look.paint(Tone::Strong, &label));
    paragraph(&head, 8 + columns(&label), &causes.join("; "))
}
