//! Page tokens: where a page ended, opaque to clients (OGC 17-069r4, `next` links).
//!
//! A token holds the sort keys and the id of the last feature of its page, so pages neither repeat nor skip a feature
//! while others edit. It is bound to the question it was made for: another filter, another order or a changed
//! character make it an error.

use crate::{
    domain::feature::Value,
    engine::sort::{Order, Position},
};

use super::super::{error::ApiError, protocol::hash_of, query::Query};

/// Parameters that decide neither which features match nor their order.
const FREE: [&str; 6] = ["next", "limit", "f", "crs", "properties", "lang"];

/// What a token is bound to: the layer and everything that decides what matches and in which order.
pub(super) fn question_of(layer: &str, query: &Query) -> u64 {
    let mut pairs: Vec<(&str, &str)> = query.pairs().filter(|(name, _)| !FREE.contains(name)).collect();
    pairs.sort_unstable();
    hash_of((layer, pairs))
}

/// The token of a position.
pub(super) fn write(position: &Position, question: u64) -> String {
    let mut parts = vec![position.id.to_string()];
    parts.extend(position.values.iter().map(text_of));
    let body = serde_json::to_string(&parts).unwrap_or_default();
    let seal = hash_of((&body, question));
    let digits = |byte: u8| [byte >> 4, byte & 15].map(|nibble| char::from(b"0123456789abcdef"[usize::from(nibble)]));
    body.bytes().chain(seal.to_be_bytes()).flat_map(digits).collect()
}

/// The position of a token.
///
/// # Errors
/// 400 where the token is not one of ours or belongs to another question.
pub(super) fn read(token: &str, question: u64) -> Result<Position, ApiError> {
    opened(token, question).ok_or_else(|| {
        let detail = "parameter \"next\" is not one that this server gave for this question: follow the next link as it \
                      is, or begin again without it";
        ApiError::bad_parameter("next", "bad-token", detail)
    })
}

fn opened(token: &str, question: u64) -> Option<Position> {
    let nibble = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = token.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[a, b]| Some((nibble(*a)? * 16 + nibble(*b)?) as u8)).collect();
    let bytes = bytes.filter(|_| rest.is_empty())?;
    let (body, seal) = bytes.split_last_chunk::<8>()?;
    let body = std::str::from_utf8(body).ok()?;
    if u64::from_be_bytes(*seal) != hash_of((body, question)) {
        return None;
    }
    let parts: Vec<String> = serde_json::from_str(body).ok()?;
    let (id, values) = parts.split_first()?;
    let values = values.iter().map(|text| value_of(text)).collect::<Option<Vec<Value>>>()?;
    Some(Position { values, id: id.parse().ok()? })
}

/// A value, exactly: its kind in the first letter.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "n".to_owned(),
        Value::Boolean(v) => format!("b{}", u8::from(*v)),
        Value::Integer(v) => format!("i{v}"),
        Value::Real(v) => format!("r{:x}", v.to_bits()),
        Value::Text(v) => format!("t{v}"),
        Value::Date(v) => format!("d{v}"),
        Value::DateTime(v) => format!("m{v}"),
    }
}

fn value_of(text: &str) -> Option<Value> {
    let kind = text.chars().next()?;
    let rest = text.get(kind.len_utf8()..)?;
    Some(match kind {
        'n' => Value::Null,
        'b' => Value::Boolean(rest == "1"),
        'i' => Value::Integer(rest.parse().ok()?),
        'r' => Value::Real(f64::from_bits(u64::from_str_radix(rest, 16).ok()?)),
        't' => Value::Text(rest.to_owned()),
        'd' => Value::Date(rest.parse().ok()?),
        'm' => Value::DateTime(rest.parse().ok()?),
        _ => return None,
    })
}

/// The position where the page before ended.
///
/// # Errors
/// As [`read`]; also where the token's values do not fit the order.
pub(super) fn position_of(
    query: &Query,
    question: u64,
    order: &Order,
    layer: &crate::domain::layer::Layer,
) -> Result<Option<Position>, ApiError> {
    let Some(token) = query.value("next") else { return Ok(None) };
    let position = read(token, question)?;
    if !order.admits(&position, layer) {
        // The layer was replaced by one whose columns have other types.
        return Err(ApiError::bad_parameter(
            "next",
            "bad-token",
            "the layer has changed since this token was given: begin again without it",
        ));
    }
    Ok(Some(position))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> impl Strategy<Value = Vec<Value>> {
        let value = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Boolean),
            any::<i64>().prop_map(Value::Integer),
            any::<f64>().prop_filter("finite", |v| v.is_finite()).prop_map(Value::Real),
            ".{0,12}".prop_map(Value::Text),
            any::<i32>().prop_map(Value::Date),
            any::<i64>().prop_map(Value::DateTime),
        ];
        proptest::collection::vec(value, 0..4)
    }

    proptest! {
        #[test]
        fn a_token_comes_back_as_it_was(values in values(), id: i64, question: u64) {
            let position = Position { values, id };
            prop_assert_eq!(opened(&write(&position, question), question), Some(position));
        }

        #[test]
        fn a_token_of_another_question_or_with_another_letter_is_none(id: i64, question: u64, at: proptest::sample::Index) {
            let token = write(&Position { values: vec![], id }, question);
            prop_assert_eq!(opened(&token, question ^ 1), None);
            let at = at.index(token.len());
            let mut bytes = token.into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            prop_assert_eq!(opened(&String::from_utf8(bytes).unwrap(), question), None);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "(?s).{0,80}") {
            let _ = opened(&text, 0);
        }
    }
}
