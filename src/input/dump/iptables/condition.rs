//! Conditions of a rule as they are read, before it is known whether the device reassembles fragments.

use super::Context;
use crate::model::{Marked, Match, Test};
use crate::source::Span;

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::input::dump) struct Condition {
    /// What must hold.
    pub(in crate::input::dump) holds: Holds,
    /// Whether the kernel looks beyond the IP header for it. Then a later fragment never fits, negated or not,
    /// unless the device has reassembled it before.
    pub(in crate::input::dump) looks_inside: bool,
}

/// What must hold for a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::input::dump) enum Holds {
    /// All of these; none is always.
    All(Vec<Match>),
    /// It never holds.
    Never,
    /// The packet is a later fragment, or is none.
    Fragment {
        /// Whether it must be one.
        later: bool,
        /// Where that is written.
        span: Span,
    },
}

impl Condition {
    /// All of several tests; none of them is always.
    pub(in crate::input::dump) fn all(matches: Vec<Match>) -> Condition {
        Condition { holds: Holds::All(matches), looks_inside: false }
    }

    /// What holds for every packet.
    pub(in crate::input::dump) fn always() -> Condition {
        Condition::all(Vec::new())
    }

    /// What holds for no packet.
    pub(in crate::input::dump) fn never() -> Condition {
        Condition { holds: Holds::Never, looks_inside: false }
    }

    /// One test.
    pub(in crate::input::dump) fn test(test: Test, negated: bool, span: Span) -> Condition {
        Condition::all(vec![Match { test, negated, span }])
    }

    /// One of several tests; or, turned round, none of them.
    pub(in crate::input::dump) fn any(mut tests: Vec<Match>, negated: bool, span: Span) -> Condition {
        match negated {
            true => Condition::all(tests.into_iter().map(|one| Match { negated: true, ..one }).collect()),
            false if tests.len() == 1 => Condition::all(std::mem::take(&mut tests)),
            false => Condition::test(Test::Any(tests), false, span),
        }
    }

    /// Whether it has to do with a mark.
    pub(in crate::input::dump) fn asks_mark(&self, wanted: &dyn Fn(Marked) -> bool) -> bool {
        fn asks(test: &Test, wanted: &dyn Fn(Marked) -> bool) -> bool {
            match test {
                Test::Any(any) => any.iter().any(|one| asks(&one.test, wanted)),
                Test::Mark { of, .. } => wanted(*of),
                _ => false,
            }
        }
        match &self.holds {
            Holds::All(all) => all.iter().any(|one| asks(&one.test, wanted)),
            Holds::Never | Holds::Fragment { .. } => false,
        }
    }

    /// The same, looking beyond the IP header.
    pub(in crate::input::dump) fn inside(mut self) -> Condition {
        self.looks_inside = true;
        self
    }
}

impl Context<'_> {
    /// A test that is not understood: the text of the span.
    pub(super) fn not_understood(&mut self, span: Span) -> Condition {
        Condition::test(self.unknown_test(span), false, span)
    }

    /// The test of [`Context::not_understood`].
    pub(super) fn unknown_test(&mut self, span: Span) -> Test {
        let text = self.excerpt(span);
        let settle = format!("take `{text}` out of the rules, and dump them again");
        Test::Unknown(self.unknown(format!("what `{text}` matches"), span, settle))
    }
}

/// The numbers of `0..=MAX` that are in none of the ranges, both ends included.
macro_rules! complement {
    ($name:ident, $number:ty) => {
        pub(in crate::input::dump) fn $name(ranges: &[($number, $number)]) -> Vec<($number, $number)> {
            let mut sorted = ranges.to_vec();
            sorted.sort_unstable();
            let mut free = Some(0);
            let mut gaps = Vec::new();
            for (low, high) in sorted {
                let Some(next) = free else { break };
                if let Some(end) = low.checked_sub(1)
                    && next <= end
                {
                    gaps.push((next, end));
                }
                free = high.checked_add(1).map(|after| after.max(next));
            }
            gaps.extend(free.map(|next| (next, <$number>::MAX)));
            gaps
        }
    };
}

complement!(other_bytes, u8);
complement!(other_ports, u16);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_complement_has_every_other_number(ranges in prop::collection::vec((any::<u8>(), any::<u8>()), 0..6)) {
            let ranges: Vec<(u8, u8)> = ranges.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
            let within = |ranges: &[(u8, u8)], n: u8| ranges.iter().any(|(low, high)| *low <= n && n <= *high);
            let others = other_bytes(&ranges);
            for n in 0..=u8::MAX {
                prop_assert_eq!(within(&ranges, n), !within(&others, n), "{} in {:?}", n, others);
            }
        }
    }
}
