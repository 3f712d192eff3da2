//! The scalars of the description: addresses, prefixes, countries, ends of links, paths.

use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::input::decode::{Definitions, Shape, check_name, found, shorten, text_of};
use crate::input::yaml::{NodeRef, Plain};
use crate::source::{Span, Spanned};
use ipnet::IpNet;
use serde_json::json;
use std::net::IpAddr;

fn refuse<T>(
    code: Code,
    span: Span,
    message: String,
    help: impl Into<String>,
    out: &mut Diagnostics,
) -> Option<T> {
    out.push(Diagnostic::error(code, span, message).help(help));
    None
}

/// The country, or part of one, that something is in. Whether it exists is for the builder to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Country<'t>(pub(crate) Spanned<&'t str>);

impl<'t> Shape<'t> for Country<'t> {
    const WANTED: &'static str = "a country code";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        if let Some(Plain::Bool(_)) = node.scalar().map(|scalar| scalar.plain()) {
            // Tools that read YAML 1.1 rewrite an unquoted NO as `false`.
            let message = format!("expected a country code, found {}", found(node));
            let help = "did you mean Norway, written \"NO\"?";
            return refuse(Code::WrongType, node.span(), message, help, out);
        }
        text_of(node, Self::WANTED, out).map(Country)
    }

    fn schema(definitions: &mut Definitions) -> serde_json::Value {
        definitions.reference("country", |_| {
            json!({
                "description": "A country by ISO 3166-1 alpha-2, or a part of one by ISO 3166-2.",
                "type": "string",
                "pattern": "^[A-Z]{2}(-[A-Z0-9]{1,3})?$",
            })
        })
    }

    fn emit(&self) -> serde_yaml::Value {
        self.0.value.into()
    }
}

/// An address with the length of its prefix, as interfaces have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InterfaceAddress<const V6: bool>(pub(crate) Spanned<IpNet>);

impl<'t, const V6: bool> Shape<'t> for InterfaceAddress<V6> {
    const WANTED: &'static str = match V6 {
        true => "an IPv6 address with a length such as `2001:db8::1/64`",
        false => "an IPv4 address with a length such as `192.0.2.1/24`",
    };

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        let Spanned { value, span } = text_of(node, Self::WANTED, out)?;
        let is_v6 = match net(value) {
            Some(net) if matches!(net, IpNet::V6(_)) == V6 => return Some(Self(Spanned::new(net, span))),
            Some(net) => matches!(net, IpNet::V6(_)),
            None => return malformed(value, span, Self::WANTED, out),
        };
        let (family, key) = if is_v6 { ("IPv6", "ipv6") } else { ("IPv4", "ipv4") };
        let message = format!("`{}` is an {family} address", shorten(value));
        refuse(Code::Address, span, message, format!("write it under `{key}`"), out)
    }

    fn schema(definitions: &mut Definitions) -> serde_json::Value {
        let name = if V6 { "ipv6-interface" } else { "ipv4-interface" };
        let pattern = if V6 { "^[0-9A-Fa-f:.]+/[0-9]{1,3}$" } else { "^[0-9.]+/[0-9]{1,2}$" };
        let description = "An address with the length of its prefix.";
        definitions
            .reference(name, |_| json!({ "description": description, "type": "string", "pattern": pattern }))
    }

    fn emit(&self) -> serde_yaml::Value {
        self.0.value.to_string().into()
    }
}

/// Reads an address with a length. Stricter than `ipnet`, which takes leading zeros: other tools read such
/// numbers as octal.
fn net(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/')?;
    let is_plain =
        length.bytes().all(|byte| byte.is_ascii_digit()) && (length == "0" || !length.starts_with('0'));
    IpNet::new(address.parse().ok()?, length.parse().ok().filter(|_| is_plain)?).ok()
}

/// Reports a text that is no address, saying what is wrong with it.
fn malformed<T>(text: &str, span: Span, wanted: &str, out: &mut Diagnostics) -> Option<T> {
    let quoted = shorten(text);
    if let Ok(address) = text.parse::<IpAddr>() {
        let length = if address.is_ipv4() { 24 } else { 64 };
        let message = format!("`{quoted}` has no length");
        return refuse(Code::Address, span, message, format!("write it as `{address}/{length}`, say"), out);
    }
    if let Some((address, length)) = text.split_once('/') {
        if let Ok(address) = address.parse::<IpAddr>() {
            let most = if address.is_ipv4() { 32 } else { 128 };
            let message = format!("`{}` is no length of a prefix", shorten(length));
            return refuse(Code::Address, span, message, format!("a number from 0 to {most}"), out);
        }
    }
    let octets: Vec<&str> = text.split(['.', '/']).collect();
    let leading_zero = |octet: &&str| octet.len() > 1 && octet.starts_with('0');
    if octets.len() >= 4 && octets.iter().any(leading_zero) {
        let message = format!("`{quoted}` has a number with a leading zero");
        return refuse(
            Code::Address,
            span,
            message,
            "some tools read such numbers as octal; remove the zero",
            out,
        );
    }
    refuse(Code::Address, span, format!("`{quoted}` is not {wanted}"), "check the digits", out)
}

/// An address alone, as next hops and gateways are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlainAddress(pub(crate) Spanned<IpAddr>);

impl<'t> Shape<'t> for PlainAddress {
    const WANTED: &'static str = "an address";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        let Spanned { value, span } = text_of(node, Self::WANTED, out)?;
        match value.parse::<IpAddr>() {
            Ok(address) => Some(PlainAddress(Spanned::new(address, span))),
            Err(_) if net(value).is_some() => {
                let message = format!("`{}` has a length", shorten(value));
                refuse(Code::Address, span, message, "write the address alone", out)
            }
            Err(_) => {
                let message = format!("`{}` is not an address", shorten(value));
                refuse(Code::Address, span, message, "such as `192.0.2.1` or `2001:db8::1`", out)
            }
        }
    }

    fn schema(definitions: &mut Definitions) -> serde_json::Value {
        definitions.reference(
            "address",
            |_| json!({ "description": "An address.", "type": "string", "pattern": "^[0-9A-Fa-f:.]+$" }),
        )
    }

    fn emit(&self) -> serde_yaml::Value {
        self.0.value.to_string().into()
    }
}

/// Where a route leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// `default`: everything, of the family of the next hop.
    Default,
    /// The addresses of a prefix, which has no host bits.
    Prefix(IpNet),
}

impl<'t> Shape<'t> for Spanned<Target> {
    const WANTED: &'static str = "a prefix such as `10.0.0.0/8`, or `default`";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        let Spanned { value, span } = text_of(node, Self::WANTED, out)?;
        if value == "default" {
            return Some(Spanned::new(Target::Default, span));
        }
        match net(value) {
            Some(net) if net.trunc() == net => Some(Spanned::new(Target::Prefix(net), span)),
            Some(net) => {
                let message = format!("`{}` has host bits", shorten(value));
                let own = IpNet::from(net.addr());
                let help = format!("write `{}`, or `{own}` for one address", net.trunc());
                refuse(Code::Address, span, message, help, out)
            }
            None => malformed(value, span, Self::WANTED, out),
        }
    }

    fn schema(definitions: &mut Definitions) -> serde_json::Value {
        definitions.reference("destination", |_| {
            json!({
                "description": "A prefix without host bits, or `default`.",
                "type": "string",
                "pattern": "^(default|[0-9A-Fa-f:.]+/[0-9]{1,3})$",
            })
        })
    }

    fn emit(&self) -> serde_yaml::Value {
        match self.value {
            Target::Default => "default".into(),
            Target::Prefix(net) => net.to_string().into(),
        }
    }
}

/// An end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End<'t> {
    /// The built-in place outside every jurisdiction.
    Internet,
    /// `node:interface`.
    Interface {
        /// The node.
        node: Spanned<&'t str>,
        /// The interface.
        interface: Spanned<&'t str>,
    },
}

impl<'t> Shape<'t> for Spanned<End<'t>> {
    const WANTED: &'static str = "an end of a link such as `fw1:eth0`, or `internet`";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        let whole = text_of(node, Self::WANTED, out)?;
        if whole.value == "internet" {
            return Some(Spanned::new(End::Internet, whole.span));
        }
        let Some((name, interface)) = whole.value.split_once(':') else {
            let message = format!("`{}` names no interface", shorten(whole.value));
            return refuse(Code::BadValue, whole.span, message, "write it as `node:interface`", out);
        };
        if name == "internet" {
            let message = "`internet` has no interfaces".to_owned();
            return refuse(Code::BadValue, whole.span, message, "write `internet` alone", out);
        }
        // The parts are placed inside the text only if it stands there as it is, without escapes.
        let span = whole.span;
        let exact = (span.end - span.start) as usize == whole.value.len();
        let part = |offset: usize, part: &'t str| {
            let start = span.start as usize + offset;
            let own = Span::new(span.source, start, start + part.len());
            Spanned::new(part, if exact { own } else { span })
        };
        let (name, interface) = (part(0, name), part(name.len() + 1, interface));
        if !check_name(name, out) | !check_name(interface, out) {
            return None;
        }
        Some(Spanned::new(End::Interface { node: name, interface }, span))
    }

    fn schema(definitions: &mut Definitions) -> serde_json::Value {
        definitions.reference("end", |_| {
            json!({
                "description": "`node:interface`, or `internet`.",
                "type": "string",
                "pattern": "^(internet|[^\\s:]+:[^\\s:]+)$",
            })
        })
    }

    fn emit(&self) -> serde_yaml::Value {
        match self.value {
            End::Internet => "internet".into(),
            End::Interface { node, interface } => format!("{}:{}", node.value, interface.value).into(),
        }
    }
}

/// A path relative to the file that names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PathText<'t>(pub(crate) Spanned<&'t str>);

impl<'t> Shape<'t> for PathText<'t> {
    const WANTED: &'static str = "a path";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        let path = text_of(node, Self::WANTED, out)?;
        if path.value.is_empty() || path.value.chars().any(char::is_control) {
            let message = format!("`{}` is no path", shorten(path.value));
            return refuse(
                Code::BadValue,
                path.span,
                message,
                "name a file below the directory of the topology",
                out,
            );
        }
        Some(PathText(path))
    }

    fn schema(definitions: &mut Definitions) -> serde_json::Value {
        definitions.reference("path", |_| {
            json!({ "description": "A path relative to this file, inside its root.", "type": "string", "minLength": 1 })
        })
    }

    fn emit(&self) -> serde_yaml::Value {
        self.0.value.into()
    }
}

/// The version of the format. There is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version;

impl<'t> Shape<'t> for Version {
    const WANTED: &'static str = "the format version `1`";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        match node.scalar() {
            Some(scalar) if !scalar.quoted && scalar.text == "1" => Some(Version),
            Some(_) | None => {
                let message = format!("expected {}, found {}", Self::WANTED, found(node));
                refuse(
                    Code::BadValue,
                    node.span(),
                    message,
                    "this version of isoaudit reads `isoaudit: 1`",
                    out,
                )
            }
        }
    }

    fn schema(_: &mut Definitions) -> serde_json::Value {
        json!({ "const": 1 })
    }

    fn emit(&self) -> serde_yaml::Value {
        1.into()
    }
}

/// A VLAN tag (IEEE 802.1Q section 9.6: 0 and 4095 are reserved).
#[derive(Debug, Clone, Copy)]
pub(crate) struct TagNumber(pub(crate) Spanned<u16>);

impl<'t> Shape<'t> for TagNumber {
    const WANTED: &'static str = "a VLAN tag from 1 to 4094";

    fn decode(node: NodeRef<'t>, out: &mut Diagnostics) -> Option<Self> {
        let number = node.scalar().filter(|scalar| scalar.plain() == Plain::Integer);
        match number.and_then(|scalar| scalar.text.parse::<u16>().ok()) {
            Some(tag) if (1..=4094).contains(&tag) => Some(TagNumber(Spanned::new(tag, node.span()))),
            Some(_) | None => {
                let message = format!("expected {}, found {}", Self::WANTED, found(node));
                refuse(Code::Link, node.span(), message, "0 and 4095 are reserved by IEEE 802.1Q", out)
            }
        }
    }

    fn schema(_: &mut Definitions) -> serde_json::Value {
        json!({ "type": "integer", "minimum": 1, "maximum": 4094 })
    }

    fn emit(&self) -> serde_yaml::Value {
        self.0.value.into()
    }
}
