//! The files of a description: the one that is named, and those that it includes, directly or through others.

use crate::diag::{Code, Diagnostic, Diagnostics, Severity};
use crate::input::decode::shorten;
use crate::input::yaml::{Limits, Tree, parse};
use crate::source::{LoadError, Loader, SourceId, SourceMap, Span};
use rayon::prelude::*;
use std::collections::HashMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A file of a description.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path relative to the root.
    pub(crate) path: PathBuf,
    /// Its content.
    pub(crate) tree: Tree,
}

/// A path that some file includes.
struct Wanted {
    path: PathBuf,
    /// Where it is named; the first file is named by the user.
    place: Option<Span>,
}

/// An `include` entry between files that could be read.
struct Edge {
    from: PathBuf,
    to: PathBuf,
    place: Span,
}

/// Reads a file and everything that it includes, each file once, level by level. The order is that of the
/// first mention. Files that could not be read are reported and missing from the result.
pub(crate) fn load(
    sources: &mut SourceMap,
    loader: &Loader,
    path: &Path,
    out: &mut Diagnostics,
) -> Vec<File> {
    let mut walk = Walk::default();
    walk.level.push(Wanted { path: normal(path), place: None });
    walk.seen.insert(normal(path));
    while !walk.level.is_empty() {
        let level = std::mem::take(&mut walk.level);
        let texts: Vec<_> = level.par_iter().map(|wanted| loader.read(&wanted.path)).collect();
        let mut read = Vec::new();
        for (wanted, text) in level.into_iter().zip(texts) {
            match text {
                Ok(text) => {
                    let id = sources.add(wanted.path.display().to_string(), text);
                    read.push((wanted.path, id, Arc::clone(&sources.get(id).text)));
                }
                Err(error) => out.push(refuse(&wanted, &error)),
            }
        }
        walk.parse(read, out);
    }
    report_cycles(&walk.files, &walk.edges, out);
    walk.files
}

/// A description that came as a text, not as a file: from a pipe, say. What it includes is searched from the root.
pub(crate) fn load_text(
    sources: &mut SourceMap,
    loader: &Loader,
    source: SourceId,
    out: &mut Diagnostics,
) -> Vec<File> {
    let name = sources.get(source).name.clone();
    let text = Arc::clone(&sources.get(source).text);
    let mut walk = Walk::default();
    walk.parse(vec![(PathBuf::from(name), source, text)], out);
    let wanted = std::mem::take(&mut walk.level);
    let mut files = walk.files;
    for wanted in wanted {
        let mut further = load(sources, loader, &wanted.path, out);
        further.retain(|file| files.iter().all(|known| known.path != file.path));
        files.append(&mut further);
    }
    files
}

/// A path without `.`, and without `..` where that can be told from the text.
fn normal(path: &Path) -> PathBuf {
    let mut parts: Vec<Component<'_>> = Vec::new();
    for part in path.components() {
        match (part, parts.last()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.iter().collect()
}

/// Where a path leads that a file of the description names.
pub(crate) fn relative_to(file: &Path, path: &str) -> PathBuf {
    normal(&file.parent().unwrap_or(Path::new("")).join(path))
}

/// Why a file could not be read, at the place that names it.
fn refuse(wanted: &Wanted, error: &LoadError) -> Diagnostic {
    let path = shorten(&wanted.path.display().to_string());
    let message = format!("`{path}` cannot be read: {error}");
    let missing = matches!(error, LoadError::Io(error) if error.kind() == io::ErrorKind::NotFound);
    match wanted.place {
        Some(place) => Diagnostic::error(Code::File, place, message).help(help(error)),
        None if missing => Diagnostic::homeless(Code::NoInput, message).help(help(error)),
        None => Diagnostic::homeless(Code::File, message).help(help(error)),
    }
}

/// What to do about a file that cannot be read.
pub(crate) fn help(error: &LoadError) -> &'static str {
    match error {
        LoadError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            "paths are relative to the file that names them"
        }
        LoadError::Io(_) => "check its permissions",
        LoadError::LeavesRoot => "copy it below the directory of the topology, and name it from there",
        LoadError::NotAFile => "name a file",
        LoadError::TooLarge(_) => "split it, and name the parts under `include`",
        LoadError::NotUtf8(_) => "save it as UTF-8",
    }
}

#[derive(Default)]
struct Walk {
    files: Vec<File>,
    /// What the files read so far include, and nobody has read yet.
    level: Vec<Wanted>,
    seen: std::collections::HashSet<PathBuf>,
    edges: Vec<Edge>,
}

impl Walk {
    /// Parses the texts of one level in parallel, and collects what they include.
    fn parse(&mut self, read: Vec<(PathBuf, SourceId, Arc<str>)>, out: &mut Diagnostics) {
        let parsed: Vec<_> = read
            .into_par_iter()
            .map(|(path, id, text)| {
                let mut own = Diagnostics::default();
                let tree = parse(id, &text, Limits::default(), &mut own);
                (path, tree, own)
            })
            .collect();
        for (path, tree, own) in parsed {
            out.append(own);
            let Some(tree) = tree else { continue };
            self.includes(&path, &tree, out);
            self.files.push(File { path, tree });
        }
    }

    /// Collects the entries of `include`. Those that are no paths are reported when the file is decoded.
    fn includes(&mut self, from: &Path, tree: &Tree, out: &mut Diagnostics) {
        let entry =
            tree.root().mapping().and_then(|mut entries| entries.find(|entry| entry.key == "include"));
        let Some(items) = entry.and_then(|entry| entry.value.sequence()) else { return };
        let mut own: HashMap<PathBuf, Span> = HashMap::new();
        for item in items {
            let Some(scalar) = item.scalar().filter(|scalar| !scalar.text.is_empty()) else { continue };
            let (to, place) = (relative_to(from, scalar.text), item.span());
            if let Some(earlier) = own.insert(to.clone(), place) {
                let message = format!("`{}` is included twice", shorten(scalar.text));
                out.push(
                    Diagnostic::error(Code::DuplicateKey, place, message)
                        .also(earlier, "included first here")
                        .help("keep one of them"),
                );
            }
            if self.seen.insert(to.clone()) {
                self.level.push(Wanted { path: to.clone(), place: Some(place) });
            }
            self.edges.push(Edge { from: from.to_owned(), to, place });
        }
    }
}

/// Reports each way in which a file includes itself, with the chain of places.
fn report_cycles(files: &[File], edges: &[Edge], out: &mut Diagnostics) {
    let mut leaving: HashMap<&Path, Vec<&Edge>> = HashMap::new();
    edges.iter().for_each(|edge| leaving.entry(&edge.from).or_default().push(edge));
    let mut done: std::collections::HashSet<&Path> = std::collections::HashSet::new();
    for file in files {
        // The edges from `file` to where the search stands, and how many of the last one's were followed.
        let mut chain: Vec<(&Edge, usize)> = Vec::new();
        let mut next = 0;
        loop {
            let at = chain.last().map_or(&*file.path, |(edge, _)| &*edge.to);
            let edge = leaving.get(at).and_then(|edges| edges.get(next)).copied();
            let Some(edge) = edge.filter(|_| !done.contains(at)) else {
                done.insert(at);
                let Some((_, followed)) = chain.pop() else { break };
                next = followed;
                continue;
            };
            let start = match edge.to == file.path {
                true => Some(0),
                false => chain.iter().position(|(earlier, _)| earlier.to == edge.to).map(|n| n + 1),
            };
            match start {
                Some(start) => {
                    out.push(cycle(chain[start..].iter().map(|(edge, _)| *edge).chain([edge])));
                    next += 1;
                }
                None => {
                    chain.push((edge, next + 1));
                    next = 0;
                }
            }
        }
    }
}

/// The error about a closed chain of includes.
fn cycle<'e>(chain: impl Iterator<Item = &'e Edge>) -> Diagnostic {
    let chain: Vec<&Edge> = chain.collect();
    let names: Vec<String> = chain.iter().map(|edge| format!("`{}`", edge.from.display())).collect();
    let last = chain.len() - 1;
    let mut diagnostic = Diagnostic {
        code: Code::IncludeCycle,
        severity: Severity::Error,
        message: format!("{} includes itself", names[0]),
        span: Some(chain[last].place),
        label: None,
        related: Vec::new(),
        help: Some("remove one of these `include` entries".to_owned()),
    };
    if last > 0 {
        diagnostic.message = format!("{} includes itself: {} → {}", names[0], names.join(" → "), names[0]);
    }
    for edge in &chain[..last] {
        diagnostic = diagnostic.also(edge.place, format!("includes `{}` here", edge.to.display()));
    }
    diagnostic
}
