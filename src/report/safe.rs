//! The one door through which foreign text reaches a report.
//!
//! Names, comments and file contents come from pull requests. Printed as they are, they could move the
//! cursor, hide what follows, or reorder a line so that `deny` reads as `allow` (CVE-2021-42574, "Trojan
//! Source"). So everything that is not a visible character is written as an escape.

use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Number of characters of one text that a report prints; the rest is counted.
const LENGTH_MAX: usize = 2_000;

/// Number of combining marks that may stand on one character. Real scripts need two or three.
const MARKS_MAX: usize = 3;

/// Ranges of characters that have no picture of their own, or change how their neighbours are drawn. Control
/// characters are asked of the standard library. Source: Unicode 16, properties `Bidi_Control`,
/// `Default_Ignorable_Code_Point`, `White_Space`, and the general categories Zl, Zp and Cf.
const INVISIBLE: &[(char, char)] = &[
    ('\u{00a0}', '\u{00a0}'),
    ('\u{00ad}', '\u{00ad}'),
    ('\u{034f}', '\u{034f}'),
    ('\u{0600}', '\u{0605}'),
    ('\u{061c}', '\u{061c}'),
    ('\u{06dd}', '\u{06dd}'),
    ('\u{070f}', '\u{070f}'),
    ('\u{0890}', '\u{0891}'),
    ('\u{08e2}', '\u{08e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{2000}', '\u{200f}'),
    ('\u{2028}', '\u{202f}'),
    ('\u{205f}', '\u{206f}'),
    ('\u{3000}', '\u{3000}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{fffe}', '\u{ffff}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
    ('\u{f0000}', '\u{10ffff}'),
];

/// Whether a character shows itself, and nothing else, when it is printed.
pub fn is_visible(character: char) -> bool {
    !character.is_control() && !INVISIBLE.iter().any(|(first, last)| (*first..=*last).contains(&character))
}

/// Whether a character is drawn on top of the one before it.
fn is_mark(character: char) -> bool {
    character.width() == Some(0)
}

/// Each character with its byte offset, as it may be printed: itself, or an escape such as `\n`, `\t`,
/// `\u{202e}`.
pub fn pieces(text: &str) -> impl Iterator<Item = (usize, Cow<'_, str>)> {
    // A mark at the very beginning would stand on a character of ours.
    let mut marks = MARKS_MAX;
    text.char_indices().map(move |(at, character)| {
        marks = if is_mark(character) { marks + 1 } else { 0 };
        if is_visible(character) && marks <= MARKS_MAX {
            return (at, Cow::Borrowed(text.get(at..at + character.len_utf8()).unwrap_or("")));
        }
        let escape = match character {
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            other => escape(other),
        };
        (at, Cow::Owned(escape))
    })
}

/// A character as its number: `\u{202e}`.
pub fn escape(character: char) -> String {
    format!("\\u{{{:x}}}", u32::from(character))
}

/// The text as it may be printed, see [`pieces`]. Texts of more than 2,000 characters are cut, and say so.
pub fn safe(text: &str) -> Cow<'_, str> {
    if text.len() <= LENGTH_MAX && text.chars().all(|c| is_visible(c) && !is_mark(c)) {
        return Cow::Borrowed(text);
    }
    let mut out: String = pieces(text).take(LENGTH_MAX).map(|(_, piece)| piece).collect();
    let left = text.chars().skip(LENGTH_MAX).count();
    if left > 0 {
        out.push_str(&format!("… ({left} more characters)"));
    }
    Cow::Owned(out)
}

/// Number of terminal columns that a text takes. Meant for texts that went through [`safe`].
pub fn columns(text: &str) -> usize {
    text.width()
}

/// The text in at most `max` columns: if it is longer, its middle is replaced by `mark`, whole words if it has some.
pub fn elide<'a>(text: &'a str, max: usize, mark: &str) -> Cow<'a, str> {
    if columns(text) <= max {
        return Cow::Borrowed(text);
    }
    if let Some(short) = elide_words(text, max, mark) {
        return Cow::Owned(short);
    }
    let room = max.saturating_sub(columns(mark));
    let tail_room = room / 2;
    let head = take_columns(text.chars(), room - tail_room);
    let tail: String = take_columns(text.chars().rev(), tail_room).chars().rev().collect();
    Cow::Owned(format!("{head}{mark}{tail}"))
}

/// The first and the last words of a text around a mark, if at least one of each fits. The last ones, which tell names
/// apart, get two thirds of the room.
fn elide_words(text: &str, max: usize, mark: &str) -> Option<String> {
    let words: Vec<&str> = text.split(' ').collect();
    let room = max.checked_sub(columns(mark) + 2)?;
    let tail = most((0..words.len()).rev().map(|from| words[from..].join(" ")), room * 2 / 3)?;
    let head = most((1..=words.len()).map(|to| words[..to].join(" ")), room - columns(&tail))?;
    Some(format!("{head} {mark} {tail}"))
}

/// The last of growing texts that fits in `max` columns.
fn most(growing: impl Iterator<Item = String>, max: usize) -> Option<String> {
    growing.take_while(|text| columns(text) <= max).last()
}

/// The text in at most `max` columns: if it is longer, its beginning is replaced by `mark`. For paths, whose
/// end tells them apart.
pub fn elide_left<'a>(text: &'a str, max: usize, mark: &str) -> Cow<'a, str> {
    if columns(text) <= max {
        return Cow::Borrowed(text);
    }
    let tail: String =
        take_columns(text.chars().rev(), max.saturating_sub(columns(mark))).chars().rev().collect();
    Cow::Owned(format!("{mark}{tail}"))
}

/// As many characters as fit in `max` columns.
pub fn take_columns(characters: impl Iterator<Item = char>, max: usize) -> String {
    let mut used = 0;
    characters
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= max
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_left_alone() {
        for text in ["fw-de", "web front", "Zürich", "防火墙", "e\u{301}te\u{301}", ""] {
            assert_eq!(safe(text), text);
        }
    }

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        for (text, expected) in [
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\nb\tc\r", "a\\nb\\tc\\r"),
            ("al\u{202e}low", "al\\u{202e}low"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("fw\u{200b}1", "fw\\u{200b}1"),
            ("fw\u{00ad}1", "fw\\u{ad}1"),
            ("a\u{00a0}b", "a\\u{a0}b"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{7f}", "\\u{7f}"),
            ("x\u{e0041}", "x\\u{e0041}"),
            ("x\u{2028}y", "x\\u{2028}y"),
            ("\u{feff}x", "\\u{feff}x"),
            ("\u{0}", "\\u{0}"),
        ] {
            assert_eq!(safe(text), expected, "{text:?}");
        }
    }

    #[test]
    fn marks_neither_pile_up_nor_stand_on_our_text() {
        assert_eq!(safe("a\u{301}\u{301}\u{301}\u{301}"), "a\u{301}\u{301}\u{301}\\u{301}");
        assert_eq!(safe("\u{301}a"), "\\u{301}a");
    }

    #[test]
    fn every_character_comes_out_visible() {
        for character in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let text = format!("a{character}");
            assert!(safe(&text).chars().all(is_visible), "U+{:04X}", u32::from(character));
        }
    }

    #[test]
    fn long_texts_are_cut_and_say_so() {
        let long = "x".repeat(LENGTH_MAX + 5);
        assert!(safe(&long).ends_with("xx… (5 more characters)"));
        let zalgo = "\u{301}".repeat(100_000);
        assert!(safe(&zalgo).len() < 30_000);
    }

    #[test]
    fn elision_counts_columns() {
        assert_eq!(elide("firewall-frankfurt-1", 11, "…"), "firew…urt-1");
        assert_eq!(elide("防火墙防火墙", 7, "…"), "防…墙");
        assert_eq!(elide("short", 5, "…"), "short");
        let wrapper = "anyone who can wrap packets for tunnel gui-sin";
        assert_eq!(elide(wrapper, 26, "…"), "anyone … tunnel gui-sin");
        assert_eq!(elide("vlan app (110) at sto1-sw0", 24, "…"), "vlan app … at sto1-sw0");
        assert_eq!(elide("a-very-long-name of-two-words", 12, "…"), "a-very…words");
        assert_eq!(elide("abcdef", 0, "…"), "…");
        assert_eq!(elide_left("policies/deep/fw.rules:7", 12, "…"), "…/fw.rules:7");
    }
}
