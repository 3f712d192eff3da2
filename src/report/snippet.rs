//! Messages with the source text they speak of, drawn by miette.
//!
//! miette shows lines as they are, whole, of one file. Ours come from untrusted files and may be a gigabyte
//! long, and a message may point into several files. So miette gets a small text of its own: the lines that
//! matter, made safe and short, in blocks that know their file and line.

use super::safe::{columns, pieces};
use super::style::{Look, WIDTH, wrap};
use crate::diag;
use crate::source::{Position, SourceId, SourceMap, Span};
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, Severity,
    SourceCode, SourceSpan, SpanContents, ThemeCharacters, ThemeStyles,
};
use std::fmt;

/// Number of lines that one label may span; it is cut behind them.
const LABEL_LINES_MAX: u32 = 6;

/// Number of bytes of a line that are looked at around its first label.
const LINE_BYTES_MAX: usize = 4_000;

/// Number of columns that stay free for the text beside a label's line.
const LABEL_COLUMNS_MIN: usize = 30;

/// A message about some places.
pub(crate) struct Message {
    /// The line above it: `violated: no-way-out`, `error[unknown-key]`.
    pub(crate) heading: String,
    /// How it is marked.
    pub(crate) severity: Severity,
    /// The sentence.
    pub(crate) text: String,
    /// What it points at; the first is the place of the message.
    pub(crate) labels: Vec<(Span, Option<String>)>,
    /// The way out.
    pub(crate) help: Option<String>,
    /// Number of lines shown around each label.
    pub(crate) context: u32,
}

impl Message {
    /// The message of a diagnostic.
    pub(crate) fn of(diagnostic: &diag::Diagnostic) -> Message {
        let (word, severity) = match diagnostic.severity {
            diag::Severity::Error => ("error", Severity::Error),
            diag::Severity::Warning => ("warning", Severity::Warning),
        };
        let own = diagnostic.span.map(|span| (span, diagnostic.label.clone()));
        let related = diagnostic.related.iter().map(|label| (label.span, Some(label.text.clone())));
        Message {
            heading: format!("{word}[{}]", diagnostic.code.id()),
            severity,
            text: diagnostic.message.clone(),
            labels: own.into_iter().chain(related).collect(),
            help: diagnostic.help.clone(),
            context: 1,
        }
    }

    /// The message as text, its last line ended.
    pub(crate) fn render(&self, sources: &SourceMap, look: &Look) -> String {
        let drawn = Drawn {
            heading: look.clean(&self.heading),
            severity: self.severity,
            text: look.clean(&self.text),
            help: self.help.as_ref().map(|help| look.clean(help)),
            excerpt: Excerpt::new(self, sources, look),
        };
        let mut out = String::new();
        // Writing to a string cannot fail, and the excerpt answers for every span that it gives out.
        if handler(look).render_report(&mut out, &drawn).is_err() {
            out.push_str(&format!("{}: {}\n", drawn.heading, drawn.text));
        }
        let lines: Vec<&str> = out.lines().map(str::trim_end).collect();
        lines.join("\n") + "\n"
    }
}

fn handler(look: &Look) -> GraphicalReportHandler {
    let theme = GraphicalTheme {
        characters: if look.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() },
        styles: if look.colour { ThemeStyles::ansi() } else { ThemeStyles::none() },
    };
    GraphicalReportHandler::new_themed(theme)
        .with_width(WIDTH)
        .with_links(false)
        .without_syntax_highlighting()
        .with_word_separator(textwrap::WordSeparator::AsciiSpace)
        .with_word_splitter(textwrap::WordSplitter::NoHyphenation)
}

/// A message as miette wants it.
#[derive(Debug)]
struct Drawn {
    heading: String,
    severity: Severity,
    text: String,
    help: Option<String>,
    excerpt: Excerpt,
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Drawn {}

impl miette::Diagnostic for Drawn {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.heading))
    }

    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.excerpt)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.excerpt.labels.iter().map(|label| label.drawn.clone())))
    }
}

/// Some lines of some files, one after the other.
#[derive(Debug, Default)]
struct Excerpt {
    text: String,
    blocks: Vec<Block>,
    labels: Vec<Label>,
}

/// Neighbouring lines of one file.
#[derive(Debug)]
struct Block {
    name: String,
    first_line: u32,
    lines: u32,
    start: usize,
    end: usize,
}

/// A label in the excerpt, with its place in the file.
#[derive(Debug)]
struct Label {
    drawn: LabeledSpan,
    position: Position,
}

/// A label before it is moved into the excerpt.
struct Target<'a> {
    span: Span,
    first: u32,
    last: u32,
    text: Option<&'a str>,
    start_at: usize,
    end_at: usize,
}

impl Excerpt {
    fn new(message: &Message, sources: &SourceMap, look: &Look) -> Excerpt {
        let mut targets: Vec<Target<'_>> =
            message.labels.iter().map(|(span, text)| target(*span, text.as_deref(), sources)).collect();
        let mut excerpt = Excerpt::default();
        for (source, first, last) in blocks(&targets, message.context, sources) {
            let start = excerpt.text.len();
            for line in first..=last {
                excerpt.push_line(&mut targets, (source, line), sources, look);
            }
            let name = look.path(&sources.get(source).name, WIDTH - 24);
            let end = excerpt.text.len();
            excerpt.blocks.push(Block { name, first_line: first, lines: last - first + 1, start, end });
        }
        for (index, target) in targets.iter().enumerate() {
            let length = target.end_at.saturating_sub(target.start_at);
            let text = target.text.map(|text| excerpt.label_text(target, length, text, look));
            let span = SourceSpan::new(target.start_at.into(), length);
            let drawn = match index {
                0 => LabeledSpan::new_primary_with_span(text, span),
                _ => LabeledSpan::new_with_span(text, span),
            };
            excerpt.labels.push(Label { drawn, position: sources.position(target.span) });
        }
        excerpt
    }

    /// Appends a line, and moves what points into it.
    fn push_line(
        &mut self,
        targets: &mut [Target<'_>],
        (source, number): (SourceId, u32),
        sources: &SourceMap,
        look: &Look,
    ) {
        let origin = sources.get(source);
        let line = origin.line(number);
        let line_start = origin.line_start(number);
        let here = |target: &Target<'_>| target.span.source == source;
        let offset = |at: u32| (at as usize).saturating_sub(line_start).min(line.len());
        let starts = || targets.iter().filter(|t| here(t) && t.first == number);
        let anchor = starts().map(|t| offset(t.span.start)).min();
        // A text hangs below the mark; without one the mark itself is all that must be seen.
        let mark =
            |t: &Target<'_>| if t.text.is_some() { usize::MAX } else { (t.span.end - t.span.start) as usize };
        let wanted = starts().map(mark).max().unwrap_or(0).min(LABEL_COLUMNS_MIN);
        let short = ShortLine::new(line, anchor, wanted, look);
        let base = self.text.len();
        for target in targets.iter_mut().filter(|target| target.span.source == source) {
            if target.first == number {
                target.start_at = base + short.moved(offset(target.span.start));
            }
            if target.last == number {
                target.end_at = base + short.moved(offset(target.span.end));
            }
        }
        self.text.push_str(&short.text);
        self.text.push('\n');
    }

    /// The text of a label, wrapped into what is left of the width beside its line.
    fn label_text(&self, target: &Target<'_>, length: usize, text: &str, look: &Look) -> String {
        let start = target.start_at;
        let line_start = self.text.get(..start).and_then(|t| t.rfind('\n')).map_or(0, |at| at + 1);
        let before = columns(self.text.get(line_start..start).unwrap_or(""));
        let marked = self.text.get(start..start + length).unwrap_or("");
        // miette hangs the text below the middle of a mark, or at the left behind several lines.
        let middle = if marked.contains('\n') { 4 } else { before + columns(marked) / 2 };
        let last_line = self.block_of(start, start).map_or(0, |block| block.first_line + block.lines);
        let gutter = last_line.to_string().len() + 4;
        wrap(&look.clean(text), WIDTH.saturating_sub(gutter + middle + 5).max(LABEL_COLUMNS_MIN / 2))
            .join("\n")
    }

    fn block_of(&self, start: usize, end: usize) -> Option<&Block> {
        self.blocks.iter().find(|block| block.start <= start && end <= block.end)
    }
}

impl SourceCode for Excerpt {
    /// The whole block around a span. Without context lines miette asks for the place of a label only.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        _lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let end = span.offset().saturating_add(span.len());
        let block = self.block_of(span.offset(), end).ok_or(MietteError::OutOfBounds)?;
        let data = self.text.get(block.start..block.end).ok_or(MietteError::OutOfBounds)?;
        let label = self.labels.iter().find(|label| label.drawn.offset() == span.offset());
        let (line, column) = match label {
            Some(label) if lines_before == 0 => (label.position.line, label.position.column - 1),
            _ => (block.first_line, 0),
        };
        Ok(Box::new(MietteSpanContents::new_named(
            block.name.clone(),
            data.as_bytes(),
            SourceSpan::new(block.start.into(), block.end - block.start),
            line as usize - 1,
            column as usize,
            block.lines as usize,
        )))
    }
}

/// A label with the lines that it covers, cut to a few, and without the white space at its end.
fn target<'a>(span: Span, text: Option<&'a str>, sources: &SourceMap) -> Target<'a> {
    let source = sources.get(span.source);
    let written = sources.text(span).trim_end().len() as u32;
    let first = source.position(span.start).line;
    let mut end = span.start + written;
    let mut last = source.position(end).line;
    if last - first >= LABEL_LINES_MAX {
        last = first + LABEL_LINES_MAX - 1;
        end = (source.line_start(last) + source.line(last).len()) as u32;
    }
    Target { span: Span { end, ..span }, first, last, text, start_at: 0, end_at: 0 }
}

/// Which lines to show: source, first, last. The source of the first label comes first.
fn blocks(targets: &[Target<'_>], context: u32, sources: &SourceMap) -> Vec<(SourceId, u32, u32)> {
    let main = targets.first().map(|target| target.span.source);
    let mut wanted: Vec<(SourceId, u32, u32)> = targets
        .iter()
        .map(|target| {
            let lines = sources.get(target.span.source).line_count();
            let first = target.first.saturating_sub(context).max(1);
            (target.span.source, first, (target.last + context).min(lines).max(target.last))
        })
        .collect();
    wanted.sort_by_key(|(source, first, last)| (Some(*source) != main, *source, *first, *last));
    let mut merged: Vec<(SourceId, u32, u32)> = Vec::new();
    for (source, first, last) in wanted {
        match merged.last_mut() {
            Some(before) if before.0 == source && first <= before.2 + 1 => before.2 = before.2.max(last),
            _ => merged.push((source, first, last)),
        }
    }
    merged
}

/// A line made safe and short, and where its bytes went.
struct ShortLine {
    text: String,
    /// Offset in the line and in `text` of each character shown, and of the end.
    moves: Vec<(usize, usize)>,
}

impl ShortLine {
    /// Shows the line around the byte offset `anchor`, behind which `wanted` columns must be seen.
    fn new(line: &str, anchor: Option<usize>, wanted: usize, look: &Look) -> ShortLine {
        let anchor = anchor.unwrap_or(0);
        let from = line.floor_char_boundary(if line.len() > LINE_BYTES_MAX {
            anchor.saturating_sub(LINE_BYTES_MAX / 4)
        } else {
            0
        });
        let to = line.ceil_char_boundary((from + LINE_BYTES_MAX).min(line.len()));
        let part = line.get(from..to).unwrap_or("");
        let shown: Vec<(usize, String)> = pieces(part)
            .map(|(at, piece)| (from + at, if piece == "\\t" { "    ".into() } else { look.clean(&piece) }))
            .collect();
        let room = WIDTH - 14;
        let whole: usize = shown.iter().map(|(_, piece)| columns(piece)).sum();
        let before: usize =
            shown.iter().take_while(|(at, _)| *at < anchor).map(|(_, piece)| columns(piece)).sum();
        let skip = if before + wanted > room { before.saturating_sub(room / 4) } else { 0 };
        let cut_left = skip > 0 || from > 0;
        let cut_right = whole - skip > room || to < line.len();
        ShortLine::collect(shown, skip, room, (cut_left, cut_right), look)
    }

    fn collect(
        shown: Vec<(usize, String)>,
        skip: usize,
        room: usize,
        (cut_left, cut_right): (bool, bool),
        look: &Look,
    ) -> ShortLine {
        let mark = look.glyphs().ellipsis;
        let mut line = ShortLine { text: String::new(), moves: Vec::new() };
        if cut_left {
            line.text.push_str(mark);
        }
        let mut column = 0;
        let mut end = 0;
        for (at, piece) in shown {
            let width = columns(&piece);
            if column >= skip && column - skip + width <= room {
                line.moves.push((at, line.text.len()));
                line.text.push_str(&piece);
                end = at + 1;
            }
            column += width;
        }
        line.moves.push((end, line.text.len()));
        if cut_right {
            line.text.push_str(mark);
        }
        line
    }

    /// Where a byte offset of the line is in the short text; what is cut off is at the cut.
    fn moved(&self, offset: usize) -> usize {
        let next = self.moves.partition_point(|(at, _)| *at < offset);
        self.moves.get(next).or(self.moves.last()).map_or(0, |(_, moved)| *moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Code, Diagnostic};

    const PLAIN: Look = Look::PLAIN;

    fn span_of(sources: &SourceMap, source: SourceId, word: &str) -> Span {
        let start = sources.get(source).text.find(word).unwrap();
        Span::new(source, start, start + word.len())
    }

    #[test]
    fn one_message_may_point_into_two_files() {
        let mut sources = SourceMap::default();
        let a = sources.add("net/topology.yaml", "isoaudit: 1\nnodes:\n  fw: { zone: dzm }\nlinks: []\n");
        let b = sources.add("net/zones.yaml", "zones:\n  dmz: {}\n");
        let diagnostic =
            Diagnostic::error(Code::UnknownName, span_of(&sources, a, "dzm"), "there is no zone `dzm`")
                .label("used here")
                .also(span_of(&sources, b, "dmz"), "the closest one")
                .help("did you mean `dmz`?");
        insta::assert_snapshot!(Message::of(&diagnostic).render(&sources, &PLAIN));
    }

    #[test]
    fn long_lines_and_hostile_text_are_tamed() {
        let mut sources = SourceMap::default();
        let text = format!("{}name: \"a\u{202e}b\u{1b}[2J\"\tx{}", "é".repeat(50_000), "y".repeat(50_000));
        let id = sources.add("evil\u{1b}[31m.yaml", text);
        let diagnostic = Diagnostic::error(
            Code::BadValue,
            span_of(&sources, id, "a\u{202e}b"),
            "a name holds \u{7} a control character",
        )
        .label("this name, and a label of more words than would fit on what is left of the line");
        let out = Message::of(&diagnostic).render(&sources, &PLAIN);
        assert!(out.lines().all(|line| columns(line) <= WIDTH), "{out}");
        insta::assert_snapshot!(out);
    }

    #[test]
    fn every_span_of_a_small_text_can_be_drawn() {
        let mut sources = SourceMap::default();
        let id = sources.add("s", "a\tb\r\n\n  é: 防\u{301}\n\nlast");
        let length = sources.get(id).text.len();
        for start in 0..=length {
            for end in start..=length {
                let diagnostic =
                    Diagnostic::error(Code::Syntax, Span::new(id, start, end), "m").label("here");
                for look in [PLAIN, Look { unicode: false, ..PLAIN }] {
                    let out = Message::of(&diagnostic).render(&sources, &look);
                    assert!(out.contains("here") && out.contains("s:"), "{start}..{end}: {out}");
                }
            }
        }
    }

    #[test]
    fn tall_labels_are_cut() {
        let mut sources = SourceMap::default();
        let id = sources.add("tall", "line\n".repeat(100));
        let diagnostic = Diagnostic::error(Code::Syntax, Span::new(id, 5, 400), "m").label("all of this");
        assert!(Message::of(&diagnostic).render(&sources, &PLAIN).lines().count() < 16);
    }
}
