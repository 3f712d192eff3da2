//! `isoaudit explain`: what the words of the reports mean.

use super::Outcome;
use super::args::ExplainArgs;
use super::console::Console;
use super::exit::Exit;
use super::failure::Failure;
use isoaudit::diag::{Code, suggest};
use isoaudit::model::Assumption;

/// The verdicts (README, "Verdicts and exit codes").
const VERDICTS: &[(&str, &str)] = &[
    ("holds", "Proved over all packets and paths; the report says what was proved. Exit code 0."),
    (
        "violated",
        "Broken: there is a concrete packet and its path, walked again by a second interpreter. Exit code 1.",
    ),
    (
        "undetermined",
        "Neither proved nor broken: something about the network is not known, or a limit was reached. The \
         report names the line that would settle it. Exit code 3.",
    ),
    (
        "vacuous",
        "The claim says nothing about this network: it selects nothing, frees everything, or nobody could leave \
         its own segment even with all filters open. Exit code 3.",
    ),
];

/// The kinds of claims.
const CLAIMS: &[(&str, &str)] = &[
    (
        "isolated",
        "Nothing that an adversary in `from` can send (any packet, any source address) arrives in `to`, not even \
         as a reply or an ICMP error.",
    ),
    ("confined", "What honest senders within send to each other never leaves, forged ARP included."),
    ("only-via", "With the doors in `via` closed nothing gets from `from` to `to`."),
    ("reachable", "Every pair can talk and get an answer, whatever equal-cost path the network chooses."),
];

/// A word, what it is, and what it means.
type Entry = (&'static str, &'static str, &'static str);

fn entries() -> Vec<Entry> {
    let verdicts = VERDICTS.iter().map(|(word, meaning)| (*word, "verdict", *meaning));
    let claims = CLAIMS.iter().map(|(word, meaning)| (*word, "claim", *meaning));
    let assumed = Assumption::TABLE.iter().map(|(_, word, lets_pass)| (*word, "assumption", *lets_pass));
    let codes = Code::ALL.iter().map(|code| (code.id(), "diagnostic", code.meaning()));
    verdicts.chain(claims).chain(assumed).chain(codes).collect()
}

/// Explains a word, or lists them all.
pub(super) fn run(arguments: &ExplainArgs, console: &Console) -> Outcome {
    let all = entries();
    let Some(word) = &arguments.word else {
        let lines: String = all.iter().map(|(word, kind, _)| format!("{word:<22}{kind}\n")).collect();
        return console.print(&lines).map(|()| Exit::Fine);
    };
    let found: Vec<&Entry> = all.iter().filter(|(known, _, _)| known == word).collect();
    if found.is_empty() {
        let help = suggest(word, all.iter().map(|(known, _, _)| *known))
            .unwrap_or_else(|| "`isoaudit explain` without a word lists them all".to_owned());
        return Err(Failure::homeless(Code::UnknownName, format!("no report says `{word}`"), help));
    }
    let mut text = String::new();
    for (word, kind, meaning) in found {
        let meaning = match *kind {
            "assumption" => {
                format!("Sets aside {meaning}. Given under `assume:` with a reason; --strict ignores it.")
            }
            _ => (*meaning).to_owned(),
        };
        text.push_str(&format!("{word} ({kind})\n"));
        for line in textwrap::wrap(&meaning, 96) {
            text.push_str(&format!("  {line}\n"));
        }
    }
    console.print(&text).map(|()| Exit::Fine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use isoaudit::verdict::Verdict;

    #[test]
    fn every_verdict_is_explained() {
        for verdict in [Verdict::Holds, Verdict::Violated, Verdict::Undetermined, Verdict::Vacuous] {
            assert!(entries().iter().any(|(word, _, _)| *word == verdict.word()));
        }
    }
}
