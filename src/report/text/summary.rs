//! What stands below the claims: assumptions, ledger, and the line that counts.

use super::Page;
use crate::report::safe::columns;
use crate::report::style::{Detail, Look, Tone, WIDTH, paragraph};
use crate::report::{Counts, Report};

/// Entries of the ledger that a report shows unless all are asked for.
const LEDGER_MAX: usize = 8;

/// The assumptions that some verdict rests on.
pub(super) fn assumptions(report: &Report, page: &Page<'_>) -> String {
    let look = page.look;
    let used = |name: &str| {
        report.judgements.iter().filter(|j| j.assumptions.iter().any(|(used, _)| used == name)).count()
    };
    let entries: Vec<_> = report.assumptions.iter().filter(|entry| used(&entry.name) > 0).collect();
    if entries.is_empty() {
        return String::new();
    }
    let mut out = format!("{}\n", look.paint(Tone::Strong, "assumed by name (--strict ignores them):"));
    for entry in entries {
        let who = match used(&entry.name) {
            all if all == report.judgements.len() => "every claim".to_owned(),
            1 => "1 claim".to_owned(),
            some => format!("{some} claims"),
        };
        let stated = page.with_place(&format!("{}: \"{}\"", entry.name, entry.reason), entry.span);
        let text = format!("{stated}; {who}");
        out.push_str(&paragraph("  ", 2, &text));
        let aside = format!("sets aside {}", look.clean(&entry.lets_pass));
        out.push_str(&paragraph("    ", 4, &aside));
    }
    out
}

/// What every verdict rests on.
pub(super) fn ledger(report: &Report, page: &Page<'_>) -> String {
    let look = page.look;
    if report.ledger.is_empty() {
        return String::new();
    }
    let shown = if look.detail == Detail::Full { report.ledger.len() } else { LEDGER_MAX };
    let mut out = format!("{}\n", look.paint(Tone::Strong, "taken for granted:"));
    for entry in report.ledger.iter().take(shown) {
        out.push_str(&paragraph("  - ", 4, &page.with_place(&entry.text, entry.span)));
    }
    let more = report.ledger.len().saturating_sub(shown);
    if more > 0 {
        out.push_str(&format!("  (+{more} more with -v)\n"));
    }
    out
}

/// `2 violated (1 cause) · 3 hold · 0 undetermined · 0 vacuous`.
pub(super) fn counts(counts: &Counts, look: &Look) -> String {
    let toned = |tone: Tone, count: usize, text: String| {
        if count > 0 { look.paint(tone, &text) } else { text }
    };
    let causes = match counts.causes {
        0 => String::new(),
        1 => " (1 cause)".to_owned(),
        many => format!(" ({many} causes)"),
    };
    let parts = [
        toned(Tone::Bad, counts.violated, format!("{} violated{causes}", counts.violated)),
        toned(
            Tone::Good,
            counts.holds,
            format!("{} {}", counts.holds, if counts.holds == 1 { "holds" } else { "hold" }),
        ),
        toned(Tone::Open, counts.undetermined, format!("{} undetermined", counts.undetermined)),
        toned(Tone::Open, counts.vacuous, format!("{} vacuous", counts.vacuous)),
    ];
    parts.join(look.glyphs().dot)
}

/// The last line: the counts, and how much was looked at (above it, if both do not fit).
pub(super) fn last_line(report: &Report, look: &Look) -> String {
    let coverage = &report.coverage;
    let number = |count: usize, one: &str| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {one}{plural}")
    };
    let size = [
        number(coverage.nodes, "node"),
        number(coverage.segments, "segment"),
        number(coverage.rules, "rule"),
        number(coverage.routes, "route"),
    ];
    let exhaustive = if coverage.limits.is_empty() { "exhaustive" } else { "not exhaustive" };
    let looked_at = format!("{exhaustive}: {}", size.join(", "));
    let counted = Counts::of(std::slice::from_ref(report));
    let plain = Look { colour: false, ..*look };
    let fits = columns(&counts(&counted, &plain)) + 3 + columns(&looked_at) <= WIDTH;
    let limits: String =
        coverage.limits.iter().map(|limit| paragraph("  - ", 4, &look.clean(limit))).collect();
    let counted = counts(&counted, look);
    if fits && limits.is_empty() {
        return format!("{counted} | {looked_at}\n");
    }
    format!("{looked_at}\n{limits}{counted}\n")
}
