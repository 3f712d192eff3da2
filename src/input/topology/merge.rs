//! Several files as one description.

use super::include::File;
use super::syntax::{Cabling, Claim, Document, Link, Node, Profile, Site, Tunnel, Vlan, Vrf, Zone};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::input::decode::{List, Map, Named, Shape};
use crate::model::Assumption;
use crate::source::{SourceId, Span, Spanned};
use rayon::prelude::*;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What all files of a description say together. Names are given once.
#[derive(Debug, Default)]
pub(crate) struct Merged<'t> {
    pub(crate) name: Option<Spanned<&'t str>>,
    pub(crate) cabling: Option<Spanned<Cabling>>,
    pub(crate) sites: Vec<Named<'t, Site<'t>>>,
    pub(crate) zones: Vec<Named<'t, Zone<'t>>>,
    pub(crate) vlans: Vec<Named<'t, Vlan<'t>>>,
    pub(crate) vrfs: Vec<Named<'t, Vrf<'t>>>,
    pub(crate) groups: Vec<Named<'t, Profile<'t>>>,
    pub(crate) defaults: Option<Profile<'t>>,
    pub(crate) assume: Vec<(Assumption, Span, Spanned<&'t str>)>,
    pub(crate) nodes: Vec<Named<'t, Node<'t>>>,
    pub(crate) links: Vec<Link<'t>>,
    pub(crate) tunnels: Vec<Named<'t, Tunnel<'t>>>,
    pub(crate) claims: Vec<Claim<'t>>,
    /// Whether some top-level key could not be used, so that names may seem to be missing that are not.
    pub(crate) broken: bool,
    paths: HashMap<SourceId, PathBuf>,
}

impl<'t> Merged<'t> {
    /// Decodes the files, in parallel, and merges them in their order.
    pub(crate) fn read(files: &'t [File], out: &mut Diagnostics) -> Merged<'t> {
        let decoded: Vec<_> = files
            .par_iter()
            .map(|file| {
                let mut own = Diagnostics::default();
                let document = Document::decode(file.tree.root(), &mut own);
                (document, own)
            })
            .collect();
        let mut merged = Merged::default();
        for (file, (document, own)) in files.iter().zip(decoded) {
            out.append(own);
            merged.paths.insert(file.tree.root().span().source, file.path.clone());
            match document {
                Some(document) => merged.add(document, out),
                None => merged.broken = true,
            }
        }
        merged.check_claim_ids(out);
        merged
    }

    /// The path of the file that a place is in, relative to the root.
    pub(crate) fn path(&self, span: Span) -> &Path {
        self.paths.get(&span.source).map_or(Path::new(""), |path| path)
    }

    fn add(&mut self, document: Document<'t>, out: &mut Diagnostics) {
        self.broken |= document.broken;
        once("name", &mut self.name, document.name.map(|name| (name.0, name.0.span)), |name| name.span, out);
        once(
            "cabling",
            &mut self.cabling,
            document.cabling.map(|word| (word, word.span)),
            |word| word.span,
            out,
        );
        let defaults = document.defaults.map(|profile| (profile.node.span(), profile));
        let defaults = defaults.map(|(span, profile)| (profile, span));
        once("defaults", &mut self.defaults, defaults, |profile| profile.node.span(), out);
        join("site", &mut self.sites, document.sites, out);
        join("zone", &mut self.zones, document.zones, out);
        join("VLAN", &mut self.vlans, document.vlans, out);
        join("VRF", &mut self.vrfs, document.vrfs, out);
        join("group", &mut self.groups, document.groups, out);
        join("node", &mut self.nodes, document.nodes, out);
        join("tunnel", &mut self.tunnels, document.tunnels, out);
        self.links.extend(document.links.into_iter().flat_map(|list: List<'_, _>| list.items));
        self.claims.extend(document.claims.into_iter().flat_map(|list: List<'_, _>| list.items));
        for (assumption, span, reason) in document.assume.into_iter().flat_map(|assume| assume.0) {
            match self.assume.iter().find(|(known, _, _)| *known == assumption) {
                Some((_, earlier, _)) => {
                    twice("assumption", assumption.word(), span, *earlier, "write one reason for both", out);
                }
                None => self.assume.push((assumption, span, reason)),
            }
        }
    }

    fn check_claim_ids(&self, out: &mut Diagnostics) {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for id in self.claims.iter().filter_map(|claim| claim.id) {
            let Spanned { value, span } = id.0;
            if let Some(earlier) = seen.insert(value, span) {
                let message = format!("the claim `{value}` is given twice");
                out.push(
                    Diagnostic::error(Code::DuplicateKey, span, message)
                        .also(earlier, "given first here")
                        .help("give each claim an `id` of its own"),
                );
            }
        }
    }
}

/// Takes a key that only one file may give.
fn once<T>(
    key: &str,
    into: &mut Option<T>,
    given: Option<(T, Span)>,
    place: impl Fn(&T) -> Span,
    out: &mut Diagnostics,
) {
    let Some((value, span)) = given else { return };
    match into {
        Some(earlier) => {
            let message = format!("`{key}` is given in two files");
            out.push(
                Diagnostic::error(Code::DuplicateKey, span, message)
                    .also(place(earlier), "given first here")
                    .help("keep one of them"),
            );
        }
        None => *into = Some(value),
    }
}

fn twice(kind: &str, name: &str, span: Span, earlier: Span, help: &str, out: &mut Diagnostics) {
    // Inside one file this is a key given twice, which was reported when the file was read.
    if span.source != earlier.source {
        let message = format!("the {kind} `{name}` is given in two files");
        out.push(
            Diagnostic::error(Code::DuplicateKey, span, message).also(earlier, "given first here").help(help),
        );
    }
}

/// Adds the entries of one file to those of the files before.
fn join<'t, T>(kind: &str, into: &mut Vec<Named<'t, T>>, map: Option<Map<'t, T>>, out: &mut Diagnostics) {
    let Some(map) = map else { return };
    if into.is_empty() {
        *into = map.entries;
        return;
    }
    let known: HashMap<&str, Span> = into.iter().map(|entry| (entry.name.value, entry.name.span)).collect();
    for entry in map.entries {
        match known.get(entry.name.value) {
            Some(earlier) => {
                let Spanned { value, span } = entry.name;
                twice(kind, value, span, *earlier, "keep one of them, or rename one", out);
            }
            None => into.push(entry),
        }
    }
}
