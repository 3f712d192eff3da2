//! Country codes: ISO 3166-1 alpha-2, and the shape of ISO 3166-2 for their parts.

/// The 249 codes that ISO 3166-1 assigns, sorted.
pub const CODES: &[&str] = &[
    "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX", "AZ", "BA",
    "BB", "BD", "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR", "BS", "BT", "BV",
    "BW", "BY", "BZ", "CA", "CC", "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN", "CO", "CR", "CU",
    "CV", "CW", "CX", "CY", "CZ", "DE", "DJ", "DK", "DM", "DO", "DZ", "EC", "EE", "EG", "EH", "ER", "ES",
    "ET", "FI", "FJ", "FK", "FM", "FO", "FR", "GA", "GB", "GD", "GE", "GF", "GG", "GH", "GI", "GL", "GM",
    "GN", "GP", "GQ", "GR", "GS", "GT", "GU", "GW", "GY", "HK", "HM", "HN", "HR", "HT", "HU", "ID", "IE",
    "IL", "IM", "IN", "IO", "IQ", "IR", "IS", "IT", "JE", "JM", "JO", "JP", "KE", "KG", "KH", "KI", "KM",
    "KN", "KP", "KR", "KW", "KY", "KZ", "LA", "LB", "LC", "LI", "LK", "LR", "LS", "LT", "LU", "LV", "LY",
    "MA", "MC", "MD", "ME", "MF", "MG", "MH", "MK", "ML", "MM", "MN", "MO", "MP", "MQ", "MR", "MS", "MT",
    "MU", "MV", "MW", "MX", "MY", "MZ", "NA", "NC", "NE", "NF", "NG", "NI", "NL", "NO", "NP", "NR", "NU",
    "NZ", "OM", "PA", "PE", "PF", "PG", "PH", "PK", "PL", "PM", "PN", "PR", "PS", "PT", "PW", "PY", "QA",
    "RE", "RO", "RS", "RU", "RW", "SA", "SB", "SC", "SD", "SE", "SG", "SH", "SI", "SJ", "SK", "SL", "SM",
    "SN", "SO", "SR", "SS", "ST", "SV", "SX", "SY", "SZ", "TC", "TD", "TF", "TG", "TH", "TJ", "TK", "TL",
    "TM", "TN", "TO", "TR", "TT", "TV", "TW", "TZ", "UA", "UG", "UM", "US", "UY", "UZ", "VA", "VC", "VE",
    "VG", "VI", "VN", "VU", "WF", "WS", "YE", "YT", "ZA", "ZM", "ZW",
];

/// Words that people write for a country and that ISO 3166-1 does not assign to it, with the code that is meant.
const SLIPS: &[(&str, &str)] =
    &[("UK", "GB"), ("EL", "GR"), ("SU", "RU"), ("TP", "TL"), ("ZR", "CD"), ("BU", "MM")];

/// Whether a text is an assigned country code, or the code of a part of one: the country's code, a hyphen,
/// and one to three capital letters or digits (`US-CA`). Which parts a country has is not checked.
pub fn is_jurisdiction(text: &str) -> bool {
    let (country, part) = match text.split_once('-') {
        Some((country, part)) => (country, Some(part)),
        None => (text, None),
    };
    let has_shape = |part: &str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    CODES.binary_search(&country).is_ok() && part.is_none_or(has_shape)
}

/// What to write in place of a text that is no jurisdiction, as a help line.
pub fn suggest_jurisdiction(text: &str) -> String {
    let upper = text.to_uppercase();
    if is_jurisdiction(&upper) {
        return format!("codes are in capitals: `{upper}`");
    }
    match SLIPS.iter().find(|(slip, _)| *slip == upper) {
        Some((_, code)) => format!("did you mean `{code}`?"),
        None => {
            "a two-letter code of ISO 3166-1 such as `CN`, or one of ISO 3166-2 such as `US-CA`".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_whole() {
        assert_eq!(CODES.len(), 249);
        assert!(CODES.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn countries_and_their_parts() {
        for (text, good) in [
            ("CN", true),
            ("NO", true),
            ("US-CA", true),
            ("CN-44", true),
            ("GB-ENG", true),
            ("cn", false),
            ("UK", false),
            ("XX", false),
            ("CHN", false),
            ("", false),
            ("US-", false),
            ("US-ABCD", false),
            ("US-ca", false),
        ] {
            assert_eq!(is_jurisdiction(text), good, "{text}");
        }
        assert_eq!(suggest_jurisdiction("UK"), "did you mean `GB`?");
        assert_eq!(suggest_jurisdiction("cn"), "codes are in capitals: `CN`");
    }
}
