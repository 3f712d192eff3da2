//! From the parser's positions, which count characters, to bytes.

/// Number of characters between two checkpoints.
const STRIDE: usize = 64;

/// Byte offsets of a text's characters.
pub(super) struct Places<'t> {
    text: &'t str,
    /// The byte offset of every 64th character; empty if each character is one byte.
    checkpoints: Vec<u32>,
}

impl<'t> Places<'t> {
    /// Indexes a text. A text of ASCII alone costs nothing.
    pub(super) fn new(text: &'t str) -> Places<'t> {
        let checkpoints = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().step_by(STRIDE).map(|(offset, _)| offset as u32).collect()
        };
        Places { text, checkpoints }
    }

    /// The byte offset of a character; the end of the text for those behind it.
    pub(super) fn byte(&self, character: usize) -> usize {
        if self.checkpoints.is_empty() {
            return character.min(self.text.len());
        }
        let Some(start) = self.checkpoints.get(character / STRIDE) else { return self.text.len() };
        let start = *start as usize;
        let rest = self.text.get(start..).unwrap_or("");
        rest.char_indices().nth(character % STRIDE).map_or(self.text.len(), |(offset, _)| start + offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_has_its_byte() {
        for text in ["", "plain", &"aé漢🦀".repeat(40)] {
            let places = Places::new(text);
            for (index, (offset, _)) in text.char_indices().enumerate() {
                assert_eq!(places.byte(index), offset);
            }
            assert_eq!(places.byte(text.chars().count()), text.len());
            assert_eq!(places.byte(usize::MAX), text.len());
        }
    }
}
