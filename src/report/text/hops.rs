//! The hop table: each place, what was decided there, and the line that decided it.
//!
//! ```text
//!     1  ws-no          send     from its own address              topology.yaml:38
//!          → eth0
//!     2  fw-no          forward  rule to-de allows                 fw-no.rules:7     ◀ opening
//!          eth1 → tun0  route    routes 10.0.0.0/8 via 172.16.0.1  topology.yaml:34
//! ```

use super::Page;
use super::path::is_dull;
use crate::report::safe::columns;
use crate::report::style::{Detail, Look, Tone, WIDTH, paragraph, wrap};
use crate::verdict::{Hop, Leg, Step};

/// Columns in front of the place: indent, number, gap.
const NUMBER_COLUMNS: usize = 7;

/// Columns that the name of a node may take.
const PLACE_MAX: usize = 32;

/// Columns that the name of a segment may take.
const SEGMENT_MAX: usize = 60;

/// Columns that the name of an interface may take.
const INTERFACE_MAX: usize = 11;

/// Columns that a file and line may take.
const SOURCE_MAX: usize = 30;

/// Columns that a decision has at least, however long the rest.
const TEXT_MIN: usize = 24;

/// A hop before it is laid out.
struct Block {
    number: usize,
    /// The name of a node; of a segment, whose name is long, all that needs no column of its own.
    name: String,
    is_segment: bool,
    interfaces: String,
    decisions: Vec<Decision>,
}

/// Columns that decisions have at least if the mark of an opening shall stand beside them.
const MARKED_TEXT_MIN: usize = 36;

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
    /// Whether the mark of an opening fits behind its line; else it stands below.
    mark_fits: bool,
}

impl Table {
    /// The tables of the legs of one finding.
    pub(super) fn new(legs: &[Leg], page: &Page<'_>) -> Table {
        let look = page.look;
        let mut number = 0;
        let legs: Vec<Vec<Block>> = legs.iter().map(|leg| blocks(leg, &mut number, page)).collect();
        let hops = || legs.iter().flatten();
        let decisions = || hops().flat_map(|hop| &hop.decisions);
        let widest = |cells: &mut dyn Iterator<Item = usize>| cells.max().unwrap_or(0);
        let nodes = hops().filter(|hop| !hop.is_segment);
        let place = widest(&mut nodes.map(|hop| columns(&hop.name).max(columns(&hop.interfaces))));
        let stage = widest(&mut decisions().map(|decision| columns(&decision.stage)));
        let source = widest(&mut decisions().map(|decision| columns(&decision.source)));
        let fixed = NUMBER_COLUMNS + place + 2 + stage + 2 + 2 + source;
        let mark = if decisions().any(|decision| decision.opening) { mark_columns(look) } else { 0 };
        let mark_fits = fixed + mark + MARKED_TEXT_MIN <= WIDTH;
        let room = WIDTH.saturating_sub(fixed + if mark_fits { mark } else { 0 });
        let text = widest(&mut decisions().map(|decision| columns(&decision.text))).min(room.max(TEXT_MIN));
        Table { legs, place, stage, text, source, mark_fits }
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
        if hop.is_segment {
            let pad = " ".repeat(NUMBER_COLUMNS + self.place + 2);
            let rest = rows.iter().map(|row| format!("{pad}{}\n", row.trim_end()));
            return segment_line(hop, look) + &rest.collect::<String>();
        }
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
        let below = decision.opening && !self.mark_fits;
        texts.resize(texts.len().max(if below { 2 } else { 1 }), String::new());
        let row = |(index, text): (usize, &String)| {
            let first = |cell: &str| if index == 0 { cell.to_owned() } else { String::new() };
            let mark = look.paint(Tone::Bad, look.glyphs().opening);
            let source = match index {
                1 if below => mark.clone(),
                _ => look.cell(Some(Tone::Source), &first(&decision.source), self.source),
            };
            let mut row = format!(
                "{}  {}  {source}",
                look.cell(Some(Tone::Dim), &first(&decision.stage), self.stage),
                look.cell(decision.opening.then_some(Tone::Bad), text, self.text),
            );
            if decision.opening && index == 0 && !below {
                row.push_str(&format!("  {mark}"));
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
fn blocks(leg: &Leg, number: &mut usize, page: &Page<'_>) -> Vec<Block> {
    let look = page.look;
    // Where no place says its country, nobody needs to be told so at each hop.
    let located = leg.hops.iter().any(|hop| !hop.countries.is_empty());
    let mut out = Vec::new();
    for (index, hop) in leg.hops.iter().enumerate() {
        if look.detail < Detail::Full && is_dull(&leg.hops, index) {
            continue;
        }
        *number += 1;
        let block =
            if hop.is_segment { segment(hop, *number, located, page) } else { node(hop, *number, page) };
        out.push(block);
    }
    out
}

fn node(hop: &Hop, number: usize, page: &Page<'_>) -> Block {
    let decisions = hop.steps.iter().map(|step| decision(step, page)).chain(changed(hop, page));
    Block {
        number,
        name: page.look.name(&hop.place, PLACE_MAX),
        is_segment: false,
        interfaces: interfaces(hop, page.look),
        decisions: decisions.collect(),
    }
}

/// A segment takes one line, `fw:out – rtr:eth0, crosses CN, SG: sent to rtr:eth0`, and a row for each step that
/// has a line to show.
fn segment(hop: &Hop, number: usize, located: bool, page: &Page<'_>) -> Block {
    let look = page.look;
    let mut name = look.name(&hop.place, SEGMENT_MAX);
    if located {
        name.push_str(&format!(", {}", whereabouts(hop, look)));
    }
    let (shown, plain): (Vec<&Step>, Vec<&Step>) =
        hop.steps.iter().partition(|step| step.span.is_some() || step.opening);
    let plain: Vec<String> = plain.iter().map(|step| look.clean(&step.text)).collect();
    if !plain.is_empty() {
        name.push_str(&format!(": {}", plain.join("; ")));
    }
    let decisions = shown.into_iter().map(|step| decision(step, page)).chain(changed(hop, page));
    Block { number, name, is_segment: true, interfaces: String::new(), decisions: decisions.collect() }
}

fn segment_line(hop: &Block, look: &Look) -> String {
    let mark = look.glyphs().segment;
    let head = format!("{:>5}  {} ", hop.number, look.paint(Tone::Strong, mark));
    paragraph(&head, NUMBER_COLUMNS + columns(mark) + 1, &hop.name)
}

fn decision(step: &Step, page: &Page<'_>) -> Decision {
    Decision {
        stage: step.stage.to_owned(),
        text: page.look.clean(&step.text),
        source: step.span.map_or(String::new(), |span| page.place(span, SOURCE_MAX)),
        opening: step.opening,
    }
}

/// The packet as it leaves, where it was changed.
fn changed(hop: &Hop, page: &Page<'_>) -> Option<Decision> {
    let packet = hop.changed.as_ref()?;
    let text = format!("now {}", page.look.clean(&packet.to_string()));
    Some(Decision { stage: "packet".to_owned(), text, ..Decision::default() })
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
    let to = look.glyphs().to;
    let name = |interface: &String| look.name(interface, INTERFACE_MAX);
    match (hop.incoming.as_ref().map(name), hop.outgoing.as_ref().map(name)) {
        (None, None) => String::new(),
        (None, Some(outgoing)) => format!("  {to} {outgoing}"),
        (Some(incoming), None) => format!("  {incoming} {to}"),
        (Some(incoming), Some(outgoing)) => format!("  {incoming} {to} {outgoing}"),
    }
}
