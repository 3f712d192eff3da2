//! What a plain scalar means: the core schema of YAML 1.2 (section 10.3.2), and nothing of YAML 1.1.

/// The kind of a plain (unquoted) scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plain {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`. `yes`, `no`, `on` and `off` are text.
    Bool(bool),
    /// A whole number in decimal, octal (`0o`) or hexadecimal (`0x`).
    Integer,
    /// A number with a point or an exponent, `.inf` or `.nan`.
    Float,
    /// Anything else.
    Text,
}

impl Plain {
    /// Reads a plain scalar.
    pub(crate) fn of(text: &str) -> Plain {
        // Most texts are names, and their first letter tells.
        if !text.is_empty()
            && !text.starts_with(|first| {
                matches!(first, '~' | 'n' | 'N' | 't' | 'T' | 'f' | 'F' | '+' | '-' | '.' | '0'..='9')
            })
        {
            return Plain::Text;
        }
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
            "true" | "True" | "TRUE" => Plain::Bool(true),
            "false" | "False" | "FALSE" => Plain::Bool(false),
            _ => Plain::number(text),
        }
    }

    fn number(text: &str) -> Plain {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return Plain::Text;
        }
        let octal = text
            .strip_prefix("0o")
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| (b'0'..=b'7').contains(&byte)));
        let hexadecimal = text
            .strip_prefix("0x")
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if digits(unsigned) || octal || hexadecimal {
            return Plain::Integer;
        }
        let infinite = matches!(unsigned, ".inf" | ".Inf" | ".INF");
        if infinite || matches!(text, ".nan" | ".NaN" | ".NAN") {
            return Plain::Float;
        }
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let decimal =
            (digits(whole) && (part.is_empty() || digits(part))) || (whole.is_empty() && digits(part));
        let exponent = exponent.is_none_or(|text| digits(text.strip_prefix(['-', '+']).unwrap_or(text)));
        if decimal && exponent { Plain::Float } else { Plain::Text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema_and_nothing_older() {
        for (text, plain) in [
            ("", Plain::Null),
            ("~", Plain::Null),
            ("true", Plain::Bool(true)),
            ("False", Plain::Bool(false)),
            ("NO", Plain::Text),
            ("yes", Plain::Text),
            ("off", Plain::Text),
            ("12", Plain::Integer),
            ("-0", Plain::Integer),
            ("0o17", Plain::Integer),
            ("0xFf", Plain::Integer),
            ("0x", Plain::Text),
            ("22:22", Plain::Text),
            ("1.5", Plain::Float),
            (".5", Plain::Float),
            ("5.", Plain::Float),
            (".", Plain::Text),
            ("1e3", Plain::Float),
            ("1e", Plain::Text),
            ("-.inf", Plain::Float),
            (".nan", Plain::Float),
            ("10.0.0.1", Plain::Text),
            ("10.0.0.0/8", Plain::Text),
            ("e1", Plain::Text),
        ] {
            assert_eq!(Plain::of(text), plain, "{text}");
        }
    }
}
