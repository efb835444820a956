//! Patterns of LIKE: `%` for any run of characters, `_` for one, `\` before a character that means itself.
//!
//! Matching remembers the last `%` only, so it takes time of at most text × pattern and, since a run between
//! two `%` that has matched once is never looked at again, no pattern makes it explode.

/// A pattern, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Run,
    One,
    Char(char),
}

impl Pattern {
    pub(super) fn new(pattern: &str) -> Self {
        let mut pieces = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            match c {
                '%' if pieces.last() == Some(&Piece::Run) => {}
                '%' => pieces.push(Piece::Run),
                '_' => pieces.push(Piece::One),
                '\\' => pieces.push(Piece::Char(chars.next().unwrap_or('\\'))),
                c => pieces.push(Piece::Char(c)),
            }
        }
        Self(pieces)
    }

    /// Whether a text matches, and the steps it took to know.
    pub(super) fn matches(&self, text: &str) -> (bool, u64) {
        let mut steps = 0;
        (self.fits(text, &mut steps), steps)
    }

    fn fits(&self, text: &str, steps: &mut u64) -> bool {
        let pieces = &self.0;
        let mut rest = text.chars();
        let mut piece = 0;
        // After the last run: the piece that follows it, and the text from which it was last tried.
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            *steps += 2;
            if pieces.get(piece) == Some(&Piece::Run) {
                piece += 1;
                if piece == pieces.len() {
                    return true;
                }
                retry = Some((piece, rest.clone()));
                continue;
            }
            let c = rest.next();
            let fits = match (c, pieces.get(piece)) {
                (None, None) => return true,
                (None, Some(_)) => return false,
                (Some(_), Some(Piece::One)) => true,
                (Some(c), Some(Piece::Char(wanted))) => c == *wanted,
                (Some(_), _) => false,
            };
            if fits {
                piece += 1;
                continue;
            }
            let Some((after_run, from)) = &mut retry else { return false };
            from.next();
            piece = *after_run;
            rest = from.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(text: &str, pattern: &str) -> bool {
        Pattern::new(pattern).matches(text).0
    }

    #[test]
    fn patterns_match_as_sql_says() {
        for (text, pattern, wanted) in [
            ("址山镇", "址山镇", true),
            ("址山镇", "址%", true),
            ("址山镇", "%镇", true),
            ("址山镇", "_山_", true),
            ("址山镇", "__", false),
            ("", "%", true),
            ("", "", true),
            ("", "_", false),
            ("a%b", "a\\%b", true),
            ("axb", "a\\%b", false),
            ("a_b", "a\\_b", true),
            ("abcabd", "%abd", true),
            ("aXbXc", "a%b%c", true),
            ("ab", "a%b%c", false),
            ("back\\slash", "back\\\\slash", true),
            ("end\\", "end\\", true),
        ] {
            assert_eq!(like(text, pattern), wanted, "{text:?} LIKE {pattern:?}");
        }
    }

    #[test]
    fn no_pattern_takes_more_than_text_times_pattern() {
        let text = "a".repeat(20_000);
        let pattern = "%a".repeat(1000) + "b";
        let (matches, steps) = Pattern::new(&pattern).matches(&text);
        assert!(!matches && steps < 20_000 * 2000, "{steps} steps");
    }
}
