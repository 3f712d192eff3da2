//! `-m set` and the target `SET`: what rules ask of sets, and what they change about them (iptables-extensions(8)).
//!
//! Here it is only noted which set is asked for. What that means is settled by [`super::super::lower`], which knows
//! what the rules of the whole device change.

use super::condition::Condition;
use super::rule::{Opening, Outcome, RuleReader, error};
use super::target::{self, Effect, Says, Verdict};
use super::{Side, Test};
use crate::diag::{Code, Diagnostic};
use crate::input::dump::ipset::{self, Asked, IpSet};
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

/// That a set is there which a rule names, and of the family of the rules; if nobody dumped the sets, it may be.
fn exists(reader: &RuleReader<'_, '_, '_>, name: Spanned<&str>) -> Outcome<()> {
    let of_family = reader.context.sets.read().and_then(|sets| sets.set(name.value)).and_then(IpSet::family);
    if let Some(family) = of_family.filter(|family| *family != reader.context.family) {
        let message = format!(
            "the set `{}` is of {family}, and these are rules of {}",
            name.value, reader.context.family
        );
        return Err(
            error(name.span, message).help("the program that loads the rules refuses it; dump both again")
        );
    }
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
    let known = target::known("SET");
    let mut takes_marks = false;
    while let Some((option, value)) = reader.target_option() {
        takes_marks |= option.value == "--map-mark";
        let says = known.and_then(|target| target.says(option.value));
        let (Some(says @ (Says::Changes | Says::Reads)), Some(name)) = (says, value) else { continue };
        exists(reader, name)?;
        // The sides.
        reader.target_value();
        if says == Says::Changes {
            reader.context.set_changes.push(name.map(str::to_owned));
        }
    }
    let effect = if takes_marks { Effect::Marks } else { Effect::Quiet };
    Ok(Verdict::Unknown { span: reader.upto(opening), effect })
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

#[cfg(test)]
mod tests {
    use super::super::{Ruleset, parse};
    use super::*;
    use crate::diag::Diagnostics;
    use crate::header::{Family, Fragment};
    use crate::input::dump::{Given, SetDump};
    use crate::source::SourceMap;

    const SETS: &str = "create a hash:ip\nadd a 10.0.0.1\ncreate p hash:ip,port\nadd p 10.0.0.1,tcp:80\n\
        create n hash:net\nadd n 10.0.0.0/8\ncreate l list:set\nadd l p\n\
        create six hash:net family inet6\n";

    fn read(rules: &str, known: bool) -> (Option<Ruleset>, Vec<String>) {
        let mut sources = SourceMap::default();
        let mut out = Diagnostics::default();
        let sets = sources.add("sets", SETS);
        let sets: Option<SetDump> = ipset::parse(sources.get(sets), sets, &mut out);
        let sets = if known { Given::Read(sets.unwrap()) } else { Given::Absent };
        let text =
            format!("*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT DROP [0:0]\n{rules}\nCOMMIT\n");
        let id = sources.add("rules", text.as_str());
        let ruleset = parse(sources.get(id), id, Family::V4, &sets, &mut out);
        let errors = out.sorted().into_iter().map(|error| {
            let place = sources.position(error.span.unwrap());
            format!("{}:{} {}", place.line, place.column, error.message)
        });
        (ruleset, errors.collect())
    }

    fn asked(rules: &str) -> Vec<(String, usize, bool, bool)> {
        let (ruleset, errors) = read(rules, true);
        assert!(errors.is_empty(), "{errors:?}");
        let asked = ruleset.unwrap().set_tests.into_values();
        asked.map(|(one, inside)| (one.name.value, one.sides.len(), one.exceptions, inside)).collect()
    }

    #[test]
    fn rules_remember_which_set_they_ask_for() {
        let rule = "-A INPUT -m set --match-set a src -m set ! --match-set p src,dst -j ACCEPT\n\
            -A INPUT -m set --match-set n dst --return-nomatch ! --update-counters ! --update-subcounters -j DROP\n\
            -A INPUT -m set --return-nomatch --match-set l dst,dst -m comment --comment x -j DROP";
        let named = |name: &str, sides, exceptions, inside| (name.to_owned(), sides, exceptions, inside);
        assert_eq!(
            asked(rule),
            [
                named("a", 1, false, false),
                named("p", 2, false, true),
                named("n", 1, true, false),
                named("l", 2, true, true),
            ]
        );
    }

    #[test]
    fn counters_are_not_understood_beside_the_set() {
        let count = |rule: &str| {
            let (ruleset, errors) = read(rule, true);
            assert!(errors.is_empty(), "{errors:?}");
            ruleset.unwrap().filter.chains[0].rules[0].matches.len()
        };
        assert_eq!(count("-A INPUT -m set --match-set a src --packets-gt 5 -j ACCEPT"), 2);
        assert_eq!(count("-A INPUT -m set ! --match-set a src ! --bytes-eq 5 -j ACCEPT"), 1);
        // A match that names no set is not understood.
        assert_eq!(count("-A INPUT -m set -j ACCEPT"), 1);
    }

    #[test]
    fn only_ports_make_a_set_look_inside() {
        let parts = |rule: &str, known| {
            let (ruleset, _) = read(rule, known);
            ruleset.unwrap().filter.chains[0]
                .rules
                .iter()
                .map(|rule| rule.matches.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(parts("-A INPUT -m set --match-set a src -j ACCEPT", true).len(), 1);
        assert_eq!(parts("-A INPUT -m set --match-set p src,dst -j ACCEPT", false).len(), 1);
        let split = parts("-A INPUT -m set ! --match-set p src,dst -j ACCEPT", true);
        // Of a later fragment nothing is left but that it is one, and that nobody knows.
        let later = &split[1];
        assert!(split.len() == 2 && later.len() == 2);
        assert_eq!(later[0].test, Test::Fragment(vec![Fragment::Later]));
    }

    #[test]
    fn the_target_changes_sets() {
        let rule = "-A INPUT -j SET --add-set a src --exist --timeout 60\n-A INPUT -j SET --del-set p src,dst\n\
            -A INPUT -j SET --map-set n dst --map-mark";
        let (ruleset, errors) = read(rule, true);
        assert!(errors.is_empty(), "{errors:?}");
        let ruleset = ruleset.unwrap();
        let changes: Vec<&str> = ruleset.set_changes.iter().map(|name| name.value.as_str()).collect();
        assert_eq!(changes, ["a", "p"]);
        assert!(ruleset.havoc.is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_at_its_place() {
        let cases = [
            ("-A INPUT -m set --match-set b src", "5:29 the device has no set `b`"),
            ("-A INPUT -m set --match-set a", "5:17 an option without its value"),
            ("-A INPUT -m set --match-set a srcs", "5:31 expected `src` or `dst`"),
            ("-A INPUT -m set --match-set a src --match-set a dst", "5:35 a match with two sets"),
            ("-A INPUT --match-set a src", "5:10 `--match-set` belongs to `-m set`"),
            ("-A INPUT -j SET --add-set b src", "5:27 the device has no set `b`"),
            (
                "-A INPUT -m set --match-set six src",
                "5:29 the set `six` is of IPv6, and these are rules of IPv4",
            ),
            ("-A INPUT -m set --match-set a src,src,src,src,src,src,src", "5:31 more than 6 parts"),
        ];
        for (rule, expected) in cases {
            let (ruleset, errors) = read(rule, true);
            assert!(ruleset.is_none() && errors[0].starts_with(expected), "{rule}: {errors:?}");
        }
        // Nobody knows which sets there are.
        assert!(read("-A INPUT -m set --match-set b src", false).1.is_empty());
    }
}
