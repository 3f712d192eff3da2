//! The lines of a dump: sets that are created and elements that are added, in the order written.

use super::kinds::{ADD_OPTIONS, CREATE_OPTIONS, Dimension, Families, KINDS, Takes};
use super::{Element, IpSet, SetDump, element};
use crate::diag::{Code, Diagnostic, Diagnostics, suggest};
use crate::header::{Family, address_number};
use crate::source::{Source, SourceId, Span, Spanned};

/// How many errors of one dump are worth printing.
const ERRORS_MAX: usize = 50;

/// How many bytes one line may have; a comment has at most 255.
const LINE_BYTES_MAX: usize = 4 << 10;

/// How many characters the name of a set may have (`IPSET_MAXNAMELEN`, less its end).
const NAME_BYTES_MAX: usize = 31;

type Outcome = Result<(), Diagnostic>;

fn error(span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(Code::Dump, span, message)
}

/// Reads all lines. `None` if there were errors. What part of the result accounts for goes to `claims`.
pub(super) fn read(
    source: &Source,
    id: SourceId,
    claims: Option<&mut Vec<Span>>,
    diagnostics: &mut Diagnostics,
) -> Option<SetDump> {
    let mut reader = Reader { id, dump: SetDump::default(), last: 0, claims };
    let mut errors = 0;
    let mut start = 0;
    for line in source.text.split_inclusive('\n') {
        let whole = Span::new(id, start, start + line.len());
        if let Err(error) = reader.line(line, whole) {
            diagnostics.push(error);
            errors += 1;
        }
        start += line.len();
        if errors >= ERRORS_MAX {
            return None;
        }
    }
    if errors == 0 && reader.dump.sets.is_empty() {
        let help = "if the device has no sets, say `none` in place of the file";
        diagnostics.push(error(Span::new(id, 0, start), "no set in this dump of `ipset save`").help(help));
        errors += 1;
    }
    (errors == 0).then_some(reader.dump)
}

struct Reader<'c> {
    id: SourceId,
    dump: SetDump,
    /// The position of the set of the last element, since elements of one set stand together.
    last: usize,
    claims: Option<&'c mut Vec<Span>>,
}

/// The words of a line. Double quotes keep blanks; nothing escapes them.
struct Words<'a> {
    id: SourceId,
    line: &'a str,
    /// Where the line begins.
    start: usize,
    at: usize,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<Spanned<&'a str>> {
        let rest = &self.line[self.at..];
        let from = self.at + rest.find(|c: char| !c.is_ascii_whitespace())?;
        let rest = &self.line[from..];
        let (text, length) = match rest.strip_prefix('"').and_then(|inside| inside.split_once('"')) {
            Some((text, _)) => (text, text.len() + 2),
            None => {
                let length = rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
                (&rest[..length], length)
            }
        };
        self.at = from + length;
        Some(Spanned::new(text, Span::new(self.id, self.start + from, self.start + self.at)))
    }
}

impl Reader<'_> {
    fn claim(&mut self, span: Span) {
        if let Some(claims) = &mut self.claims {
            claims.push(span);
        }
    }

    fn line(&mut self, line: &str, whole: Span) -> Outcome {
        let text = line.trim_end();
        let start = whole.start as usize;
        let span = Span::new(self.id, start, start + text.len());
        if text.trim_start().is_empty() || text.trim_start().starts_with('#') {
            self.claim(span);
            return Ok(());
        }
        if text.len() > LINE_BYTES_MAX {
            let message = format!("a line of more than {LINE_BYTES_MAX} bytes");
            return Err(Diagnostic::error(Code::Limit, span, message));
        }
        if let Some(at) = text.find(|c: char| c.is_control() && c != '\t') {
            let place = Span::new(self.id, start + at, start + at + 1);
            return Err(error(place, "a control character in a dump of sets"));
        }
        if !line.ends_with('\n') {
            let help = "the dump is cut off; make it again";
            return Err(error(span, "the last line of the dump has no end").help(help));
        }
        let mut words = Words { id: self.id, line: text, start, at: 0 };
        let Some(command) = words.next() else { return Ok(()) };
        match command.value {
            "create" | "-N" => {
                self.claim(command.span);
                self.create(&mut words, span)
            }
            "add" | "-A" => {
                self.claim(command.span);
                self.add(&mut words, command.span, span)
            }
            other => {
                let hint = suggest(other, ["create", "add"]);
                let message = format!("expected `create` or `add`, found `{other}`");
                let help = hint.unwrap_or_else(|| "this should be the output of `ipset save`".to_owned());
                Err(error(command.span, message).help(help))
            }
        }
    }

    fn create(&mut self, words: &mut Words<'_>, span: Span) -> Outcome {
        let (Some(name), Some(kind_name)) = (words.next(), words.next()) else {
            return Err(error(span, "expected `create SET TYPE …`"));
        };
        if name.value.len() > NAME_BYTES_MAX {
            return Err(error(
                name.span,
                format!("the name of a set has at most {NAME_BYTES_MAX} characters"),
            ));
        }
        if let Some(first) = self.dump.set(name.value) {
            let message = format!("set `{}` is created twice", name.value);
            return Err(
                Diagnostic::error(Code::DuplicateKey, name.span, message).also(first.name.span, "first here")
            );
        }
        let kind = KINDS.iter().find(|kind| kind.name == kind_name.value);
        let mut set = IpSet {
            name: Spanned::new(name.value.to_owned(), name.span),
            span,
            kind,
            family: match kind.map(|kind| kind.families) {
                Some(Families::Named) => Some(Family::V4),
                Some(Families::Only(family)) => Some(family),
                Some(Families::Both) | None => None,
            },
            netmask: None,
            limits: None,
            opaque: None,
            timeout: None,
            elements: Vec::new(),
            members: Vec::new(),
        };
        if kind.is_none_or(|kind| kind.dimensions.is_empty()) {
            let what = format!("which packets sets of the type `{}` match", kind_name.value);
            set.opaque = Some(Spanned::new(what, kind_name.span));
        }
        self.claim(name.span.to(kind_name.span));
        self.create_options(&mut set, words)?;
        if set.kind.is_some_and(|kind| kind.is_bitmap) && set.limits.is_none() && set.opaque.is_none() {
            return Err(error(span, format!("`{}` needs its `range`", kind_name.value)));
        }
        self.last = self.dump.sets.len();
        self.dump.by_name.insert(set.name.value.clone(), self.last);
        self.dump.sets.push(set);
        Ok(())
    }

    fn create_options(&mut self, set: &mut IpSet, words: &mut Words<'_>) -> Outcome {
        let mut seen: Vec<Spanned<&str>> = Vec::new();
        while let Some(option) = words.next() {
            self.claim(option.span);
            if let Some(first) = seen.iter().find(|one| one.value == option.value) {
                let message = format!("`{}` is given twice", option.value);
                return Err(Diagnostic::error(Code::DuplicateKey, option.span, message)
                    .also(first.span, "first here"));
            }
            seen.push(option);
            let Some((_, takes)) = CREATE_OPTIONS.iter().find(|(name, _)| *name == option.value) else {
                let what = self.foreign(&set.name.value, option, words);
                set.opaque.get_or_insert(what);
                return Ok(());
            };
            let value = self.value(option, *takes, words)?;
            if let Some(value) = value {
                create_option(set, option, value).map_err(|message| error(value.span, message))?;
            }
        }
        let has_netmask = set.netmask.is_some();
        if has_netmask && !set.kind.is_some_and(|kind| kind.takes_netmask) {
            let what = format!("which packets `{}` matches with its netmask", set.name.value);
            set.opaque.get_or_insert(Spanned::new(what, set.span));
        }
        Ok(())
    }

    /// The word that an option takes, if it takes one.
    fn value<'a>(
        &mut self,
        option: Spanned<&str>,
        takes: Takes,
        words: &mut Words<'a>,
    ) -> Result<Option<Spanned<&'a str>>, Diagnostic> {
        if takes == Takes::Nothing {
            return Ok(None);
        }
        let value = words.next();
        let value =
            value.ok_or_else(|| error(option.span, format!("`{}` without its value", option.value)))?;
        self.claim(value.span);
        Ok(Some(value).filter(|_| takes == Takes::Value))
    }

    /// Takes an option that nobody here knows and everything behind it: nothing about the set is understood then.
    fn foreign(&mut self, set: &str, option: Spanned<&str>, words: &mut Words<'_>) -> Spanned<String> {
        let mut span = option.span;
        while let Some(word) = words.next() {
            span = span.to(word.span);
        }
        self.claim(span);
        Spanned::new(format!("what `{}` means for the set `{set}`", option.value), span)
    }

    fn add(&mut self, words: &mut Words<'_>, command: Span, span: Span) -> Outcome {
        let (Some(name), Some(text)) = (words.next(), words.next()) else {
            return Err(error(span, "expected `add SET ELEMENT …`"));
        };
        let is_last = self.dump.sets.get(self.last).is_some_and(|set| set.name.value == name.value);
        if !is_last {
            self.last = self.position(name)?;
        }
        let set = &self.dump.sets[self.last];
        if set.kind.is_none_or(|kind| kind.dimensions.is_empty()) {
            // Part of a set that is not understood.
            self.claim(command.to(span));
            return Ok(());
        }
        let mut read = element::read(set, text.value).map_err(|message| error(text.span, message))?;
        // What does not say when it goes gets the timeout of its set.
        read.expires = set.timeout.is_some();
        self.claim(name.span.to(text.span));
        self.add_options(&mut read, name.value, words)?;
        let set = &mut self.dump.sets[self.last];
        if read.nomatch && !set.dimensions().contains(&Dimension::Net) {
            let kind = set.kind.map_or("", |kind| kind.name);
            return Err(error(span, format!("elements of `{kind}` cannot be exceptions")));
        }
        if set.dimensions() == [Dimension::Member] {
            return self.member(text);
        }
        set.elements.push(read);
        Ok(())
    }

    fn add_options(&mut self, read: &mut Element, set: &str, words: &mut Words<'_>) -> Outcome {
        while let Some(option) = words.next() {
            self.claim(option.span);
            let Some((_, takes)) = ADD_OPTIONS.iter().find(|(name, _)| *name == option.value) else {
                let what = self.foreign(set, option, words);
                self.dump.sets[self.last].opaque.get_or_insert(what);
                return Ok(());
            };
            let value = self.value(option, *takes, words)?;
            read.nomatch |= option.value == "nomatch";
            if let Some(value) = value {
                let seconds = value.value.parse::<u32>();
                let seconds = seconds.map_err(|_| error(value.span, "expected a number of seconds"))?;
                self.dump.sets[self.last].timeout.get_or_insert(option.span.to(value.span));
                read.expires = seconds > 0;
            }
        }
        Ok(())
    }

    /// The position of a set that must have been created before.
    fn position(&self, name: Spanned<&str>) -> Result<usize, Diagnostic> {
        self.dump.by_name.get(name.value).copied().ok_or_else(|| {
            let message = format!("set `{}` is not created before", name.value);
            let help = self.dump.suggest(name.value);
            Diagnostic::error(Code::UnknownName, name.span, message).maybe_help(help)
        })
    }

    /// Adds a set to a list. The kernel refuses lists there, so that none is part of itself.
    fn member(&mut self, name: Spanned<&str>) -> Outcome {
        let position = self.position(name)?;
        let member = &self.dump.sets[position];
        if member.dimensions() == [Dimension::Member] {
            let message = format!("`{}` is a list: lists hold no lists", name.value);
            return Err(error(name.span, message).also(member.span, "it is created here"));
        }
        self.dump.sets[self.last].members.push(position);
        Ok(())
    }
}

/// Takes an option of `create` that says what matches.
fn create_option(set: &mut IpSet, option: Spanned<&str>, value: Spanned<&str>) -> Result<(), String> {
    match option.value {
        "family" => {
            let family = match value.value {
                "inet" | "ipv4" => Family::V4,
                "inet6" | "ipv6" => Family::V6,
                other => return Err(format!("`{other}` is not a family: `inet` or `inet6`")),
            };
            if set.kind.is_none_or(|kind| kind.families == Families::Named) {
                set.family = Some(family);
            }
        }
        "netmask" => {
            let bits =
                value.value.parse::<u8>().map_err(|_| format!("`{}` is not a netmask", value.value))?;
            if bits > set.family.unwrap_or(Family::V6).bits() {
                return Err(format!("`{bits}` is too long for a netmask"));
            }
            set.netmask = Some(bits);
        }
        "range" if set.dimensions() == [Dimension::BarePort] => {
            let (low, high) = element::ports(value.value)?;
            set.limits = Some((low.into(), high.into()));
        }
        "range" => {
            let range = element::addresses(value.value, set.family.unwrap_or(Family::V4))?;
            set.limits = Some((address_number(range.low), address_number(range.high)));
        }
        "timeout" => {
            value.value.parse::<u32>().map_err(|_| "expected a number of seconds".to_owned())?;
            set.timeout = Some(option.span.to(value.span));
        }
        _ => {}
    }
    Ok(())
}
