//! Where every byte came from: the input files, spans into them, and the loader that stays inside one root.
//!
//! Inputs come from pull requests. So a path may not leave the root (by `..`, by an absolute path, or by a
//! symbolic link), a file may not be larger than the cap, and bytes that are not UTF-8 are refused with
//! their place.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Number of bytes that one input may have, unless the user says otherwise.
pub const DEFAULT_MAX_BYTES: u64 = 256 << 20;

/// The number of a source in its [`SourceMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// A range of bytes of one source, end excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The source.
    pub source: SourceId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// The span of `start..end`.
    pub fn new(source: SourceId, start: usize, end: usize) -> Span {
        // Sources are capped far below 4 GiB by the loader; a larger in-memory text saturates harmlessly.
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span { source, start: clamp(start), end: clamp(end) }
    }

    /// The smallest span that covers both; `other` must be of the same source.
    pub fn to(self, other: Span) -> Span {
        Span { source: self.source, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A value with the place that it was written at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value at a place.
    pub fn new(value: T, span: Span) -> Spanned<T> {
        Spanned { value, span }
    }

    /// The same place with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: f(self.value), span: self.span }
    }
}

/// A place as people count: both 1-based, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// One input text.
#[derive(Debug)]
pub struct Source {
    /// The name that reports print: the path as the user gave it, relative to the root.
    pub name: String,
    /// The whole text.
    pub text: Arc<str>,
    line_starts: Vec<u32>,
}

impl Source {
    fn new(name: String, text: Arc<str>) -> Source {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(newlines.map(|(at, _)| at as u32 + 1)).collect();
        Source { name, text, line_starts }
    }

    /// Line and column of a byte offset; offsets past the end count as the end.
    pub fn position(&self, offset: u32) -> Position {
        let offset = offset.min(self.text.len() as u32);
        let line = self.line_starts.partition_point(|start| *start <= offset).max(1);
        let start = self.line_starts[line - 1] as usize;
        let before = self.text.get(start..offset as usize).unwrap_or("");
        Position { line: line as u32, column: before.chars().count() as u32 + 1 }
    }

    /// The text of a line (from 1) without its end.
    pub fn line(&self, line: u32) -> &str {
        let index = (line.max(1) - 1) as usize;
        let Some(start) = self.line_starts.get(index) else { return "" };
        let end = self.line_starts.get(index + 1).map_or(self.text.len(), |next| *next as usize);
        self.text.get(*start as usize..end).unwrap_or("").trim_end_matches(['\n', '\r'])
    }

    /// Offset of the first byte of a line (from 1); the length of the text if there is no such line.
    pub fn line_start(&self, line: u32) -> usize {
        let index = (line.max(1) - 1) as usize;
        self.line_starts.get(index).map_or(self.text.len(), |start| *start as usize)
    }

    /// Number of lines, at least 1; what follows the last line end counts as one.
    pub fn line_count(&self) -> u32 {
        self.line_starts.len() as u32
    }

    /// The text of a byte range, empty if it is none.
    pub fn slice(&self, start: u32, end: u32) -> &str {
        self.text.get(start as usize..end as usize).unwrap_or("")
    }
}

/// All inputs of one run, in the order they were read.
#[derive(Debug, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
}

impl SourceMap {
    /// Adds a text under a name.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> SourceId {
        self.sources.push(Source::new(name.into(), text.into()));
        SourceId(self.sources.len() as u32 - 1)
    }

    /// The source of this number, which this map must have given out.
    pub fn get(&self, id: SourceId) -> &Source {
        &self.sources[id.0 as usize]
    }

    /// Names the sources from number `first` on as files below a directory, as the user would name them. Readers
    /// name files relative to their root, which two roots may do alike.
    pub fn name_below(&mut self, first: usize, directory: &Path) {
        for source in self.sources.iter_mut().skip(first) {
            source.name = directory.join(&source.name).display().to_string();
        }
    }

    /// Number of sources.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Every source in the order of its number.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.sources.iter().enumerate().map(|(index, source)| (SourceId(index as u32), source))
    }

    /// Where a span begins.
    pub fn position(&self, span: Span) -> Position {
        self.get(span.source).position(span.start)
    }

    /// Where a span ends (the position behind its last byte).
    pub fn end_position(&self, span: Span) -> Position {
        self.get(span.source).position(span.end)
    }

    /// The text of a span.
    pub fn text(&self, span: Span) -> &str {
        self.get(span.source).slice(span.start, span.end)
    }

    /// `file:line:column` of a span, as reports print it.
    pub fn place(&self, span: Span) -> String {
        let Position { line, column } = self.position(span);
        format!("{}:{line}:{column}", self.get(span.source).name)
    }
}

/// Why a file could not become a source.
#[derive(Debug)]
pub enum LoadError {
    /// The operating system refused.
    Io(io::Error),
    /// The path is absolute, or `..` or a symbolic link leads out of the root.
    LeavesRoot,
    /// It is a directory, a device or a pipe where a file is wanted.
    NotAFile,
    /// It has more bytes than the cap, which is given.
    TooLarge(u64),
    /// The byte at this offset does not begin or continue a UTF-8 character.
    NotUtf8(usize),
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LoadError::Io(error) if error.kind() == io::ErrorKind::NotFound => f.write_str("no such file"),
            LoadError::Io(error) => write!(f, "{error}"),
            LoadError::LeavesRoot => f.write_str("the path leaves the directory of the topology"),
            LoadError::NotAFile => f.write_str("not a regular file"),
            LoadError::TooLarge(cap) => write!(f, "larger than the limit of {cap} bytes (--max-bytes)"),
            LoadError::NotUtf8(offset) => write!(f, "not UTF-8 at byte {offset}"),
        }
    }
}

/// Reads files below one directory, and nowhere else.
#[derive(Debug, Clone)]
pub struct Loader {
    root: PathBuf,
    max_bytes: u64,
}

impl Loader {
    /// A loader bound to a directory.
    pub fn new(root: impl Into<PathBuf>, max_bytes: u64) -> Loader {
        Loader { root: root.into(), max_bytes }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Reads the text of a path relative to the root.
    pub fn read(&self, relative: &Path) -> Result<String, LoadError> {
        let stays =
            relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !stays && escapes(relative) {
            return Err(LoadError::LeavesRoot);
        }
        let root = self.root.canonicalize().map_err(LoadError::Io)?;
        let path = root.join(relative).canonicalize().map_err(LoadError::Io)?;
        if !path.starts_with(&root) {
            return Err(LoadError::LeavesRoot);
        }
        // Asked before opening: opening a pipe would wait for a writer.
        if !path.metadata().map_err(LoadError::Io)?.is_file() {
            return Err(LoadError::NotAFile);
        }
        read_text(File::open(path).map_err(LoadError::Io)?, self.max_bytes)
    }
}

/// Whether a relative path climbs above where it starts.
fn escapes(relative: &Path) -> bool {
    let mut depth = 0_i64;
    for part in relative.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => depth -= 1,
            Component::RootDir | Component::Prefix(_) => return true,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

/// Reads a stream to its end as UTF-8, refusing more than `max_bytes`.
pub fn read_text(stream: impl Read, max_bytes: u64) -> Result<String, LoadError> {
    let mut bytes = Vec::new();
    stream.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(LoadError::Io)?;
    if bytes.len() as u64 > max_bytes {
        return Err(LoadError::TooLarge(max_bytes));
    }
    String::from_utf8(bytes).map_err(|error| LoadError::NotUtf8(error.utf8_error().valid_up_to()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let mut map = SourceMap::default();
        let id = map.add("a", "x\nwéb y\n");
        let y = map.get(id).text.find('y').unwrap();
        let span = Span::new(id, y, y + 1);
        assert_eq!(map.position(span), Position { line: 2, column: 5 });
        assert_eq!(map.place(span), "a:2:5");
        assert_eq!(map.get(id).line(2), "wéb y");
        assert_eq!(map.get(id).line(9), "");
        assert_eq!(map.get(id).position(u32::MAX), Position { line: 3, column: 1 });
    }

    #[test]
    fn a_path_may_wander_inside_the_root_only() {
        for (path, out) in [("a/../b", false), ("../b", true), ("a/../../b", true), ("/etc/passwd", true)] {
            assert_eq!(escapes(Path::new(path)), out, "{path}");
        }
    }

    #[test]
    fn streams_are_capped_and_must_be_utf8() {
        assert!(matches!(read_text(&b"abcd"[..], 3), Err(LoadError::TooLarge(3))));
        assert!(matches!(read_text(&b"ab\xff"[..], 9), Err(LoadError::NotUtf8(2))));
        assert_eq!(read_text(&b"abc"[..], 3).unwrap(), "abc");
    }

    #[test]
    fn links_and_directories_are_refused() {
        let root = std::env::temp_dir().join(format!("isoaudit-source-{}", std::process::id()));
        std::fs::create_dir_all(root.join("dir")).unwrap();
        let link = root.join("out");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
        let loader = Loader::new(&root, 10);
        assert!(matches!(loader.read(Path::new("dir")), Err(LoadError::NotAFile)));
        assert!(matches!(
            loader.read(Path::new("out")),
            Err(LoadError::LeavesRoot | LoadError::Io(_)) // no /etc/hostname on this machine
        ));
        assert!(matches!(loader.read(Path::new("none")), Err(LoadError::Io(_))));
        std::fs::remove_dir_all(&root).unwrap();
    }
}
