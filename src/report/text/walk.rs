//! The walks of given packets, and what a selector selects.

use super::evidence::legs;
use super::{Page, path};
use crate::report::listing::{Listed, Listing};
use crate::report::safe::columns;
use crate::report::style::{Look, Tone, paragraph};
use crate::report::trace::{Trace, Walk};
use crate::source::SourceMap;

/// Writes the walks of given packets.
pub fn trace(trace: &Trace, sources: &SourceMap, look: &Look) -> String {
    let page = Page::plain(sources, look);
    let mut blocks: Vec<String> = Vec::new();
    for (index, traced) in trace.packets.iter().enumerate() {
        if trace.packets.len() > 1 {
            blocks.push(format!("{}\n", look.paint(Tone::Strong, &format!("packet {}", index + 1))));
        }
        for (at, walk) in traced.walks.iter().enumerate() {
            if traced.walks.len() > 1 {
                let title = format!("   walk {} of {}", at + 1, traced.walks.len());
                blocks.push(format!("{}\n", look.paint(Tone::Dim, &title)));
            }
            blocks.push(path::render(&walk.leg, look));
            blocks.extend(legs(std::slice::from_ref(&walk.leg), &page));
            blocks.push(end(walk, look));
        }
        if traced.walks.is_empty() {
            blocks.push("   no walk passes there\n".to_owned());
        }
        if traced.more_walks {
            blocks.push("   there are more walks than were followed\n".to_owned());
        }
    }
    blocks.join("\n")
}

fn end(walk: &Walk, look: &Look) -> String {
    let glyphs = look.glyphs();
    let (tone, glyph) = match (walk.delivered, walk.certain) {
        (true, true) => (Tone::Good, glyphs.good),
        (false, true) => (Tone::Bad, glyphs.bad),
        (_, false) => (Tone::Open, glyphs.open),
    };
    let certainty = if walk.certain { "certainly" } else { "possibly" };
    let head = format!("   {} ", look.paint(tone, glyph));
    let mut out = paragraph(&head, 4 + columns(glyph), &format!("{certainty} {}", look.clean(&walk.end)));
    for reason in &walk.depends {
        out.push_str(&super::claim::note("depends on", &look.clean(reason), look));
    }
    out
}

/// Writes what a selector selects, the certain places first.
pub fn listing(listing: &Listing, sources: &SourceMap, look: &Look) -> String {
    let page = Page::plain(sources, look);
    let mut out = String::new();
    for (certain, title) in [(true, "certainly"), (false, "only possibly")] {
        let places: Vec<&Listed> = listing.places.iter().filter(|place| place.certain == certain).collect();
        let counted = format!("{title} selected: {}", places.len());
        out.push_str(&format!("{}\n", look.paint(Tone::Strong, &counted)));
        let width = places.iter().map(|place| columns(&label(place, look))).max().unwrap_or(0);
        for listed in places {
            let head = format!("  {}  ", look.cell(Some(Tone::Strong), &label(listed, look), width));
            let at = listed.span.map_or(String::new(), |span| format!(" ({})", page.place(span, 40)));
            out.push_str(&paragraph(&head, width + 4, &format!("{}{at}", look.clean(&listed.about))));
        }
    }
    out
}

fn label(listed: &Listed, look: &Look) -> String {
    let name = look.name(&listed.name, 40);
    if listed.is_segment { format!("{} {name}", look.glyphs().segment) } else { name }
}
