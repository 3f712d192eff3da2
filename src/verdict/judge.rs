//! From claims to verdicts: each claim gets exactly one.

use super::lower;
use super::{Judgement, Note, Open, Verdict, absence, presence};
use crate::claim::{Claim, Reachable, Statement};
use crate::engine::{Compiled, Limits, Structure, parallel_map};
use crate::model::{Assumption, Network};
use std::sync::OnceLock;

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
    /// All claims about it: a remedy for one must not break another.
    pub(super) claims: &'n [Claim],
    /// For each `reachable` claim, once somebody has asked, the pairs that talk if it holds.
    standing: Vec<OnceLock<Option<Vec<presence::Standing>>>>,
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
    pub(super) limits: Vec<String>,
    pub(super) notes: Vec<Note>,
}

impl<'n> Judge<'n> {
    /// Compiles a network.
    pub fn new(network: &'n Network, claims: &'n [Claim], options: Options) -> Judge<'n> {
        let (compiled, structure) = (Compiled::new(network), Structure::new(network));
        let standing = claims.iter().map(|_| OnceLock::new()).collect();
        Judge { network, compiled, structure, options, claims, standing }
    }

    /// The pairs of a `reachable` claim of this judge, if it holds.
    pub(super) fn standing(&self, claim: &Claim, reachable: &Reachable) -> Option<&[presence::Standing]> {
        let known = self.standing_of(claim)?;
        known.get_or_init(|| presence::standing(self, reachable)).as_deref()
    }

    /// The pairs of a claim that is known to hold.
    pub(super) fn known_standing(&self, claim: &Claim) -> Option<&[presence::Standing]> {
        self.standing_of(claim)?.get()?.as_deref()
    }

    /// Notes that a claim holds. Whoever has asked meanwhile has found the same.
    pub(super) fn keep_standing(&self, claim: &Claim, pairs: Vec<presence::Standing>) {
        if let Some(known) = self.standing_of(claim) {
            known.get_or_init(|| Some(pairs));
        }
    }

    fn standing_of(&self, claim: &Claim) -> Option<&OnceLock<Option<Vec<presence::Standing>>>> {
        let position = self.claims.iter().position(|known| std::ptr::eq(known, claim))?;
        self.standing.get(position)
    }

    /// Judges the claims that `wanted` picks, on all threads of the pool. The judgements come in the order of the
    /// claims; `done` is told of each as it is made.
    pub fn judge_all(
        &self,
        wanted: &(dyn Fn(&Claim) -> bool + Sync),
        done: &(dyn Fn(&Judgement) + Sync),
    ) -> Vec<Judgement> {
        let claims: Vec<&Claim> = self.claims.iter().filter(|claim| wanted(claim)).collect();
        parallel_map(&claims, |claim| {
            let judgement = self.judge(claim);
            done(&judgement);
            judgement
        })
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
            notes.push(Note {
                text: format!("only these means are considered: {}", words.join(", ")),
                span: None,
            });
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
            limits: ruling.limits,
            assumptions: self.assumptions(),
            notes,
        }
    }

    /// Every assumption in force. All of them shape every reading of the network, so every verdict rests on them.
    fn assumptions(&self) -> Vec<(String, String)> {
        let given = self.network.assumptions.iter();
        given
            .map(|(assumption, reason): (&Assumption, _)| {
                (assumption.word().to_owned(), reason.value.clone())
            })
            .collect()
    }
}
