//! Which encoding the text of a table is in, and who said so.
//!
//! In order: the user, the `.cpg`, the language byte of the table, and last a look at all of the text. A
//! declaration is believed; where the text speaks against it, that is told, never acted upon.
//!
//! Source: ESRI, "dBASE language driver ids"; GDAL, `shapefil.h` and its list of `.cpg` words.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, EUC_KR, Encoding, GB18030, GBK, SHIFT_JIS, UTF_8, WINDOWS_1252};

/// An encoding and where it comes from, as the report tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// The encoding of the rows.
    pub encoding: &'static Encoding,
    /// The encoding of the field names, which old writers got wrong on their own.
    pub names: &'static Encoding,
    /// Such as `GBK (.cpg)`.
    pub told: String,
}

impl Chosen {
    fn declared(encoding: &'static Encoding, word: &str, by: &str) -> Self {
        Self { encoding, names: encoding, told: format!("{word} ({by})") }
    }
}

/// What is declared: by the user, else by the `.cpg`, else by the language byte.
pub fn declared(user: Option<&'static Encoding>, cpg: Option<&str>, language: u8) -> Option<Chosen> {
    if let Some(encoding) = user {
        return Some(Chosen::declared(encoding, encoding.name(), "as asked"));
    }
    if let Some((word, encoding)) = cpg.and_then(|word| of_cpg(word).map(|encoding| (word, encoding))) {
        return Some(Chosen::declared(encoding, word, ".cpg"));
    }
    of_language(language).map(|encoding| {
        let by = format!("language byte 0x{language:02X}");
        Chosen::declared(encoding, encoding.name(), &by)
    })
}

/// The encoding that a `.cpg` names, by any of the words in use.
pub fn of_cpg(word: &str) -> Option<&'static Encoding> {
    if let Some(encoding) = Encoding::for_label_no_replacement(word.as_bytes()) {
        return Some(encoding);
    }
    let lower = word.to_lowercase();
    let number = lower.trim_start_matches(|c: char| !c.is_ascii_digit());
    Some(match number {
        "936" => GBK,
        "54936" => GB18030,
        "950" => BIG5,
        "949" => EUC_KR,
        "932" => SHIFT_JIS,
        "65001" => UTF_8,
        "1252" | "88591" | "8859-1" | "8859_1" => WINDOWS_1252,
        _ => return None,
    })
}

/// The encoding of a language byte; `None` where it says nothing (0x57 is "whatever this computer uses").
fn of_language(language: u8) -> Option<&'static Encoding> {
    Some(match language {
        0x4D | 0x7A => GBK,
        0x4E | 0x79 => EUC_KR,
        0x4F | 0x78 => BIG5,
        0x13 | 0x7B => SHIFT_JIS,
        0x03 | 0x58 | 0x59 => WINDOWS_1252,
        0x26 | 0x65 => encoding_rs::IBM866,
        0x7C => encoding_rs::WINDOWS_874,
        0x7D => encoding_rs::WINDOWS_1255,
        0x7E => encoding_rs::WINDOWS_1256,
        0xC8 => encoding_rs::WINDOWS_1250,
        0xC9 => encoding_rs::WINDOWS_1251,
        0xCA => encoding_rs::WINDOWS_1254,
        0xCB => encoding_rs::WINDOWS_1253,
        0xCC => encoding_rs::WINDOWS_1257,
        _ => return None,
    })
}

/// What a look at the text found.
pub struct Evidence {
    detector: EncodingDetector,
    fed: usize,
    rows: u64,
    utf8: u64,
    gb18030: u64,
    guessable: [(&'static Encoding, u64); 3],
    names: Vec<Vec<u8>>,
}

impl Evidence {
    /// Begins with the field names, as bytes.
    #[must_use]
    pub fn new(names: impl Iterator<Item = Vec<u8>>) -> Self {
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
        let names: Vec<Vec<u8>> = names.filter(|name| !name.is_ascii()).collect();
        for name in &names {
            detector.feed(name, false);
        }
        let guessable = [(BIG5, 0), (EUC_KR, 0), (SHIFT_JIS, 0)];
        Self { detector, fed: 0, rows: 0, utf8: 0, gb18030: 0, guessable, names }
    }

    /// Looks at the texts of a row.
    pub fn look_at<'t>(&mut self, texts: impl Iterator<Item = &'t [u8]>) {
        let texts: Vec<&[u8]> = texts.filter(|text| !text.is_ascii()).collect();
        if texts.is_empty() {
            return;
        }
        self.rows += 1;
        self.utf8 += u64::from(texts.iter().all(|text| is_utf8(text)));
        self.gb18030 += u64::from(texts.iter().all(|text| reads_as(text, GB18030)));
        for (encoding, rows) in &mut self.guessable {
            *rows += u64::from(texts.iter().all(|text| reads_as(text, encoding)));
        }
        // A megabyte is plenty for statistics of letters.
        for text in texts {
            if self.fed < 1 << 20 {
                self.fed += text.len();
                self.detector.feed(text, false);
                self.detector.feed(b" ", false);
            }
        }
    }

    /// The encoding that fits, and how well.
    #[must_use]
    pub fn verdict(mut self) -> Chosen {
        let names_utf8 = !self.names.is_empty() && self.names.iter().all(|name| is_utf8(name));
        if self.rows == 0 && self.names.is_empty() {
            let told = "ASCII only (nothing says the encoding, and nothing depends on it)".to_owned();
            return Chosen { encoding: UTF_8, names: UTF_8, told };
        }
        if self.utf8 == self.rows && (self.names.is_empty() || names_utf8) {
            return self.told(UTF_8, self.utf8, UTF_8);
        }
        if self.utf8 == self.rows && self.rows > 0 {
            return self.told(UTF_8, self.utf8, GB18030);
        }
        self.detector.feed(b"", true);
        let guess = self.detector.guess(Some(b"cn"), Utf8Detection::Deny);
        let (encoding, fitting) = match self.guessable.iter().find(|(encoding, _)| *encoding == guess) {
            Some((encoding, rows)) if *rows > self.gb18030 => (*encoding, *rows),
            _ if guess == GBK || self.gb18030 * 2 > self.rows || self.rows == 0 => (GB18030, self.gb18030),
            _ => (guess, self.rows),
        };
        let names = if names_utf8 { UTF_8 } else { encoding };
        self.told(encoding, fitting, names)
    }

    fn told(&self, encoding: &'static Encoding, fitting: u64, names: &'static Encoding) -> Chosen {
        let names_told = if names == encoding { "" } else { ", field names apart" };
        let where_ = match self.rows {
            0 => "in the field names".to_owned(),
            rows => format!("in {fitting} of {rows} rows"),
        };
        let told = format!(
            "{} (detected {where_}{names_told}; name it with --encoding if wrong)",
            encoding.name().to_uppercase()
        );
        Chosen { encoding, names, told }
    }
}

/// Whether the bytes are UTF-8, but for a last character that its field was too short for.
pub fn is_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// Whether the bytes are text of an encoding, but for a last character that its field was too short for.
fn reads_as(bytes: &[u8], encoding: &'static Encoding) -> bool {
    let whole = |bytes: &[u8]| encoding.decode_without_bom_handling_and_without_replacement(bytes).is_some();
    (0..4).any(|cut| bytes.len() > cut && whole(&bytes[..bytes.len() - cut]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_cpg_files_name_their_encodings() {
        for (word, encoding) in [
            ("GBK", GBK),
            ("gb2312", GBK),
            ("936", GBK),
            ("CP936", GBK),
            ("ANSI 936", GBK),
            ("GB18030", GB18030),
            ("UTF-8", UTF_8),
            ("65001", UTF_8),
            ("Big5", BIG5),
            ("950", BIG5),
            ("ISO 88591", WINDOWS_1252),
            ("1252", WINDOWS_1252),
        ] {
            assert_eq!(of_cpg(word), Some(encoding), "{word}");
        }
        assert_eq!(of_cpg("klingon"), None);
        assert_eq!(of_cpg(""), None);
    }

    #[test]
    fn who_speaks_first_is_believed() {
        assert_eq!(declared(Some(BIG5), Some("GBK"), 0x13).unwrap().told, "Big5 (as asked)");
        assert_eq!(declared(None, Some("GBK"), 0x13).unwrap().told, "GBK (.cpg)");
        assert_eq!(declared(None, Some("klingon"), 0x4D).unwrap().told, "GBK (language byte 0x4D)");
        assert_eq!(declared(None, None, 0x57), None);
        assert_eq!(declared(None, None, 0), None);
    }

    fn verdict_on(names: &[&[u8]], rows: &[&[u8]]) -> Chosen {
        let mut evidence = Evidence::new(names.iter().map(|name| name.to_vec()));
        for row in rows {
            evidence.look_at(std::iter::once(*row));
        }
        evidence.verdict()
    }

    #[test]
    fn text_without_a_declaration_is_looked_at() {
        let (gbk, _, _) = GBK.encode("鹤山市低效工业用地");
        let (cut, whole) = (&gbk[..gbk.len() - 1], &gbk[..]);
        let chosen = verdict_on(&[whole], &[whole, cut, b"ascii"]);
        assert_eq!((chosen.encoding, chosen.names), (GB18030, GB18030));
        assert_eq!(chosen.told, "GB18030 (detected in 2 of 2 rows; name it with --encoding if wrong)");
        assert_eq!(verdict_on(&[], &["鹤山市".as_bytes(), "é".as_bytes()]).encoding, UTF_8);
        assert!(verdict_on(&[b"name"], &[b"x"]).told.starts_with("ASCII only"));
    }

    #[test]
    fn field_names_in_utf8_over_rows_in_gbk_are_read_apart() {
        let (gbk, _, _) = GBK.encode("鹤山市低效工业用地，台账");
        let chosen = verdict_on(&["地块".as_bytes()], &[&gbk]);
        assert_eq!((chosen.encoding, chosen.names), (GB18030, UTF_8));
        assert!(chosen.told.contains("field names apart"));
    }
}
