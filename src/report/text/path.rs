//! The path as one line of boxes, with the jurisdictions underneath.
//!
//! ```text
//! ws-no ──▶ fw-no ══de-no══▶ fw-de ──▶ db1
//! └─ NO ────────┘  NO·DK·DE  └─ DE ──────┘
//! ```

use crate::report::safe::columns;
use crate::report::style::{Look, Tone, WIDTH};
use crate::verdict::{Hop, Leg, Step};
use std::net::IpAddr;

/// Columns that the name of a place may take in the line of boxes.
const NAME_MAX: usize = 32;

/// Columns that the name of a segment may take, which often holds those of its ends.
const SEGMENT_MAX: usize = 40;

/// Columns that the name of a segment may take on an arrow.
const LINK_MAX: usize = 36;

/// Columns to the left of every row.
const INDENT: usize = 3;

/// Columns of the shortest arrow, with the spaces around it.
const ARROW_MIN: usize = 5;

/// A box.
struct Station {
    name: String,
    lane: String,
}

/// What leads to the next box: a segment, named if it says something.
#[derive(Default)]
struct Link {
    name: String,
    countries: String,
}

/// Whether a segment says nothing that its neighbours do not say: it crosses no border, and all that happens on
/// it is that the next hop receives what was sent there. The report shows such ones only in full detail; the
/// first and the last hop are never dull.
pub(super) fn is_dull(hops: &[Hop], index: usize) -> bool {
    let Some(hop) = hops.get(index) else { return false };
    let before = index.checked_sub(1).and_then(|before| hops.get(before));
    let (Some(before), Some(next)) = (before, hops.get(index + 1)) else { return false };
    let stays = hop.countries.is_empty() || hop.countries == before.countries;
    let plain = hop.steps.iter().all(|step| names_only(step, next));
    hop.is_segment && stays && plain && hop.changed.is_none()
}

/// Whether a step only says that the next hop receives the packet, by its name or as the owner of an address.
fn names_only(step: &Step, next: &Hop) -> bool {
    let receiver = format!("{}:{}", next.place, next.incoming.as_deref().unwrap_or_default());
    let who = step.text.strip_suffix(&receiver).unwrap_or_default();
    let owner = who.strip_suffix(" is ").is_some_and(|address| address.parse::<IpAddr>().is_ok());
    step.span.is_none() && !step.opening && (who == "sent to " || owner)
}

/// The rows of boxes and lanes for one packet's way.
pub(super) fn render(leg: &Leg, look: &Look) -> String {
    let (first, rest) = stations(leg, look);
    let mut rows = vec![Row::new(first)];
    for (link, station) in rest {
        let fits = rows.last_mut().is_some_and(|row| row.try_push(&link, &station, look));
        if !fits {
            rows.push(Row::after(&link, station, look));
        }
    }
    rows.iter().map(|row| row.render(look)).collect()
}

/// The boxes, and what leads to each but the first.
fn stations(leg: &Leg, look: &Look) -> (Station, Vec<(Link, Station)>) {
    let mut all: Vec<(Link, Station)> = Vec::new();
    if leg.hops.first().is_none_or(|hop| hop.place != leg.origin) {
        let name = look.name(&leg.origin, NAME_MAX);
        all.push((Link::default(), Station { name, lane: String::new() }));
    }
    let mut link = Link::default();
    for (index, hop) in leg.hops.iter().enumerate() {
        if is_link(&leg.hops, index) {
            link = Link::of(&leg.hops, index, look);
            continue;
        }
        let name = if hop.is_segment {
            format!("({})", look.name(&hop.place, SEGMENT_MAX))
        } else {
            look.name(&hop.place, NAME_MAX)
        };
        all.push((std::mem::take(&mut link), Station { name, lane: countries(hop, look) }));
    }
    let mut all = all.into_iter();
    let none = || Station { name: look.name(&leg.origin, NAME_MAX), lane: String::new() };
    let first = all.next().map_or_else(none, |(_, station)| station);
    (first, all.collect())
}

/// Whether a hop is drawn as an arrow. A segment that frames enter from another segment is a box.
fn is_link(hops: &[Hop], index: usize) -> bool {
    let is_segment = |at: usize| hops.get(at).is_some_and(|hop| hop.is_segment);
    let inner = index > 0 && index + 1 < hops.len();
    inner && is_segment(index) && !(is_segment(index - 1) && is_link(hops, index - 1))
}

impl Link {
    fn of(hops: &[Hop], index: usize, look: &Look) -> Link {
        if is_dull(hops, index) {
            return Link::default();
        }
        let Some(hop) = hops.get(index) else { return Link::default() };
        // A segment without a name of its own is called by the ends of its link, which the boxes show anyway.
        let name = if hop.place.contains(':') { String::new() } else { look.name(&hop.place, LINK_MAX) };
        let same = index.checked_sub(1).is_some_and(|before| hops[before].countries == hop.countries);
        Link { name, countries: if same { String::new() } else { countries(hop, look) } }
    }

    fn is_plain(&self) -> bool {
        self.name.is_empty() && self.countries.is_empty()
    }

    /// The arrow in exactly `width` columns, with a space at each end.
    fn arrow(&self, width: usize, look: &Look) -> String {
        let glyphs = look.glyphs();
        let line = if self.is_plain() { glyphs.line } else { glyphs.double };
        let fill = width.saturating_sub(3 + columns(&self.name));
        let left: String = std::iter::repeat_n(line, fill / 2).collect();
        let right: String = std::iter::repeat_n(line, fill - fill / 2).collect();
        format!(" {left}{}{right}{} ", self.name, glyphs.head)
    }

    fn width_min(&self) -> usize {
        let named = if self.name.is_empty() { 0 } else { columns(&self.name) + 7 };
        let below = if self.countries.is_empty() { 0 } else { columns(&self.countries) + 4 };
        ARROW_MIN.max(named).max(below)
    }
}

/// The countries of a hop as one word.
fn countries(hop: &Hop, look: &Look) -> String {
    let names: Vec<String> = hop.countries.iter().map(|country| look.name(country, 8)).collect();
    names.join(look.glyphs().join)
}

/// One row: boxes at columns, and the countries below.
struct Row {
    boxes: String,
    /// First column, column behind the last, and countries of each lane.
    lanes: Vec<Lane>,
    /// The text columns of the boxes so far.
    width: usize,
}

struct Lane {
    start: usize,
    end: usize,
    label: String,
    /// Whether it belongs to an arrow: then it is a mere word.
    is_link: bool,
}

impl Lane {
    /// Columns that it needs to be readable.
    fn needed_end(&self) -> usize {
        if self.label.is_empty() { self.end } else { self.end.max(self.start + columns(&self.label) + 4) }
    }
}

impl Row {
    fn new(station: Station) -> Row {
        let width = columns(&station.name);
        let lane = Lane { start: 0, end: width, label: station.lane, is_link: false };
        Row { boxes: station.name, lanes: vec![lane], width }
    }

    /// A row that begins with an arrow, because the row before was full.
    fn after(link: &Link, station: Station, look: &Look) -> Row {
        let mut row = Row { boxes: String::new(), lanes: Vec::new(), width: 0 };
        row.push(link, &station, link.width_min(), look);
        row
    }

    /// Appends a box, if the row has room for it.
    fn try_push(&mut self, link: &Link, station: &Station, look: &Look) -> bool {
        let joins =
            self.lanes.last().is_some_and(|lane| lane.label == station.lane) && link.countries.is_empty();
        let lane_end = self.lanes.last().map_or(0, Lane::needed_end);
        let gap = if joins { 0 } else { (lane_end + 1).saturating_sub(self.width) };
        let below = if link.countries.is_empty() { 0 } else { columns(&link.countries) + 3 };
        let arrow = link.width_min().max(gap + below);
        let own = Lane { start: 0, end: columns(&station.name), label: station.lane.clone(), is_link: false };
        if self.width + arrow + own.needed_end() > WIDTH - INDENT {
            return false;
        }
        self.push(link, station, arrow, look);
        true
    }

    fn push(&mut self, link: &Link, station: &Station, arrow: usize, look: &Look) {
        let lane_end = self.lanes.last().map_or(0, Lane::needed_end);
        self.boxes.push_str(&link.arrow(arrow, look));
        let start = self.width + arrow;
        if !link.countries.is_empty() {
            // In the middle of the arrow, but clear of the lane before.
            let middle = self.width + (arrow.saturating_sub(columns(&link.countries))) / 2;
            let at = middle.max(lane_end + 1);
            let end = at + columns(&link.countries);
            self.lanes.push(Lane { start: at, end, label: link.countries.clone(), is_link: true });
        }
        self.boxes.push_str(&station.name);
        self.width = start + columns(&station.name);
        match self.lanes.last_mut() {
            Some(lane) if !lane.is_link && lane.label == station.lane => lane.end = self.width,
            _ => {
                self.lanes.push(Lane { start, end: self.width, label: station.lane.clone(), is_link: false })
            }
        }
    }

    fn render(&self, look: &Look) -> String {
        let indent = " ".repeat(INDENT);
        let mut out = format!("{indent}{}\n", look.paint(Tone::Strong, &self.boxes));
        let mut lanes = String::new();
        let mut at = 0;
        for lane in self.lanes.iter().filter(|lane| !lane.label.is_empty()) {
            lanes.push_str(&" ".repeat(lane.start.saturating_sub(at)));
            lanes.push_str(&lane.render(look));
            at = lane.start.max(at)
                + if lane.is_link { columns(&lane.label) } else { lane.needed_end() - lane.start };
        }
        if !lanes.is_empty() {
            out.push_str(&format!("{indent}{}\n", look.paint(Tone::Dim, &lanes)));
        }
        out
    }
}

impl Lane {
    fn render(&self, look: &Look) -> String {
        if self.is_link {
            return self.label.clone();
        }
        let [left, line, right] = look.glyphs().lane;
        let width = self.needed_end() - self.start;
        match width.checked_sub(columns(&self.label) + 5) {
            None => format!("{left} {} {right}", self.label),
            Some(fill) => {
                let rest: String = std::iter::repeat_n(line, fill).collect();
                format!("{left}{line} {} {rest}{right}", self.label)
            }
        }
    }
}
