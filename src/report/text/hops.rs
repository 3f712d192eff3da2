//! The hop table: each place, what was decided there, and the line that decided it.
//!
//! ```text
//!     1  ws-no          send     from its own address              topology.yaml:38
//!          → eth0
//!     2  fw-no          forward  rule to-de allows                 fw-no.rules:7     ◀ opening
//!          eth1 → tun0  route    routes 10.0.0.0/8 via 172.16.0.1  topology.yaml:34
//! ```

use super::path::is_dull;
use super::place;
use crate::report::safe::columns;
use crate::report::style::{Detail, Look, Tone, WIDTH, wrap};
use crate::source::SourceMap;
use crate::verdict::{Hop, Leg};

/// Columns in front of the place: indent, number, gap.
const NUMBER_COLUMNS: usize = 7;

/// Columns that the name of a place may take.
const PLACE_MAX: usize = 26;

/// Columns that the name of an interface may take.
const INTERFACE_MAX: usize = 11;

/// Columns that a file and line may take.
const SOURCE_MAX: usize = 30;

/// Columns that a decision has at least, however long the rest.
const TEXT_MIN: usize = 24;

/// A hop before it is laid out.
struct Block {
    number: usize,
    name: String,
    interfaces: String,
    decisions: Vec<Decision>,
}

/// One decision at a hop.
#[derive(Default)]
struct Decision {
    stage: String,
    text: String,
    source: String,
    opening: bool,
}

/// The tables of some legs share their columns, and the numbers go on.
pub(super) struct Table {
    legs: Vec<Vec<Block>>,
    place: usize,
    stage: usize,
    text: usize,
    source: usize,
}

impl Table {
    /// The tables of the legs of one finding.
    pub(super) fn new(legs: &[Leg], sources: &SourceMap, look: &Look) -> Table {
        let mut number = 0;
        let legs: Vec<Vec<Block>> = legs.iter().map(|leg| blocks(leg, &mut number, sources, look)).collect();
        let hops = || legs.iter().flatten();
        let decisions = || hops().flat_map(|hop| &hop.decisions);
        let widest = |cells: &mut dyn Iterator<Item = usize>| cells.max().unwrap_or(0);
        let place = widest(&mut hops().map(|hop| columns(&hop.name).max(columns(&hop.interfaces))));
        let stage = widest(&mut decisions().map(|decision| columns(&decision.stage)));
        let source = widest(&mut decisions().map(|decision| columns(&decision.source)));
        let fixed = NUMBER_COLUMNS + place + 2 + stage + 2 + 2 + source;
        let mark = if decisions().any(|decision| decision.opening) { mark_columns(look) } else { 0 };
        let text = widest(&mut decisions().map(|decision| columns(&decision.text)));
        let text = text.min(WIDTH.saturating_sub(fixed + mark).max(TEXT_MIN));
        Table { legs, place, stage, text, source }
    }

    /// The table of one leg.
    pub(super) fn render(&self, leg: usize, look: &Look) -> String {
        let hops = self.legs.get(leg).map_or(&[][..], Vec::as_slice);
        hops.iter().map(|hop| self.render_hop(hop, look)).collect()
    }

    /// The name stands beside the first row of a hop, its interfaces beside the second.
    fn render_hop(&self, hop: &Block, look: &Look) -> String {
        let mut rows: Vec<String> =
            hop.decisions.iter().flat_map(|decision| self.rows(decision, look)).collect();
        let least = if hop.interfaces.is_empty() { 1 } else { 2 };
        rows.resize(rows.len().max(least), String::new());
        let mut out = String::new();
        for (index, row) in rows.iter().enumerate() {
            let number = if index == 0 { hop.number.to_string() } else { String::new() };
            let (tone, place) = match index {
                0 => (Tone::Strong, hop.name.as_str()),
                1 => (Tone::Dim, hop.interfaces.as_str()),
                _ => (Tone::Dim, ""),
            };
            let line = format!("{number:>5}  {}  {row}", look.cell(Some(tone), place, self.place));
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// The rows of one decision, without the place.
    fn rows(&self, decision: &Decision, look: &Look) -> Vec<String> {
        let mut texts = wrap(&decision.text, self.text);
        texts.resize(texts.len().max(1), String::new());
        let row = |(index, text): (usize, &String)| {
            let first = |cell: &str| if index == 0 { cell.to_owned() } else { String::new() };
            let mut row = format!(
                "{}  {}  {}",
                look.cell(Some(Tone::Dim), &first(&decision.stage), self.stage),
                look.cell(decision.opening.then_some(Tone::Bad), text, self.text),
                look.cell(Some(Tone::Source), &first(&decision.source), self.source),
            );
            if decision.opening && index == 0 {
                row.push_str(&format!("  {}", look.paint(Tone::Bad, look.glyphs().opening)));
            }
            row
        };
        texts.iter().enumerate().map(row).collect()
    }
}

fn mark_columns(look: &Look) -> usize {
    columns(look.glyphs().opening) + 2
}

/// The hops of one leg; `number` counts across legs.
fn blocks(leg: &Leg, number: &mut usize, sources: &SourceMap, look: &Look) -> Vec<Block> {
    // Where no place says its country, nobody needs to be told so at each hop.
    let located = leg.hops.iter().any(|hop| !hop.countries.is_empty());
    let mut out = Vec::new();
    for (index, hop) in leg.hops.iter().enumerate() {
        if look.detail < Detail::Full && is_dull(&leg.hops, index) {
            continue;
        }
        *number += 1;
        let mut name = look.name(&hop.place, PLACE_MAX);
        if hop.is_segment {
            name = format!("{} {name}", look.glyphs().segment);
        }
        let interfaces = interfaces(hop, look);
        out.push(Block {
            number: *number,
            name,
            interfaces,
            decisions: decisions(hop, located, sources, look),
        });
    }
    out
}

fn decisions(hop: &Hop, located: bool, sources: &SourceMap, look: &Look) -> Vec<Decision> {
    let mut out = Vec::new();
    if hop.is_segment && located {
        out.push(Decision { text: whereabouts(hop, look), ..Decision::default() });
    }
    for step in &hop.steps {
        out.push(Decision {
            stage: step.stage.to_owned(),
            text: look.clean(&step.text),
            source: step.span.map_or(String::new(), |span| place(span, sources, look, SOURCE_MAX)),
            opening: step.opening,
        });
    }
    if let Some(packet) = &hop.changed {
        let text = format!("now {}", look.clean(&packet.to_string()));
        out.push(Decision { stage: "packet".to_owned(), text, ..Decision::default() });
    }
    out
}

fn whereabouts(hop: &Hop, look: &Look) -> String {
    let names: Vec<String> = hop.countries.iter().map(|country| look.name(country, 8)).collect();
    match names.len() {
        0 => "which countries it crosses is not known".to_owned(),
        1 => format!("in {}", names.join("")),
        _ => format!("crosses {}", names.join(", ")),
    }
}

/// `  eth1 → tun0`, `  → eth0`, `  eth1 →`.
fn interfaces(hop: &Hop, look: &Look) -> String {
    if hop.is_segment {
        return String::new();
    }
    let to = look.glyphs().to;
    let name = |interface: &String| look.name(interface, INTERFACE_MAX);
    match (hop.incoming.as_ref().map(name), hop.outgoing.as_ref().map(name)) {
        (None, None) => String::new(),
        (None, Some(outgoing)) => format!("  {to} {outgoing}"),
        (Some(incoming), None) => format!("  {incoming} {to}"),
        (Some(incoming), Some(outgoing)) => format!("  {incoming} {to} {outgoing}"),
    }
}
