//! How a report looks: colours, glyphs, width, and how much it says.

use super::safe::{columns, elide, elide_left, escape, safe};
use anstyle::{AnsiColor, Style};

/// Number of columns that no line of ours exceeds.
pub(crate) const WIDTH: usize = 100;

/// How much a text report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Detail {
    /// One line for each claim that does not hold, and the last line.
    Quiet,
    /// Whole counterexamples; one line for each claim that holds.
    #[default]
    Normal,
    /// Everything: whole proofs, dull segments, the whole ledger, repeated causes.
    Full,
}

/// What the reader's terminal, or file, can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether to use ANSI colours. They never carry meaning of their own.
    pub colour: bool,
    /// Whether to use characters beyond ASCII.
    pub unicode: bool,
    /// How much to say.
    pub detail: Detail,
}

impl Look {
    /// For a file: no colour, Unicode, normal detail.
    pub const PLAIN: Look = Look { colour: false, unicode: true, detail: Detail::Normal };
}

/// What a piece of text is, which settles its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// A broken claim, the opening.
    Bad,
    /// A claim that holds.
    Good,
    /// Neither.
    Open,
    /// The name of a place, a heading.
    Strong,
    /// A file and line.
    Source,
    /// What is there for completeness.
    Dim,
    /// A suggestion or a label such as `= note:`.
    Help,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Tone::Bad => AnsiColor::Red.on_default().bold(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Open => AnsiColor::Yellow.on_default().bold(),
            Tone::Strong => Style::new().bold(),
            Tone::Source => AnsiColor::Cyan.on_default(),
            Tone::Dim => Style::new().dimmed(),
            Tone::Help => AnsiColor::Cyan.on_default().bold(),
        }
    }
}

/// The characters that reports draw with.
#[derive(Debug)]
pub(crate) struct Glyphs {
    pub(crate) good: &'static str,
    pub(crate) bad: &'static str,
    pub(crate) open: &'static str,
    pub(crate) opening: &'static str,
    pub(crate) to: &'static str,
    pub(crate) dot: &'static str,
    pub(crate) ellipsis: &'static str,
    /// The line of a plain arrow, its line where it carries a name, and its head.
    pub(crate) line: char,
    pub(crate) double: char,
    pub(crate) head: &'static str,
    /// The lane of a jurisdiction: its left end, its line, its right end.
    pub(crate) lane: [char; 3],
    /// Between two countries.
    pub(crate) join: &'static str,
    /// The mark of a segment in the hop table.
    pub(crate) segment: &'static str,
}

const UNICODE: Glyphs = Glyphs {
    good: "✓",
    bad: "✗",
    open: "?",
    opening: "◀ opening",
    to: "→",
    dot: " · ",
    ellipsis: "…",
    line: '─',
    double: '═',
    head: "▶",
    lane: ['└', '─', '┘'],
    join: "·",
    segment: "═",
};

const ASCII: Glyphs = Glyphs {
    good: "+",
    bad: "x",
    open: "?",
    opening: "<- opening",
    to: "->",
    dot: " - ",
    ellipsis: "...",
    line: '-',
    double: '=',
    head: ">",
    lane: ['\\', '_', '/'],
    join: "+",
    segment: "=",
};

/// What our own sentences use beyond ASCII, and what stands for it on a terminal that cannot show it.
const TRANSLITERATED: &[(char, &str)] = &[
    ('→', "->"),
    ('←', "<-"),
    ('↔', "<->"),
    ('…', "..."),
    ('·', "-"),
    ('×', "x"),
    ('–', "-"),
    ('—', "-"),
    ('‘', "'"),
    ('’', "'"),
    ('“', "\""),
    ('”', "\""),
    ('≤', "<="),
    ('≥', ">="),
];

impl Look {
    /// The characters to draw with.
    pub(crate) fn glyphs(&self) -> &'static Glyphs {
        if self.unicode { &UNICODE } else { &ASCII }
    }

    /// The text as it may be printed: nothing invisible, and ASCII if that is all the terminal has.
    pub(crate) fn clean(&self, text: &str) -> String {
        let text = safe(text);
        if self.unicode || text.is_ascii() {
            return text.into_owned();
        }
        let mut out = String::with_capacity(text.len());
        for character in text.chars() {
            match TRANSLITERATED.iter().find(|(from, _)| *from == character) {
                Some((_, to)) => out.push_str(to),
                None if character.is_ascii() => out.push(character),
                None => out.push_str(&escape(character)),
            }
        }
        out
    }

    /// A name as it may be printed, in at most `max` columns.
    pub(crate) fn name(&self, text: &str, max: usize) -> String {
        let clean = self.clean(text);
        elide(&clean, max, self.glyphs().ellipsis).into_owned()
    }

    /// A path as it may be printed, in at most `max` columns; its end stays.
    pub(crate) fn path(&self, text: &str, max: usize) -> String {
        let clean = self.clean(text);
        elide_left(&clean, max, self.glyphs().ellipsis).into_owned()
    }

    /// The text in the colour of its tone.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let style = tone.style();
        format!("{style}{text}{style:#}")
    }

    /// The text in the colour of its tone, filled with spaces to a number of columns.
    pub(crate) fn cell(&self, tone: Option<Tone>, text: &str, width: usize) -> String {
        let painted = tone.map_or_else(|| text.to_owned(), |tone| self.paint(tone, text));
        format!("{painted}{}", " ".repeat(width.saturating_sub(columns(text))))
    }
}

/// Lines of at most `width` columns. Words are broken only if they do not fit on a line of their own.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let options = textwrap::Options::new(width.max(8))
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
    textwrap::wrap(text, options).into_iter().map(|line| line.into_owned()).collect()
}

/// A paragraph: the first line behind `head`, the others indented by as many columns as `head` takes.
pub(crate) fn paragraph(head: &str, head_columns: usize, text: &str) -> String {
    let lines = wrap(text, WIDTH.saturating_sub(head_columns));
    let indent = " ".repeat(head_columns);
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        out.push_str(if index == 0 { head } else { &indent });
        out.push_str(line);
        out.push('\n');
    }
    if lines.is_empty() {
        out.push_str(head.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_means_ascii() {
        let look = Look { unicode: false, ..Look::PLAIN };
        assert_eq!(look.clean("a → b … zürich"), "a -> b ... z\\u{fc}rich");
        assert_eq!(look.name("防火墙-frankfurt-am-main", 12), "\\u{96...main");
    }

    #[test]
    fn cells_are_padded_without_the_colour() {
        let look = Look { colour: true, ..Look::PLAIN };
        let cell = look.cell(Some(Tone::Bad), "ab", 4);
        assert!(cell.ends_with("  ") && cell.contains("ab") && cell.starts_with('\u{1b}'));
        assert_eq!(Look::PLAIN.cell(Some(Tone::Bad), "ab", 4), "ab  ");
    }

    #[test]
    fn paragraphs_hang_and_do_not_break_names() {
        let text = "word ".repeat(30) + "a-name-with-hyphens-in-it";
        let out = paragraph("  = note: ", 10, text.trim());
        assert!(out.lines().all(|line| columns(line) <= WIDTH));
        assert!(out.contains("a-name-with-hyphens-in-it"));
        assert!(out.lines().nth(1).is_some_and(|line| line.starts_with("          word")));
    }
}
