//! `-m set` and the target `SET`: what rules ask of sets, and what they change about them (iptables-extensions(8)).
//!
//! Here it is only noted which set is asked for. What that means is settled by [`super::super::lower`], which knows
//! what the rules of the whole device change.

use super::condition::Condition;
use super::rule::{Opening, Outcome, RuleReader, error};
use super::target::{Effect, Verdict};
use super::{Side, Test};
use crate::diag::{Code, Diagnostic};
use crate::input::dump::ipset::{self, Asked};
use crate::source::{Span, Spanned};

/// A match whose options are still being read.
pub(super) struct OpenSet {
    /// From `-m set` to its last option.
    span: Span,
    asked: Option<(Asked, Opening)>,
    exceptions: bool,
    /// Whether it asks for counters of the element too.
    counts: bool,
}

impl OpenSet {
    pub(super) fn begin(span: Span) -> OpenSet {
        OpenSet { span, asked: None, exceptions: false, counts: false }
    }
}

/// How many parts an element can be compared by (`IPSET_DIM_MAX`).
const SIDES_MAX: usize = 6;

/// Reads an option of `-m set`.
pub(super) fn option(reader: &mut RuleReader<'_, '_, '_>, name: &str, mut opening: Opening) -> Outcome<()> {
    let Some(mut set) = reader.set.take() else {
        return Err(error(opening.span, format!("`{name}` belongs to `-m set`")));
    };
    match name {
        "--match-set" => {
            if let Some((_, first)) = &set.asked {
                return Err(error(opening.span, "a match with two sets").also(first.span, "first here"));
            }
            let set_name = reader.value(&mut opening)?;
            let sides = reader.value(&mut opening)?;
            let sides = read_sides(sides)?;
            exists(reader, set_name)?;
            let name = set_name.map(str::to_owned);
            set.asked = Some((Asked { name, sides, exceptions: false }, opening));
        }
        "--return-nomatch" => set.exceptions = true,
        // Whether counters of an element go up changes nothing about what matches.
        "--update-counters" | "--update-subcounters" => {}
        _ => {
            reader.value(&mut opening)?;
            set.counts = true;
        }
    }
    reader.context.claim(opening.span);
    set.span = set.span.to(opening.span);
    reader.set = Some(set);
    Ok(())
}

/// Ends a match: adds what it asks as a condition.
pub(super) fn close(reader: &mut RuleReader<'_, '_, '_>) {
    let Some(OpenSet { span, asked, exceptions, counts }) = reader.set.take() else { return };
    let Some((mut asked, opening)) = asked else {
        let condition = reader.context.not_understood(span);
        return reader.push(condition, span);
    };
    asked.exceptions = exceptions;
    if counts {
        let condition = reader.context.not_understood(span);
        reader.push(condition, span);
        if opening.negated {
            // Kernels differ in whether the counters are asked before or after the answer is turned round.
            return;
        }
    }
    let inside = reader.context.sets.read().is_some_and(|sets| sets.looks_inside(&asked.name.value));
    let test = reader.context.set_test(asked, inside, opening.span);
    let condition = Condition::test(test, opening.negated, opening.span);
    // A packet whose ports cannot be seen is in no set of ports, so that `!` holds for it. What becomes of its later
    // fragments is left open.
    reader.push(if inside { condition.inside() } else { condition }, opening.span);
}

/// `src`, `dst`, or several with commas.
fn read_sides(text: Spanned<&str>) -> Outcome<Vec<Side>> {
    let side = |word: &str| match word {
        "src" => Ok(Side::Source),
        "dst" => Ok(Side::Destination),
        other => Err(error(text.span, format!("expected `src` or `dst`, found `{other}`"))),
    };
    let sides: Vec<Side> = text.value.split(',').map(side).collect::<Outcome<_>>()?;
    match sides.len() <= SIDES_MAX {
        true => Ok(sides),
        false => Err(error(text.span, format!("more than {SIDES_MAX} parts"))),
    }
}

/// That a set is there which a rule names; if nobody dumped the sets, it may be.
fn exists(reader: &RuleReader<'_, '_, '_>, name: Spanned<&str>) -> Outcome<()> {
    let Some(missing) = ipset::missing(reader.context.sets, name.value) else { return Ok(()) };
    let message = format!("the device has no set `{}`", name.value);
    let error = Diagnostic::error(Code::UnknownName, name.span, message).help(missing.help);
    Err(match missing.none {
        Some(span) => error.also(span, "here it says that there are none"),
        None => error,
    })
}

/// Reads the options of the target `SET`, which adds to sets, deletes from them, or takes marks from them.
pub(super) fn target(reader: &mut RuleReader<'_, '_, '_>, opening: Opening) -> Outcome<Verdict> {
    while let Some((option, value)) = reader.target_option() {
        let Some(name) = value else { continue };
        match option.value {
            "--add-set" | "--del-set" | "--map-set" => {
                exists(reader, name)?;
                // The sides.
                reader.target_value();
                if option.value != "--map-set" {
                    reader.context.set_changes.push(name.map(str::to_owned));
                }
            }
            // `--timeout`, `--exist` and the like say nothing about which sets change.
            _ => {}
        }
    }
    Ok(Verdict::Unknown { span: reader.upto(opening), effect: Effect::Quiet })
}

impl super::Context<'_> {
    /// A test that asks for a set.
    fn set_test(&mut self, asked: Asked, inside: bool, span: Span) -> Test {
        let text = self.excerpt(span);
        let settle = "`ipset:` in `config`, with the output of `ipset save`".to_owned();
        let id = self.unknown(format!("which packets `{text}` matches"), span, settle);
        self.set_tests.insert(id, (asked, inside));
        Test::Unknown(id)
    }
}
