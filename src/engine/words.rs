//! A column of text: dictionary-coded while few words repeat, plain where nearly every value differs.
//!
//! A million parcels have ten towns and thirty land uses but a million parcel numbers: coded columns cost
//! four bytes a row and make grouping a matter of integers; plain ones cost the text and four bytes.

use rustc_hash::FxHashMap;

use super::order::Place;

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
        /// The words by code, in the order in which the features, by id, first bring them.
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

impl PlainWords {
    fn at(&self, row: usize) -> Option<&str> {
        if !self.absent.is_empty() && self.absent.binary_search(&(row as u32)).is_ok() {
            return None;
        }
        Some(self.texts.at(row))
    }
}

impl Words {
    /// The text of a row.
    #[must_use]
    pub fn at(&self, row: usize) -> Option<&str> {
        match self {
            Self::Coded { codes, list } => (codes[row] != NO_WORD).then(|| list.word(codes[row])),
            Self::Plain(plain) => plain.at(row),
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
pub(super) struct WordsBuilder {
    codes: Vec<u32>,
    list: TextList,
    by_word: FxHashMap<Box<str>, u32>,
    plain: Option<PlainWords>,
}

/// From so many distinct words on, a column that repeats each fewer than four times is kept plain.
const MANY_WORDS: usize = 20_000;

impl WordsBuilder {
    /// Adds the text of the next row.
    pub(super) fn push(&mut self, text: Option<&str>) {
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
        if self.has_many_words() {
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

    /// The text of a row.
    fn at(&self, row: usize) -> Option<&str> {
        match &self.plain {
            Some(plain) => plain.at(row),
            None => (self.codes[row] != NO_WORD).then(|| self.list.at(self.codes[row] as usize)),
        }
    }

    fn bytes(&self) -> usize {
        self.plain.as_ref().map_or(self.list.bytes.len(), |plain| plain.texts.bytes.len())
    }

    /// The column of rows from several parts, in a given order: plain where one of them is, or where all together
    /// have too many words.
    pub(super) fn gathered(parts: Vec<Self>, order: &[Place]) -> Words {
        if parts.iter().all(|part| part.plain.is_none()) {
            return Self::gathered_by_code(parts, order);
        }
        let mut plain = PlainWords::default();
        plain.texts.ends.reserve_exact(order.len());
        plain.texts.bytes.reserve_exact(parts.iter().map(Self::bytes).sum());
        for place in order {
            push_plain(&mut plain, parts[place.part as usize].at(place.row as usize));
        }
        plain.texts.bytes.shrink_to_fit();
        Words::Plain(plain)
    }

    fn gathered_by_code(parts: Vec<Self>, order: &[Place]) -> Words {
        let mut all = Self::default();
        let mut codes = Vec::with_capacity(parts.len());
        // For each part the new code of each of its words.
        let mut renamed: Vec<Vec<u32>> = Vec::with_capacity(parts.len());
        for part in parts {
            let new_code = |code| {
                let word = part.list.at(code);
                all.by_word.get(word).copied().unwrap_or_else(|| all.add_word(word))
            };
            renamed.push((0..part.list.len()).map(new_code).collect());
            codes.push(part.codes);
        }
        let rename = |place: &Place| match place.of(&codes) {
            NO_WORD => NO_WORD,
            code => renamed[place.part as usize][code as usize],
        };
        all.codes = order.iter().map(rename).collect();
        if all.has_many_words() {
            all.turn_plain();
        }
        match all.plain {
            Some(plain) => Words::Plain(plain),
            None => Words::Coded { codes: all.codes, list: WordList(all.list) },
        }
    }

    fn has_many_words(&self) -> bool {
        self.list.len() > MANY_WORDS && self.codes.len() < self.list.len() * 4
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
    fn a_column_reads_back_in_any_order_whether_coded_or_plain() {
        const ROWS: usize = 60_000;
        let text = |row: usize, distinct: usize| (!row.is_multiple_of(7)).then(|| format!("词{}", row % distinct));
        // Four parts of 15,000 rows are coded by themselves and have too many words together.
        for (distinct, parts, is_plain) in [(3, 1, false), (3, 2, false), (ROWS, 1, true), (ROWS, 4, true)] {
            let part_rows = ROWS / parts;
            let built = (0..parts).map(|part| {
                let mut builder = WordsBuilder::default();
                (0..part_rows).for_each(|row| builder.push(text(part * part_rows + row, distinct).as_deref()));
                builder
            });
            let order: Vec<Place> = (0..ROWS)
                .map(|row| (row * 7919) % ROWS)
                .map(|from| Place { part: (from / part_rows) as u32, row: (from % part_rows) as u32 })
                .collect();
            let words = WordsBuilder::gathered(built.collect(), &order);
            assert_eq!(matches!(words, Words::Plain(_)), is_plain, "{distinct} words in {parts} parts");
            for row in 0..ROWS {
                let wanted = text((row * 7919) % ROWS, distinct);
                assert_eq!(words.at(row), wanted.as_deref(), "row {row} of {distinct} words in {parts} parts");
            }
        }
    }
}
