//! The parser of selectors: nom over `&str`, several errors in one text.

use super::{Expr, Selector};
use crate::diag::{Code, Diagnostic, Diagnostics, suggest};
use crate::model::country::{is_jurisdiction, suggest_jurisdiction};
use crate::model::{Network, NodeId, Role, SiteId, VlanId, VrfId, ZoneId};
use crate::source::Span;
use ipnet::IpNet;
use nom::bytes::complete::take_while1;
use nom::character::complete::{char, multispace0};
use nom::error::{ErrorKind, ParseError};
use nom::sequence::terminated;
use nom::{Err, IResult, Offset, Parser};
use std::cell::RefCell;
use std::net::IpAddr;

/// How deep parentheses and `not` may be nested.
const MAX_DEPTH: usize = 64;

/// The keys before a colon, in the order that messages list them.
const KEYS: &[&str] =
    &["jurisdiction", "site", "zone", "node", "role", "vlan", "vrf", "label", "plane", "ip"];

/// Keys of the language that are not decided yet.
const NOT_BUILT: &[&str] = &["service", "store"];

/// Words of other languages for `and`, `or` and `not`.
const OPERATORS: &[(&str, &str)] = &[
    ("&&", "and"),
    ("&", "and"),
    ("||", "or"),
    ("|", "or"),
    ("!", "not"),
    (",", "or"),
    ("-", "not"),
    ("except", "and not"),
];

/// Reads a selector. `span` is the place of the text; if it has another length than the text (a scalar with
/// escapes), every diagnostic points to all of it. `None` if something is wrong, which was reported.
pub fn parse(text: &str, span: Span, network: &Network, diagnostics: &mut Diagnostics) -> Option<Selector> {
    let reader = Reader { text, span, network, noted: RefCell::new(Vec::new()) };
    let expr = match reader.whole(text) {
        Ok((_, expr)) => expr,
        Err(Err::Error(trouble) | Err::Failure(trouble)) => {
            reader.note(token(trouble.at), Code::Selector, trouble.message, trouble.help);
            None
        }
        Err(Err::Incomplete(_)) => None,
    };
    let noted = reader.noted.into_inner();
    let is_good = noted.is_empty();
    noted.into_iter().for_each(|diagnostic| diagnostics.push(diagnostic));
    let expr = expr.filter(|_| is_good)?;
    Some(Selector { expr, text: text.to_owned(), span })
}

/// Why the text cannot be read on.
#[derive(Debug)]
struct Trouble<'t> {
    at: &'t str,
    message: String,
    help: Option<String>,
}

impl<'t> ParseError<&'t str> for Trouble<'t> {
    fn from_error_kind(at: &'t str, _: ErrorKind) -> Trouble<'t> {
        Trouble { at, message: String::new(), help: None }
    }

    fn append(_: &'t str, _: ErrorKind, other: Trouble<'t>) -> Trouble<'t> {
        other
    }
}

type Parsed<'t, T> = IResult<&'t str, T, Trouble<'t>>;

/// An expression, or `None` if something in it was noted.
type Read = Option<Expr>;

struct Reader<'t, 'n> {
    text: &'t str,
    span: Span,
    network: &'n Network,
    noted: RefCell<Vec<Diagnostic>>,
}

fn fail<T>(at: &str, message: impl Into<String>, help: Option<String>) -> Parsed<'_, T> {
    Err(Err::Failure(Trouble { at, message: message.into(), help }))
}

fn is_word(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '(' | ')')
}

fn word(text: &str) -> Parsed<'_, &str> {
    terminated(take_while1(is_word), multispace0).parse(text)
}

/// The word at the beginning, or one character, without taking it.
fn token(text: &str) -> &str {
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    let one = text.chars().next().map_or(0, char::len_utf8);
    &text[..end.max(one)]
}

fn found(text: &str) -> String {
    match token(text) {
        "" => "the end".to_owned(),
        token => format!("`{}`", token.escape_debug()),
    }
}

impl<'t> Reader<'t, '_> {
    /// Notes an error of a part of the text.
    fn note(&self, part: &str, code: Code, message: impl Into<String>, help: Option<String>) {
        let start = self.text.offset(part);
        let exact = (self.span.end - self.span.start) as usize == self.text.len();
        let span = match exact {
            true => {
                let from = self.span.start as usize + start;
                Span::new(self.span.source, from, from + part.len())
            }
            false => self.span,
        };
        self.noted.borrow_mut().push(Diagnostic::error(code, span, message).maybe_help(help));
    }

    fn whole(&self, text: &'t str) -> Parsed<'t, Read> {
        let (text, _) = multispace0::<_, Trouble<'_>>(text)?;
        let (rest, expr) = self.or(text, 0)?;
        if rest.is_empty() {
            return Ok((rest, expr));
        }
        let help = match rest.starts_with(')') {
            true => Some("no parenthesis is open here: leave it out".to_owned()),
            false => self.operator(rest),
        };
        fail(rest, format!("expected `and`, `or` or the end, found {}", found(rest)), help)
    }

    /// What a word between two atoms should be.
    fn operator(&self, text: &str) -> Option<String> {
        let word = token(text);
        let foreign = OPERATORS.iter().find(|(foreign, _)| *foreign == word);
        let help =
            foreign.map(|(_, ours)| format!("write `{ours}`")).or_else(|| suggest(word, ["and", "or"]));
        let stands = !word.is_empty() && !word.starts_with(')');
        help.or_else(|| stands.then(|| "write `and` or `or` between two selectors".to_owned()))
    }

    fn or(&self, text: &'t str, depth: usize) -> Parsed<'t, Read> {
        self.chain(text, "or", &|text| self.and(text, depth), Expr::Or)
    }

    fn and(&self, text: &'t str, depth: usize) -> Parsed<'t, Read> {
        self.chain(text, "and", &|text| self.not(text, depth), Expr::And)
    }

    /// One or more parts with a word between them.
    fn chain(
        &self,
        text: &'t str,
        between: &str,
        part: &dyn Fn(&'t str) -> Parsed<'t, Read>,
        make: fn(Vec<Expr>) -> Expr,
    ) -> Parsed<'t, Read> {
        let (mut rest, first) = part(text)?;
        let mut parts = vec![first];
        while token(rest) == between {
            let (behind, _) = word(rest)?;
            let (behind, next) = part(behind)?;
            parts.push(next);
            rest = behind;
        }
        let mut parts: Vec<Expr> = match parts.into_iter().collect::<Option<_>>() {
            Some(parts) => parts,
            None => return Ok((rest, None)),
        };
        let expr = if parts.len() == 1 { parts.pop() } else { Some(make(parts)) };
        Ok((rest, expr))
    }

    fn not(&self, text: &'t str, depth: usize) -> Parsed<'t, Read> {
        if depth > MAX_DEPTH {
            return fail(text, format!("`not` and parentheses are nested more than {MAX_DEPTH} deep"), None);
        }
        if token(text) == "not" {
            let (rest, _) = word(text)?;
            let (rest, inner) = self.not(rest, depth + 1)?;
            return Ok((rest, inner.map(|inner| Expr::Not(Box::new(inner)))));
        }
        if text.starts_with('(') {
            let open = text;
            let (rest, _) = terminated(char::<_, Trouble<'_>>('('), multispace0).parse(text)?;
            let (rest, inner) = self.or(rest, depth + 1)?;
            let close = terminated(char::<_, Trouble<'_>>(')'), multispace0).parse(rest);
            return match close {
                Ok((rest, _)) => Ok((rest, inner)),
                Err(_) => {
                    let column = self.text.offset(open) + 1;
                    let help = self.operator(rest);
                    let help =
                        help.or_else(|| Some(format!("the parenthesis at character {column} is open")));
                    fail(rest, format!("expected `and`, `or` or `)`, found {}", found(rest)), help)
                }
            };
        }
        self.atom(text)
    }

    fn atom(&self, text: &'t str) -> Parsed<'t, Read> {
        let Ok((rest, found_word)) = word(text) else {
            return fail(text, format!("expected a selector, found {}", found(text)), Some(example()));
        };
        match found_word {
            "any" => return Ok((rest, Some(Expr::Any))),
            "internet" => return Ok((rest, Some(Expr::Internet))),
            "and" | "or" => {
                return fail(text, format!("expected a selector, found `{found_word}`"), Some(example()));
            }
            _ => {}
        }
        let Some((key, value)) = found_word.split_once(':') else {
            let help = self.bare(found_word);
            return fail(text, format!("expected a selector, found {}", found(text)), Some(help));
        };
        if value.is_empty() {
            let help = match token(rest) {
                "" => example(),
                next => format!("nothing stands between the colon and the name: `{key}:{next}`"),
            };
            return fail(text, format!("expected a name behind `{key}:`"), Some(help));
        }
        Ok((rest, self.keyed(found_word, key, value)))
    }

    /// What a word without a colon may have been meant as.
    fn bare(&self, word: &str) -> String {
        let network = self.network;
        if let Some((_, ours)) = OPERATORS.iter().find(|(foreign, _)| *foreign == word) {
            return format!("write `{ours}`");
        }
        if network.nodes.iter().any(|node| node.name == word) {
            return format!("did you mean `node:{word}`?");
        }
        if network.zones.iter().any(|zone| zone.name == word) {
            return format!("did you mean `zone:{word}`?");
        }
        if network.sites.iter().any(|site| site.name == word) {
            return format!("did you mean `site:{word}`?");
        }
        if is_jurisdiction(word) {
            return format!("did you mean `jurisdiction:{word}`?");
        }
        suggest(word, ["any", "internet", "not"]).unwrap_or_else(example)
    }

    /// `KEY:VALUE`; what is wrong with it is noted, and reading goes on behind it.
    fn keyed(&self, whole: &'t str, key: &'t str, value: &'t str) -> Read {
        let network = self.network;
        match key {
            "jurisdiction" => self.jurisdiction(value),
            "site" => {
                let names = network.sites.iter().map(|site| site.name.as_str());
                self.lookup("site", value, names).map(|at| Expr::Site(SiteId::at(at)))
            }
            "zone" => {
                let names = network.zones.iter().map(|zone| zone.name.as_str());
                self.lookup("zone", value, names).map(|at| Expr::Zone(ZoneId::at(at)))
            }
            "node" => {
                let names = network.nodes.iter().map(|node| node.name.as_str());
                self.lookup("node", value, names).map(|at| Expr::Node(NodeId::at(at)))
            }
            "vlan" => {
                let names = network.vlans.iter().map(|vlan| vlan.name.as_str());
                self.lookup("VLAN", value, names).map(|at| Expr::Vlan(VlanId::at(at)))
            }
            "vrf" => {
                let names = network.vrfs.iter().map(|vrf| vrf.name.as_str());
                self.lookup("VRF", value, names).map(|at| Expr::Vrf(VrfId::at(at)))
            }
            "role" => {
                let words =
                    ROLES.iter().map(Role::word).chain(network.nodes.iter().map(|node| node.role.word()));
                self.lookup("node of role", value, words).map(|_| Expr::Role(value.to_owned()))
            }
            "plane" => {
                let planes = network.zones.iter().filter_map(|zone| zone.plane.as_deref());
                self.lookup("zone of plane", value, planes).map(|_| Expr::Plane(value.to_owned()))
            }
            "label" => self.label(value),
            "ip" => self.prefix(value),
            key if NOT_BUILT.contains(&key) => {
                let message = format!("this version does not decide `{key}:` yet");
                self.note(whole, Code::NotBuilt, message, Some("select its node: `node:NAME`".to_owned()));
                None
            }
            _ => {
                let negated = key.strip_prefix('!').map(|key| format!("write `not {key}:{value}`"));
                let help = suggest(key, KEYS.iter().copied().chain(NOT_BUILT.iter().copied()));
                let listed = KEYS.iter().map(|key| format!("`{key}:`")).collect::<Vec<_>>().join(", ");
                let help = negated.or(help).unwrap_or_else(|| format!("one of {listed}"));
                self.note(key, Code::Selector, format!("no selector `{key}:`"), Some(help));
                None
            }
        }
    }

    /// The position of a name.
    fn lookup<'a>(
        &self,
        what: &str,
        name: &'t str,
        mut known: impl Iterator<Item = &'a str> + Clone,
    ) -> Option<usize> {
        let all = known.clone();
        let position = known.position(|known| known == name);
        if position.is_none() {
            let message = format!("there is no {what} `{}`", name.escape_debug());
            self.note(name, Code::UnknownName, message, suggest(name, all));
        }
        position
    }

    fn jurisdiction(&self, value: &'t str) -> Read {
        if is_jurisdiction(value) {
            return Some(Expr::Jurisdiction(value.to_owned()));
        }
        let message = format!("`{}` is not the code of a country", value.escape_debug());
        self.note(value, Code::BadValue, message, Some(suggest_jurisdiction(value)));
        None
    }

    fn label(&self, value: &'t str) -> Read {
        let Some((key, word)) = value.split_once('=') else {
            let message = format!("`{}` is not a label", value.escape_debug());
            self.note(value, Code::Selector, message, Some("write `label:KEY=VALUE`".to_owned()));
            return None;
        };
        let nodes = self.network.nodes.iter().flat_map(|node| node.labels.iter());
        let zones = self.network.zones.iter().flat_map(|zone| zone.labels.iter());
        let interfaces = self.network.interfaces.iter().flat_map(|interface| interface.labels.iter());
        let all = nodes.chain(interfaces).chain(zones);
        let known: Vec<String> = all.map(|(key, value)| format!("{key}={value}")).collect();
        self.lookup("label", value, known.iter().map(String::as_str))?;
        Some(Expr::Label(key.to_owned(), word.to_owned()))
    }

    fn prefix(&self, value: &'t str) -> Read {
        let address = value.parse::<IpAddr>().map(IpNet::from).ok();
        let Some(net) = address.or_else(|| value.parse::<IpNet>().ok()) else {
            let message = format!("`{}` is not an address or a prefix", value.escape_debug());
            self.note(value, Code::Address, message, Some("such as `ip:10.0.0.0/8`".to_owned()));
            return None;
        };
        if net != net.trunc() {
            let message = format!("`{value}` has host bits: it is an address inside of a prefix");
            let help = format!("write `{}` for the prefix, or `{}` for the address", net.trunc(), net.addr());
            self.note(value, Code::Address, message, Some(help));
            return None;
        }
        Some(Expr::Ip(net))
    }
}

/// The roles that every network knows.
const ROLES: &[Role] = &[Role::Router, Role::Firewall, Role::Gateway, Role::Switch, Role::Host];

fn example() -> String {
    "such as `jurisdiction:CN`, `zone:app`, `node:db1`, `ip:10.0.0.0/8`, `internet` or `any`".to_owned()
}
