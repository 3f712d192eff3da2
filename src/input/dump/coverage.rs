//! What is modelled of the formats of Linux filters, as a document: `grammar/netfilter.md`.
//!
//! Each reader gives rows made of the tables by which it reads; a test holds the document beside them.

use super::{ipset, iptables, nft};
use std::fmt::Write;

/// A table of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// What to know before reading it.
    pub intro: &'static str,
    /// One row for each thing that the format has.
    pub rows: Vec<Row>,
}

/// How one thing of a format is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// How it is written; several spellings with commas.
    pub name: String,
    /// Whether it is understood.
    pub standing: Standing,
    /// Its options that are read.
    pub read: Vec<&'static str>,
    /// Its options that are known, but not understood.
    pub open: Vec<&'static str>,
    /// Which values of the options that are read are not understood.
    pub limits: String,
    /// What is modelled of it, or why it is not.
    pub note: String,
}

/// Whether something is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It means in the model what it means in the kernel.
    Modelled,
    /// Some of its options do, or what it does to packets is modelled as far as it changes where they go.
    Partly,
    /// It may match or not, or may do anything: an unknown with its place.
    NotUnderstood,
    /// An error, as in the program that loads it.
    Refused,
}

impl Standing {
    /// The word of the document.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Modelled => "modelled",
            Standing::Partly => "partly",
            Standing::NotUnderstood => "not understood",
            Standing::Refused => "refused",
        }
    }
}

impl Row {
    /// A row of something that is understood, apart from some of its options and values.
    pub(super) fn of(name: String, read: Vec<&'static str>, open: Vec<&'static str>, limits: &str) -> Row {
        let whole = open.is_empty() && limits.is_empty();
        let standing = if whole { Standing::Modelled } else { Standing::Partly };
        Row { name, standing, read, open, limits: limits.to_owned(), note: String::new() }
    }

    /// The same with notes; empty ones are left out.
    pub(super) fn noting<'n>(mut self, notes: impl IntoIterator<Item = &'n str>) -> Row {
        let notes: Vec<&str> = notes.into_iter().filter(|note| !note.is_empty()).collect();
        self.note = notes.join("; ");
        self
    }

    /// The same with a standing of its own.
    pub(super) fn standing(mut self, standing: Standing) -> Row {
        self.standing = standing;
        self
    }
}

/// Every table, in the order of the document.
pub fn sections() -> Vec<Section> {
    let mut sections = iptables::coverage();
    sections.push(ipset::coverage());
    sections.extend(nft::coverage());
    sections
}

const HEAD: &str = "# What is modelled of netfilter

Generated from the tables by which the readers read; a test fails if this page says anything else.

- **modelled**: it means in the model what it means in the kernel, for every packet.
- **partly**: so do some of its options, or it only changes what the model does not have. The rest is as below.
- **not understood**: a match may hold or not; a target may do what its row says. Both readings take that into account,
  and a verdict that hangs on it is *undetermined* and names the line. What is in no table is not understood either.
- **refused**: an error with its place, since the device's own program would refuse it.
";

/// The document.
pub fn document() -> String {
    let mut text = HEAD.to_owned();
    for section in sections() {
        let Section { title, intro, rows } = section;
        let count = |standing| rows.iter().filter(|row| row.standing == standing).count();
        let standings = [Standing::Modelled, Standing::Partly, Standing::NotUnderstood, Standing::Refused];
        let counts = standings.map(|standing| (count(standing), standing.word()));
        let counts: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        // Writing to a text cannot fail.
        let _ = write!(text, "\n## {title}\n\n{intro}\n\n{}.\n\n", counts.join(", "));
        text.push_str("| name | standing | options read | not understood | worth knowing |\n");
        text.push_str("| --- | --- | --- | --- | --- |\n");
        for Row { name, standing, read, open, limits, note } in rows {
            let read = quoted(&read);
            let open = [quoted(&open), limits];
            let open = open.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("; ");
            let _ = writeln!(text, "| {name} | {} | {read} | {open} | {note} |", standing.word());
        }
    }
    text
}

/// Words as code, with commas.
pub(super) fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn the_page_about_netfilter_is_the_generated_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar/netfilter.md");
        let text = document();
        if std::env::var_os("UPDATE_GRAMMAR").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(written == text, "grammar/netfilter.md drifted: run this test with UPDATE_GRAMMAR=1");
    }

    #[test]
    fn nothing_is_listed_twice_in_a_table() {
        for section in sections() {
            let names: BTreeSet<&str> = section.rows.iter().map(|row| row.name.as_str()).collect();
            assert_eq!(names.len(), section.rows.len(), "{}", section.title);
            assert!(section.rows.iter().all(|row| !row.note.contains('|') && !row.name.contains('|')));
        }
    }
}
