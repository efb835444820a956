//! A column of text: dictionary-coded while few words repeat, plain where nearly every value differs.
//!
//! A million parcels have ten towns and thirty land uses but a million parcel numbers: coded columns cost
//! four bytes a row and make grouping a matter of integers; plain ones cost the text and four bytes.

use rustc_hash::FxHashMap;

/// The code of a row without a value.
pub const NO_WORD: u32 = u32::MAX;

/// Texts one after another in one allocation.
#[derive(Debug, Default, Clone)]
struct TextList {
    bytes: String,
    ends: Vec<usize>,
}

impl TextList {
    fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
    }

    fn at(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        self.bytes.get(start..self.ends[index]).unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.ends.len()
    }
}

/// A column of text, one entry a row.
#[derive(Debug, Clone)]
pub enum Words {
    /// Each row holds the code of its word.
    Coded {
        /// The code of each row; [`NO_WORD`] for none.
        codes: Vec<u32>,
        /// The words by code, in order of first appearance.
        list: WordList,
    },
    /// Each row holds its own text.
    Plain(PlainWords),
}

/// The distinct words of a coded column.
#[derive(Debug, Clone, Default)]
pub struct WordList(TextList);

impl WordList {
    /// The word of a code.
    #[must_use]
    pub fn word(&self, code: u32) -> &str {
        self.0.at(code as usize)
    }

    /// The number of distinct words.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no word.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }
}

/// Texts of rows, some absent.
#[derive(Debug, Clone, Default)]
pub struct PlainWords {
    texts: TextList,
    /// Rows without a value, ascending.
    absent: Vec<u32>,
}

impl Words {
    /// The text of a row.
    #[must_use]
    pub fn at(&self, row: usize) -> Option<&str> {
        match self {
            Self::Coded { codes, list } => (codes[row] != NO_WORD).then(|| list.word(codes[row])),
            Self::Plain(plain) => {
                if plain.absent.binary_search(&(row as u32)).is_ok() {
                    return None;
                }
                Some(plain.texts.at(row))
            }
        }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Coded { codes, list } => codes.len() * 4 + list.0.bytes.len() + list.0.ends.len() * 8,
            Self::Plain(plain) => plain.texts.bytes.len() + plain.texts.ends.len() * 8 + plain.absent.len() * 4,
        }
    }
}

/// Collects a column of text.
#[derive(Debug, Default)]
pub struct WordsBuilder {
    codes: Vec<u32>,
    list: TextList,
    by_word: FxHashMap<Box<str>, u32>,
    plain: Option<PlainWords>,
}

/// From so many distinct words on, a column that repeats each fewer than four times is kept plain.
const MANY_WORDS: usize = 20_000;

impl WordsBuilder {
    /// Adds the text of the next row.
    pub fn push(&mut self, text: Option<&str>) {
        if let Some(plain) = &mut self.plain {
            push_plain(plain, text);
            return;
        }
        let code = match text {
            None => NO_WORD,
            Some(word) => match self.by_word.get(word) {
                Some(code) => *code,
                None => self.add_word(word),
            },
        };
        self.codes.push(code);
        if self.list.len() > MANY_WORDS && self.codes.len() < self.list.len() * 4 {
            self.turn_plain();
        }
    }

    fn add_word(&mut self, word: &str) -> u32 {
        let code = self.list.len() as u32;
        self.list.push(word);
        self.by_word.insert(word.into(), code);
        code
    }

    fn turn_plain(&mut self) {
        let mut plain = PlainWords::default();
        for code in std::mem::take(&mut self.codes) {
            let text = (code != NO_WORD).then(|| self.list.at(code as usize));
            push_plain(&mut plain, text);
        }
        self.list = TextList::default();
        self.by_word = FxHashMap::default();
        self.plain = Some(plain);
    }

    /// The finished column.
    #[must_use]
    pub fn finish(mut self) -> Words {
        if let Some(mut plain) = self.plain {
            plain.texts.bytes.shrink_to_fit();
            plain.texts.ends.shrink_to_fit();
            return Words::Plain(plain);
        }
        self.codes.shrink_to_fit();
        Words::Coded { codes: self.codes, list: WordList(self.list) }
    }
}

fn push_plain(plain: &mut PlainWords, text: Option<&str>) {
    if text.is_none() {
        plain.absent.push(plain.texts.len() as u32);
    }
    plain.texts.push(text.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_reads_back_whether_coded_or_plain() {
        for distinct in [3, 60_000] {
            let mut builder = WordsBuilder::default();
            let text = |row: usize| (!row.is_multiple_of(7)).then(|| format!("词{}", row % distinct));
            (0..60_000).for_each(|row| builder.push(text(row).as_deref()));
            let words = builder.finish();
            assert_eq!(matches!(words, Words::Plain(_)), distinct > 3);
            for row in 0..60_000 {
                assert_eq!(words.at(row), text(row).as_deref(), "row {row} of {distinct} words");
            }
        }
    }
}
