//! The language of a page: what `lang` says, else what the browser prefers, else Chinese.

use axum::http::{HeaderMap, header};

use super::super::{
    error::ApiError,
    query::{Parameter, Query},
};

/// The language of pages. Other representations hold both languages, so it changes nothing there.
pub(in super::super) const LANG: Parameter = Parameter {
    name: "lang",
    about: "The language of HTML pages; it goes before the Accept-Language header. JSON has both languages always.",
    schema: r#"{"type":"string","enum":["zh","en"]}"#,
};

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) enum Lang {
    Zh,
    En,
}

impl Lang {
    /// The language of a request.
    ///
    /// # Errors
    /// 400 where `lang` is neither.
    pub(in super::super) fn of(query: &Query, headers: &HeaderMap) -> Result<Self, ApiError> {
        match query.value("lang") {
            None => Ok(Self::preferred(headers)),
            Some("zh") => Ok(Self::Zh),
            Some("en") => Ok(Self::En),
            Some(other) => {
                let detail = format!("parameter \"lang\" = {other:?}: pages are in zh or en");
                Err(ApiError::bad_parameter("lang", "bad-value", detail))
            }
        }
    }

    /// The language that a browser asks for: of equal weight the first, Chinese where it asks for neither.
    pub(in super::super) fn preferred(headers: &HeaderMap) -> Self {
        let texts = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        let mut best = (0.0, Self::Zh);
        for range in texts.flat_map(|text| text.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let primary = parts.next().unwrap_or_default().split('-').next().unwrap_or_default();
            let lang = match primary.to_ascii_lowercase().as_str() {
                "zh" => Self::Zh,
                "en" => Self::En,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f64>().ok());
            let weight = weight.filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0);
            if weight > best.0 {
                best = (weight, lang);
            }
        }
        best.1
    }

    /// The one of two texts that is in this language.
    pub(in super::super) const fn say<'t>(self, zh: &'t str, en: &'t str) -> &'t str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// As [`Self::say`], but the other text where the wanted one is empty.
    pub(in super::super) const fn either<'t>(self, zh: &'t str, en: &'t str) -> &'t str {
        match self {
            Self::Zh if !zh.is_empty() => zh,
            Self::En if en.is_empty() => zh,
            _ => en,
        }
    }

    /// The value of `lang`.
    pub(in super::super) const fn word(self) -> &'static str {
        self.say("zh", "en")
    }

    /// The language tag of documents (BCP 47).
    pub(in super::super) const fn tag(self) -> &'static str {
        self.say("zh-CN", "en")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_the_language_that_it_weighs_most_and_chinese_where_it_names_neither() {
        for (accepted, wanted) in [
            ("", Lang::Zh),
            ("en", Lang::En),
            ("en-GB,en;q=0.9", Lang::En),
            ("zh-CN,zh;q=0.9,en;q=0.8", Lang::Zh),
            ("en;q=0.5, zh-Hant;q=0.7", Lang::Zh),
            ("fr, en;q=0.3", Lang::En),
            ("fr, de", Lang::Zh),
            ("en;q=0", Lang::Zh),
            ("en;q=x, zh;q=0.1", Lang::Zh),
            ("en, zh", Lang::En),
        ] {
            let mut headers = HeaderMap::new();
            if !accepted.is_empty() {
                headers.insert(header::ACCEPT_LANGUAGE, accepted.parse().unwrap());
            }
            assert_eq!(Lang::preferred(&headers), wanted, "{accepted}");
        }
    }
}
