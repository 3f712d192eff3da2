//! Tiny networks by chance whose nodes translate addresses.

use super::net::{chain, nowhere, rule};
use super::random::{Case, Chance, case};
use isoaudit::header::{AddressRange, Family};
use isoaudit::model::translation::End;
use isoaudit::model::{
    Action, Assumption, Chain, Filter, FilterId, Hook, NewAddress, NodeId, Role, Rule, Service, Test,
    Translation, Unknown, UnknownId,
};
use std::net::IpAddr;

/// The network of a seed, some nodes of which translate.
pub(crate) fn translating_case(seed: u64) -> Case {
    let mut maker = Maker { chance: Chance::new(seed ^ 0x6e61_7400), case: case(seed) };
    for index in 0..maker.case.network.nodes.len() {
        let node = &maker.case.network.nodes[index];
        let interesting = node.role != Role::Internet && !node.interfaces.is_empty();
        if interesting && maker.chance.percent(55) {
            maker.translate(NodeId::at(index));
        }
    }
    // Answers of anybody to anybody hide what translations do.
    if maker.chance.percent(80) {
        let reason = isoaudit::source::Spanned::new("a test".to_owned(), nowhere());
        maker.case.network.assumptions.insert(Assumption::NoReflection, reason);
    }
    maker.case
}

struct Maker {
    chance: Chance,
    case: Case,
}

impl Maker {
    fn addresses(&self) -> Vec<IpAddr> {
        let own = self.case.network.interfaces.iter().flat_map(|interface| &interface.addresses);
        let mut all: Vec<IpAddr> = own.map(|address| address.net.addr()).collect();
        if all.iter().any(IpAddr::is_ipv4) {
            all.push("192.0.2.1".parse().expect("an address"));
        }
        all
    }

    fn translate(&mut self, node: NodeId) {
        for end in [End::Source, End::Destination] {
            if !self.chance.percent(65) {
                continue;
            }
            let filter = self.filter(end);
            let family = self.chance.percent(15).then(|| self.chance.pick(&Family::ALL));
            let hook = Hook { filter, chain: 0, family };
            let rarely = self.chance.percent(30);
            let opens = self.chance.percent(50);
            let translating = &mut self.case.network.nodes[node.index()].translating;
            translating.opens = opens;
            match (end, rarely) {
                (End::Source, false) => translating.postrouting.push(hook),
                (End::Source, true) => translating.input.push(hook),
                (End::Destination, false) => translating.prerouting.push(hook),
                (End::Destination, true) => translating.output.push(hook),
            }
        }
    }

    fn filter(&mut self, end: End) -> FilterId {
        let mut translations = Vec::new();
        let mut chains: Vec<Chain> = Vec::new();
        let nested = self.chance.percent(25);
        for depth in 0..1 + usize::from(nested) {
            let mut rules = Vec::new();
            for number in 0..1 + self.chance.below(2) {
                let rule = self.rule(end, number, &mut translations);
                rules.push(rule);
            }
            if nested && depth == 0 {
                let action = self.chance.pick(&[Action::Jump(1), Action::Goto(1)]);
                let at = self.chance.below(rules.len() + 1);
                rules.insert(at, Rule { matches: self.matches(), ..rule("call", Vec::new(), action) });
            }
            let policy = self.chance.percent(50).then_some(Action::Accept).filter(|_| depth == 0);
            chains.push(chain(policy, rules));
        }
        let name = "nat".to_owned();
        self.case.network.filters.push(Filter {
            name,
            span: nowhere(),
            chains,
            translations,
            tracks: true,
            relates_own_errors: false,
        });
        FilterId::at(self.case.network.filters.len() - 1)
    }

    fn rule(&mut self, end: End, number: usize, translations: &mut Vec<Translation>) -> Rule {
        let translation = self.translation(end);
        let mut matches = self.matches();
        if let NewAddress::Range(range) = translation.to {
            let test = Test::Family(range.family());
            matches.push(isoaudit::model::Match { test, negated: false, span: nowhere() });
        }
        translations.push(translation);
        let action = match self.chance.below(12) {
            0 => Action::Accept,
            1 => Action::Return,
            _ => Action::Translate(translations.len() - 1),
        };
        Rule { matches, ..rule(&format!("t{number}"), Vec::new(), action) }
    }

    fn matches(&mut self) -> Vec<isoaudit::model::Match> {
        let one = |address: IpAddr| vec![AddressRange::single(address)];
        let addresses = self.addresses();
        let test = match self.chance.below(8) {
            0 | 1 if !addresses.is_empty() => Test::Source(one(self.chance.pick(&addresses))),
            2 | 3 if !addresses.is_empty() => Test::Destination(one(self.chance.pick(&addresses))),
            4 => Test::Service(vec![Service::ports(6, 80, 80)]),
            5 => {
                let unknown = Unknown { what: "a match".to_owned(), span: None, settle: String::new() };
                self.case.network.unknowns.push(unknown);
                Test::Unknown(UnknownId::at(self.case.network.unknowns.len() - 1))
            }
            _ => return Vec::new(),
        };
        vec![isoaudit::model::Match { test, negated: self.chance.percent(20), span: nowhere() }]
    }

    fn translation(&mut self, end: End) -> Translation {
        let addresses = self.addresses();
        let to = match self.chance.below(8) {
            0..=3 if !addresses.is_empty() => {
                NewAddress::Range(AddressRange::single(self.chance.pick(&addresses)))
            }
            4 if addresses.iter().any(IpAddr::is_ipv4) => {
                let [low, high] = ["10.0.1.1", "10.0.1.2"].map(|text| text.parse().expect("an address"));
                NewAddress::Range(AddressRange { low, high })
            }
            5 => NewAddress::Kept,
            _ => NewAddress::Interface,
        };
        let ports = self.chance.percent(25).then(|| self.chance.pick(&[(80, 80), (80, 81)]));
        Translation { end, to, ports, random: self.chance.percent(8), span: nowhere() }
    }
}
