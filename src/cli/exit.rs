//! Exit codes, decided here and nowhere else. They never depend on the output format.

use isoaudit::verdict::Verdict;
use std::process::ExitCode;

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Every claim holds, or the question that was asked is answered.
    Fine,
    /// Some claim is violated; or `fmt --check` found a file that it would change.
    Violated,
    /// The input or the command line is wrong, or a report could not be written: nothing is claimed.
    Refused,
    /// Nothing is violated, but something is undetermined or vacuous.
    Open,
}

impl Exit {
    /// Its number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::Violated => 1,
            Exit::Refused => 2,
            Exit::Open => 3,
        }
    }
}

/// The end that a verdict on everything leads to.
impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Exit {
        match verdict {
            Verdict::Holds => Exit::Fine,
            Verdict::Violated => Exit::Violated,
            Verdict::Undetermined | Verdict::Vacuous => Exit::Open,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_verdict_has_its_code() {
        let codes = [Verdict::Holds, Verdict::Violated, Verdict::Undetermined, Verdict::Vacuous]
            .map(|verdict| Exit::from(verdict).code());
        assert_eq!(codes, [0, 1, 3, 3]);
        assert_eq!(Exit::Refused.code(), 2);
    }
}
