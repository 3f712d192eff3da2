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

/// Columns that the place and its interfaces may take.
const PLACE_MAX: usize = 26;

/// Columns that a file and line may take.
const SOURCE_MAX: usize = 30;

/// Columns that a decision has at least, however long the rest.
const TEXT_MIN: usize = 24;

/// One line of the table before it is laid out.
#[derive(Default)]
struct Line {
    number: Option<usize>,
    place: String,
    is_place_name: bool,
    stage: String,
    text: String,
    source: String,
    opening: bool,
}

/// The tables of some legs share their columns, and the numbers go on.
pub(super) struct Table {
    legs: Vec<Vec<Line>>,
    place: usize,
    stage: usize,
    text: usize,
    source: usize,
}

impl Table {
    /// The tables of the legs of one finding.
    pub(super) fn new(legs: &[Leg], sources: &SourceMap, look: &Look) -> Table {
        let mut number = 0;
        let legs: Vec<Vec<Line>> = legs.iter().map(|leg| lines(leg, &mut number, sources, look)).collect();
        let widest = |cell: fn(&Line) -> &str| {
            legs.iter().flatten().map(|line| columns(cell(line))).max().unwrap_or(0)
        };
        let (place, stage) = (widest(|line| &line.place), widest(|line| &line.stage));
        let source = widest(|line| &line.source);
        let opens = legs.iter().flatten().any(|line| line.opening);
        let mark = if opens { 3 + columns(look.glyphs().opening) } else { 0 };
        let used = NUMBER_COLUMNS + place + 2 + stage + 2 + 2 + source + mark;
        let text = widest(|line| &line.text).min(WIDTH.saturating_sub(used).max(TEXT_MIN));
        Table { legs, place, stage, text, source }
    }

    /// The table of one leg.
    pub(super) fn render(&self, leg: usize, look: &Look) -> String {
        let lines = self.legs.get(leg).map_or(&[][..], Vec::as_slice);
        lines.iter().map(|line| self.render_line(line, look)).collect()
    }

    fn render_line(&self, line: &Line, look: &Look) -> String {
        let mut out = String::new();
        let parts = wrap(&line.text, self.text);
        for index in 0..parts.len().max(1) {
            let text = parts.get(index).map_or("", String::as_str);
            let first = index == 0;
            let number = line.number.filter(|_| first).map_or(String::new(), |number| number.to_string());
            let place = if first { line.place.as_str() } else { "" };
            let stage = if first { line.stage.as_str() } else { "" };
            let source = if first { line.source.as_str() } else { "" };
            let place_tone = if line.is_place_name { Tone::Strong } else { Tone::Dim };
            let text_tone = line.opening.then_some(Tone::Bad);
            let mut row = format!(
                "{number:>5}  {}  {}  {}  {}",
                look.cell(Some(place_tone), place, self.place),
                look.cell(Some(Tone::Dim), stage, self.stage),
                look.cell(text_tone, text, self.text),
                look.cell(Some(Tone::Source), source, self.source),
            );
            if line.opening && first {
                row.push_str(&format!("   {}", look.paint(Tone::Bad, look.glyphs().opening)));
            }
            out.push_str(row.trim_end());
            out.push('\n');
        }
        out
    }
}

/// The lines of one leg; `number` counts hops across legs.
fn lines(leg: &Leg, number: &mut usize, sources: &SourceMap, look: &Look) -> Vec<Line> {
    let mut out = Vec::new();
    for (index, hop) in leg.hops.iter().enumerate() {
        if look.detail < Detail::Full && is_dull(&leg.hops, index) {
            continue;
        }
        *number += 1;
        out.extend(hop_lines(hop, *number, sources, look));
    }
    out
}

/// The name beside the first decision, the interfaces beside the second.
fn hop_lines(hop: &Hop, number: usize, sources: &SourceMap, look: &Look) -> Vec<Line> {
    let mut decisions = decisions(hop, sources, look);
    if decisions.is_empty() {
        decisions.push(Line::default());
    }
    let mut name = look.name(&hop.place, PLACE_MAX);
    if hop.is_segment {
        name = format!("{} {name}", look.glyphs().segment);
    }
    let interfaces = interfaces(hop, look);
    if !interfaces.is_empty() && decisions.len() < 2 {
        decisions.push(Line::default());
    }
    for (index, line) in decisions.iter_mut().enumerate() {
        match index {
            0 => {
                line.number = Some(number);
                line.place.clone_from(&name);
                line.is_place_name = true;
            }
            1 if !interfaces.is_empty() => line.place = format!("  {interfaces}"),
            _ => {}
        }
    }
    decisions
}

fn decisions(hop: &Hop, sources: &SourceMap, look: &Look) -> Vec<Line> {
    let mut out = Vec::new();
    if hop.is_segment && !hop.countries.is_empty() {
        let names: Vec<String> = hop.countries.iter().map(|country| look.name(country, 8)).collect();
        let verb = if names.len() > 1 { "crosses" } else { "in" };
        out.push(Line { text: format!("{verb} {}", names.join(", ")), ..Line::default() });
    }
    for step in &hop.steps {
        out.push(Line {
            stage: step.stage.to_owned(),
            text: look.clean(&step.text),
            source: step.span.map_or(String::new(), |span| place(span, sources, look, SOURCE_MAX)),
            opening: step.opening,
            ..Line::default()
        });
    }
    if let Some(packet) = &hop.changed {
        let text = format!("now {}", look.clean(&packet.to_string()));
        out.push(Line { stage: "packet".to_owned(), text, ..Line::default() });
    }
    out
}

/// `eth1 → tun0`, `→ eth0`, `eth1 →`.
fn interfaces(hop: &Hop, look: &Look) -> String {
    if hop.is_segment {
        return String::new();
    }
    let to = look.glyphs().to;
    let name = |interface: &String| look.name(interface, 11);
    match (hop.incoming.as_ref().map(name), hop.outgoing.as_ref().map(name)) {
        (None, None) => String::new(),
        (None, Some(outgoing)) => format!("{to} {outgoing}"),
        (Some(incoming), None) => format!("{incoming} {to}"),
        (Some(incoming), Some(outgoing)) => format!("{incoming} {to} {outgoing}"),
    }
}
