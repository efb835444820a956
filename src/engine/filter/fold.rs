//! `CASEI` and `ACCENTI`: texts without difference of case, or of accents.
//!
//! Source: OGC 21-065r2 §7.4 (full case folding, Unicode `CaseFolding.txt` classes C and F: the `caseless` crate)
//! and §7.5 (canonical decomposition, nonspacing marks left out but for the Japanese voicing marks). Either way
//! the result is composed again, so texts that are canonically equivalent become the same text.

use std::borrow::Cow;

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// A way of making texts alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// Upper and lower case.
    Case,
    /// With and without accents.
    Accent,
}

impl Fold {
    fn of(self, text: &str) -> String {
        match self {
            Self::Case if text.is_ascii() => text.to_ascii_lowercase(),
            Self::Accent if text.is_ascii() => text.to_owned(),
            Self::Case => text.chars().nfd().default_case_fold().nfc().collect(),
            Self::Accent => text.chars().nfd().filter(|c| !is_accent(*c)).nfc().collect(),
        }
    }
}

/// A nonspacing mark other than dakuten and handakuten, without which Japanese words become others.
fn is_accent(c: char) -> bool {
    !matches!(c, '\u{3099}' | '\u{309a}') && c.general_category() == GeneralCategory::NonspacingMark
}

/// A text after several folds, the innermost first.
pub(super) fn folded<'t>(text: &'t str, folds: &[Fold]) -> Cow<'t, str> {
    folds.iter().fold(Cow::Borrowed(text), |text, fold| Cow::Owned(fold.of(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_folded_as_unicode_says() {
        for (a, b) in [
            ("Οδος", "ΟΔΟΣ"),
            ("Straße", "STRASSE"),
            ("ﬁn", "FIN"),
            ("Ǆ", "ǆ"),
            ("ᾳ", "ΑΙ"),
            ("É", "e\u{301}"),
            ("ＡＢＣ", "ａｂｃ"),
            ("Ꭰ", "ꭰ"),
        ] {
            assert_eq!(Fold::Case.of(a), Fold::Case.of(b), "{a} {b}");
        }
        assert_ne!(Fold::Case.of("ı"), Fold::Case.of("i"), "the dotless letter is another");
        assert_eq!(Fold::Case.of("址山镇A1"), "址山镇a1");
    }

    #[test]
    fn accents_are_left_out_and_letters_stay() {
        for (text, bare) in [
            ("Chișinău", "Chisinau"),
            ("débárquér", "debarquer"),
            ("Beyonce\u{301}", "Beyonce"),
            ("Việt Nam", "Viet Nam"),
            ("nǚ lǜ", "nu lu"),
            ("はじめ", "はじめ"),
            ("パ", "パ"),
            ("한국", "한국"),
            ("用途", "用途"),
            ("Łódź", "Łodz"),
            ("øre", "øre"),
        ] {
            assert_eq!(Fold::Accent.of(text), bare);
        }
        assert_eq!(folded("ÉÀ", &[Fold::Case, Fold::Accent]), "ea");
        assert_eq!(folded("ÉÀ", &[Fold::Accent, Fold::Case]), "ea");
    }
}
