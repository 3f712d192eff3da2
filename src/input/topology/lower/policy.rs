//! The policies that nodes and interfaces name: each file is read once, each policy becomes one filter.

use super::config::Configs;
use super::dictionary::{FileNames, Words};
use super::load;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::input::policy::{
    Date, File, Lowerer, Part, Touched, Translations, check_list, filters_output, nats_without_policy, parse,
};
use crate::input::topology::include::relative_to;
use crate::input::topology::merge::Merged;
use crate::input::topology::settle::Settled;
use crate::input::topology::variant::{PolicyBoth, PolicyName, PolicyPlace};
use crate::model::{Action, Chain, Filter, FilterId, Hook, LedgerEntry, Rule, Stage, Unknown, UnknownId};
use crate::source::{Loader, SourceId, SourceMap, Span, Spanned};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// The filters of a node.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    pub(super) input: Vec<Hook>,
    pub(super) forward: Vec<Hook>,
    pub(super) output: Vec<Hook>,
    /// Why it may do anything with a packet, if it may.
    pub(super) havoc: Option<UnknownId>,
    /// On receive and before sending, of each interface in the order of the description.
    pub(super) interfaces: Vec<(Vec<Hook>, Vec<Hook>)>,
}

/// Where somebody names a policy.
pub(super) struct Use {
    file: PathBuf,
    pub(super) policy: String,
    /// Where the file is named.
    file_place: Span,
    /// Where the policy is named.
    place: Span,
    /// Position of the node.
    pub(super) node: usize,
    to: To,
}

/// What a policy binds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    /// The node itself.
    Node,
    /// The interface at this position.
    Interface(usize, Stage),
}

/// All filters of a description.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    /// In the order of first use.
    pub(crate) filters: Vec<Filter>,
    /// What is not known; the filters refer to the positions.
    pub(crate) unknowns: Vec<Unknown>,
    /// What the ledger should name.
    pub(crate) ledger: Vec<LedgerEntry>,
    /// By the position of the node.
    pub(crate) bound: Vec<Bound>,
    /// The day behind which rules with `until` are listed.
    as_of: Option<Date>,
}

impl Policies {
    /// No policy yet.
    pub(crate) fn new(nodes: &[Settled<'_, '_>], as_of: Option<Date>) -> Policies {
        Policies { bound: nodes.iter().map(Bound::of).collect(), as_of, ..Policies::default() }
    }

    /// Reads every policy that is named.
    pub(crate) fn read(
        mut self,
        merged: &Merged<'_>,
        nodes: &[Settled<'_, '_>],
        configs: &Configs,
        sources: &mut SourceMap,
        loader: &Loader,
        out: &mut Diagnostics,
    ) -> Policies {
        let mut by_file: Vec<(PathBuf, Vec<Use>)> = Vec::new();
        let mut positions: HashMap<PathBuf, usize> = HashMap::new();
        for one in uses(merged, nodes, out) {
            let position = *positions.entry(one.file.clone()).or_insert_with(|| {
                by_file.push((one.file.clone(), Vec::new()));
                by_file.len() - 1
            });
            by_file[position].1.push(one);
        }
        let mut loaded: Vec<(SourceId, Arc<str>, Vec<Use>)> = Vec::new();
        for (path, uses) in by_file {
            let source = uses.first().and_then(|one| load(&path, one.file_place, sources, loader, out));
            if let Some(source) = source {
                loaded.push((source, Arc::clone(&sources.get(source).text), uses));
            }
        }
        let parsed: Vec<_> = loaded
            .par_iter()
            .map(|(source, text, _)| {
                let mut own = Diagnostics::default();
                let file = parse(text, *source, &mut own);
                (file, own)
            })
            .collect();
        let words = Words::new(merged, nodes, configs);
        for ((file, own), (_, _, uses)) in parsed.into_iter().zip(&loaded) {
            self.file(&words, &file, own.has_errors(), uses, out);
            out.append(own);
        }
        self
    }

    /// Lowers the policies of one file. If that is `broken`, some may be missing that are not.
    fn file(
        &mut self,
        words: &Words<'_, '_>,
        file: &File<'_>,
        broken: bool,
        uses: &[Use],
        out: &mut Diagnostics,
    ) {
        warn_of_unused(file, uses, out);
        let mut names = FileNames::new(words, uses, &mut self.unknowns);
        let mut lowerer = Lowerer::new(file, &mut names, self.as_of, out);
        let mut known: HashMap<&str, Option<FilterId>> = HashMap::new();
        let mut translated: HashMap<&str, Option<Translations>> = HashMap::new();
        let mut translating = Vec::new();
        for one in uses {
            let filter = *known.entry(&one.policy).or_insert_with(|| {
                let lowered = lowerer.policy(&one.policy, out)?;
                self.filters.push(lowered.filter);
                self.ledger.extend(lowered.ledger);
                Some(FilterId::at(self.filters.len() - 1))
            });
            match filter {
                Some(id) => self.bound[one.node].bind(one, id, &self.filters[id.index()], out),
                None if broken => {}
                None => missing(file, one, out),
            }
            if one.to == To::Node {
                let nat =
                    translated.entry(&one.policy).or_insert_with(|| lowerer.translations(&one.policy, out));
                translating.extend(nat.as_ref().map(|nat| (one.node, nat.clone())));
            }
        }
        for (node, translations) in translating {
            self.translate(node, words.nodes[node].name, translations);
        }
    }
}

impl Policies {
    /// Makes a node one that translates. What its translations may touch is neither certainly accepted nor certainly
    /// dropped, and on *may* the node sends anything anywhere (SEMANTICS.md section 4.2). The others pass these lists,
    /// which open nothing for them.
    fn translate(&mut self, node: usize, node_name: Spanned<&str>, translations: Translations) {
        let Translations { name, unknown, touched } = translations;
        let span = unknown.span.unwrap_or(node_name.span);
        let what = format!("what the translations of {} do", node_name.value);
        self.unknowns.push(Unknown { what, ..unknown });
        let unknown = UnknownId::at(self.unknowns.len() - 1);
        let touching = |(number, one): (usize, Touched)| Rule {
            name: (number + 1).to_string(),
            span: one.span,
            matches: one.matches,
            action: Action::Unknown(unknown),
            opens: true,
        };
        let chains = touched.map(|all| {
            let mut rules: Vec<Rule> = all.into_iter().enumerate().map(touching).collect();
            rules.push(Rule {
                name: "untranslated".to_owned(),
                span,
                matches: Vec::new(),
                action: Action::Accept,
                opens: false,
            });
            Chain { name: name.clone(), span, rules, policy: None }
        });
        self.filters.push(Filter {
            name,
            span,
            chains: chains.into(),
            tracks: true,
            relates_own_errors: false,
        });
        let filter = FilterId::at(self.filters.len() - 1);
        let bound = &mut self.bound[node];
        for part in Part::ALL {
            let list = match part {
                Part::Forward => &mut bound.forward,
                Part::Input => &mut bound.input,
                Part::Output => &mut bound.output,
            };
            list.push(Hook { filter, chain: part.position(), family: None });
        }
        bound.havoc = Some(unknown);
    }
}

impl Bound {
    /// Nothing binds a node yet.
    fn of(node: &Settled<'_, '_>) -> Bound {
        let count = node.node.interfaces.as_ref().map_or(0, |map| map.entries.len());
        Bound { interfaces: vec![(Vec::new(), Vec::new()); count], ..Bound::default() }
    }

    fn bind(&mut self, one: &Use, id: FilterId, filter: &Filter, out: &mut Diagnostics) {
        let hook = |part: Part| Hook { filter: id, chain: part.position(), family: None };
        match one.to {
            To::Node => {
                self.input.push(hook(Part::Input));
                self.forward.push(hook(Part::Forward));
                if filters_output(filter) {
                    self.output.push(hook(Part::Output));
                }
            }
            To::Interface(position, stage) => {
                check_list(filter, stage, one.place, out);
                let (ingress, egress) = &mut self.interfaces[position];
                let list = if stage == Stage::Ingress { ingress } else { egress };
                list.push(hook(Part::Forward));
            }
        }
    }
}

/// Everything that names a policy, in the order of the description.
fn uses(merged: &Merged<'_>, nodes: &[Settled<'_, '_>], out: &mut Diagnostics) -> Vec<Use> {
    let mut uses = Vec::new();
    for (node, settled) in nodes.iter().enumerate() {
        let own = settled.policy().map(|said| said.value);
        if let Some(place) = own {
            let one = match place {
                PolicyPlace::File(path) => Some((path.0, Spanned::new(settled.name.value, path.0.span))),
                PolicyPlace::Both(both) => both_of(both),
            };
            uses.extend(one.map(|(file, name)| a_use(merged, file, name, node, To::Node)));
        }
        let file = own.and_then(|place| match place {
            PolicyPlace::File(path) => Some(path.0),
            PolicyPlace::Both(both) => both.file.map(|file| file.0),
        });
        let interfaces = settled.node.interfaces.iter().flat_map(|map| &map.entries).enumerate();
        for (position, interface) in interfaces.filter_map(|(n, named)| Some((n, named.value.as_ref()?))) {
            let lists = [(&interface.policy_in, Stage::Ingress), (&interface.policy_out, Stage::Egress)];
            for (list, stage) in lists.into_iter().filter_map(|(list, stage)| Some((list.as_ref()?, stage))) {
                let one = match list {
                    PolicyName::Both(both) => both_of(both),
                    PolicyName::Name(name) => match file {
                        Some(file) => Some((file, *name)),
                        None => {
                            out.push(no_file(*name));
                            None
                        }
                    },
                };
                uses.extend(
                    one.map(|(file, name)| a_use(merged, file, name, node, To::Interface(position, stage))),
                );
            }
        }
    }
    uses
}

fn both_of<'t>(both: &PolicyBoth<'t>) -> Option<(Spanned<&'t str>, Spanned<&'t str>)> {
    Some((both.file?.0, both.name?.0))
}

fn a_use(merged: &Merged<'_>, file: Spanned<&str>, name: Spanned<&str>, node: usize, to: To) -> Use {
    Use {
        file: relative_to(merged.path(file.span), file.value),
        policy: name.value.to_owned(),
        file_place: file.span,
        place: name.span,
        node,
        to,
    }
}

fn no_file(name: Spanned<&str>) -> Diagnostic {
    let message = format!("the node names no file that the policy `{}` could be in", name.value);
    Diagnostic::error(Code::MissingKey, name.span, message)
        .help("give the node a `policy`, or write `{ file: FILE, name: NAME }` here")
}

fn missing(file: &File<'_>, one: &Use, out: &mut Diagnostics) {
    let message = format!("`{}` has no `policy {}`", one.file.display(), one.policy);
    let known: Vec<&str> = file.policies().map(|policy| policy.name.value).collect();
    let help = out.suggest(&one.policy, known.iter().copied()).unwrap_or_else(|| match one.to {
        To::Node => format!("add `policy {} {{ … }}` to the file, or write `{{ file, name }}`", one.policy),
        To::Interface(..) => format!("add `policy {} {{ … }}` to the file", one.policy),
    });
    out.push(Diagnostic::error(Code::UnknownName, one.place, message).help(help));
}

/// Warns of policies that bind nothing, so that none seems to be in force.
fn warn_of_unused(file: &File<'_>, uses: &[Use], out: &mut Diagnostics) {
    let used: HashSet<&str> = uses.iter().map(|one| one.policy.as_str()).collect();
    let help = "nothing of the description names it, so no packet meets it";
    for policy in file.policies().filter(|policy| !used.contains(policy.name.value)) {
        let message = format!("`policy {}` binds nothing", policy.name.value);
        out.push(Diagnostic::warning(Code::Policy, policy.name.span, message).help(help));
    }
    for nat in nats_without_policy(file) {
        let message = format!("`nat {}` binds nothing", nat.name.value);
        let help = "translations belong to the policy of the same name in the same file";
        out.push(Diagnostic::warning(Code::Policy, nat.name.span, message).help(help));
    }
}
