//! From claims to verdicts: each claim gets exactly one.

use super::lower::{self, Absence};
use super::{Judgement, Note, Open, Verdict, absence, presence};
use crate::claim::{Claim, Statement};
use crate::engine::{Compiled, Limits, Structure, parallel_map};
use crate::model::{Assumption, Network};

/// How hard to look.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Limits of each question to the engine.
    pub limits: Limits,
    /// Causes of a violation that are looked for.
    pub max_causes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { limits: Limits::default(), max_causes: 20 }
    }
}

/// A network ready to be asked.
pub struct Judge<'n> {
    pub(super) network: &'n Network,
    pub(super) compiled: Compiled<'n>,
    pub(super) structure: Structure,
    pub(super) options: Options,
}

/// A verdict with its evidence, before it is bound to the claim.
#[derive(Debug, Default)]
pub(super) struct Ruling {
    pub(super) verdict: Option<Verdict>,
    pub(super) summary: String,
    pub(super) findings: Vec<super::Finding>,
    pub(super) more_findings: bool,
    pub(super) open: Vec<Open>,
    pub(super) proof: Vec<Note>,
    pub(super) notes: Vec<Note>,
}

impl<'n> Judge<'n> {
    /// Compiles a network.
    pub fn new(network: &'n Network, options: Options) -> Judge<'n> {
        let (compiled, structure) = (Compiled::new(network), Structure::new(network));
        Judge { network, compiled, structure, options }
    }

    /// Judges claims, on all threads of the pool. The judgements come in the order of the claims; `done` is told of
    /// each as it is made.
    pub fn judge_all(&self, claims: &[Claim], done: &(dyn Fn(&Judgement) + Sync)) -> Vec<Judgement> {
        let judgements = parallel_map(claims, |claim| {
            let judgement = self.judge(claim);
            done(&judgement);
            judgement
        });
        super::remedy::check(self, judgements)
    }

    fn judge(&self, claim: &Claim) -> Judgement {
        let ruling = match &claim.statement {
            Statement::Isolated(isolated) => absence::decide(self, claim, &lower::isolated(isolated)),
            Statement::Confined(confined) => absence::decide(self, claim, &[lower::confined(confined)]),
            Statement::OnlyVia(only_via) => absence::decide(self, claim, &[lower::only_via(only_via)]),
            Statement::Reachable(reachable) => presence::decide(self, claim, reachable),
        };
        let mut notes = ruling.notes;
        if let Statement::Isolated(isolated) = &claim.statement
            && let Some(means) = &isolated.means
        {
            let words: Vec<&str> = means.iter().map(|means| means.word()).collect();
            notes.push(Note { text: format!("only these means are considered: {}", words.join(", ")), span: None });
        }
        Judgement {
            claim: claim.clone(),
            // A ruling without a verdict would be a mistake of ours, and unknown is never a pass.
            verdict: ruling.verdict.unwrap_or(Verdict::Undetermined),
            summary: ruling.summary,
            findings: ruling.findings,
            more_findings: ruling.more_findings,
            open: ruling.open,
            proof: ruling.proof,
            assumptions: self.assumptions(),
            notes,
        }
    }

    /// Every assumption in force. All of them shape every reading of the network, so every verdict rests on them.
    fn assumptions(&self) -> Vec<(String, String)> {
        let given = self.network.assumptions.iter();
        given.map(|(assumption, reason): (&Assumption, _)| (assumption.word().to_owned(), reason.value.clone())).collect()
    }

    /// The absences that a claim consists of; none for `reachable`.
    pub(super) fn absences<'c>(&self, claim: &'c Claim) -> Vec<Absence<'c>> {
        match &claim.statement {
            Statement::Isolated(isolated) => lower::isolated(isolated),
            Statement::Confined(confined) => vec![lower::confined(confined)],
            Statement::OnlyVia(only_via) => vec![lower::only_via(only_via)],
            Statement::Reachable(_) => Vec::new(),
        }
    }
}
