//! The ways in which a CRS is written: codes, OGC URIs and URNs, WKT, PROJJSON. Knows no registry.
//!
//! Source: OGC 09-048r6 (URNs), OGC 11-135r2 (URIs), OGC 17-069r4 (`OGC/…/CRS84`).

/// A reading of a text that is meant to name a CRS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    /// A code in a registry, written `AUTHORITY:CODE`.
    Code(String),
    /// A definition as WKT or PROJJSON.
    Definition,
    /// Something else.
    Neither,
}

/// What a (trimmed) text is.
pub(super) fn read(text: &str) -> Written {
    if text.starts_with('{') {
        return Written::Definition;
    }
    let keyword = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    if keyword > 0 && text.get(keyword..).is_some_and(|rest| rest.trim_start().starts_with(['[', '('])) {
        return Written::Definition;
    }
    code_of(text).map_or(Written::Neither, Written::Code)
}

fn code_of(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let parts = ["http://www.opengis.net/def/crs/", "https://www.opengis.net/def/crs/"]
        .iter()
        .find_map(|prefix| lower.strip_prefix(prefix))
        .map(|rest| rest.split('/').collect::<Vec<_>>())
        .or_else(|| {
            ["urn:ogc:def:crs:", "urn:x-ogc:def:crs:"]
                .iter()
                .find_map(|prefix| lower.strip_prefix(prefix))
                .map(|rest| rest.split(':').collect())
        });
    if let Some(parts) = parts {
        return match parts[..] {
            [authority, version, code] if is_version(version) => code_in(authority, code),
            _ => None,
        };
    }
    if let Some((authority, code)) = lower.split_once(':') {
        return code_in(authority, code);
    }
    match lower.as_str() {
        "crs84" => Some("OGC:CRS84".to_owned()),
        digits => code_in("epsg", digits),
    }
}

fn is_version(version: &str) -> bool {
    version.chars().all(|c| c.is_ascii_digit() || c == '.')
}

fn code_in(authority: &str, code: &str) -> Option<String> {
    let plain = |s: &str| !s.is_empty() && s.len() <= 32 && s.chars().all(|c| c.is_ascii_alphanumeric());
    match authority {
        "epsg" => {
            code.parse::<u32>().ok().filter(|_| code.bytes().all(|b| b.is_ascii_digit())).map(|n| format!("EPSG:{n}"))
        }
        "ogc" | "crs" if code == "crs84" || (authority == "crs" && code == "84") => Some("OGC:CRS84".to_owned()),
        _ if plain(authority) && plain(code) => {
            Some(format!("{}:{}", authority.to_ascii_uppercase(), code.to_ascii_uppercase()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_written_form_of_a_code_is_one_code() {
        for text in [
            "EPSG:4547",
            "epsg:4547",
            "4547",
            "http://www.opengis.net/def/crs/EPSG/0/4547",
            "https://www.opengis.net/def/crs/epsg/9.9.1/4547",
            "urn:ogc:def:crs:EPSG::4547",
            "urn:x-ogc:def:crs:EPSG:6.9:4547",
        ] {
            assert_eq!(read(text), Written::Code("EPSG:4547".to_owned()), "{text}");
        }
        for text in
            ["CRS84", "OGC:CRS84", "http://www.opengis.net/def/crs/OGC/1.3/CRS84", "urn:ogc:def:crs:OGC:1.3:CRS84"]
        {
            assert_eq!(read(text), Written::Code("OGC:CRS84".to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_crs_is_neither() {
        for text in [
            "",
            "EPSG:",
            "EPSG:+4547",
            "EPSG:4547x",
            "4547.0",
            "+proj=longlat",
            "WGS 84",
            "地图",
            "-1",
            "EPSG:4294967296",
        ] {
            assert_eq!(read(text), Written::Neither, "{text}");
        }
        assert_eq!(read("http://www.opengis.net/def/crs/EPSG/4547"), Written::Neither);
    }

    #[test]
    fn definitions_are_told_by_their_first_word() {
        assert_eq!(read("PROJCS[\"x\""), Written::Definition);
        assert_eq!(read("GEOGCRS [\"x\""), Written::Definition);
        assert_eq!(read("{\"type\":\"ProjectedCRS\"}"), Written::Definition);
    }
}
