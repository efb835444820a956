//! The words of CQL2 text: names, numbers, quoted text and signs, with their places.

use super::{FilterError, Spot};

/// A word of the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A bare name or keyword, as written.
    Word(String),
    /// A name in double quotes.
    Quoted(String),
    /// Text in single quotes.
    Text(String),
    /// A number as written, without sign.
    Number(String),
    /// One of `( ) , = <> < <= > >= + - * / % ^`.
    Sign(&'static str),
    /// The end of the text.
    End,
}

impl Token {
    /// The token for messages.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word(word) | Self::Number(word) => format!("{:?}", shortened(word)),
            Self::Quoted(name) => format!("property {:?}", shortened(name)),
            Self::Text(text) => format!("text {:?}", shortened(text)),
            Self::Sign(sign) => format!("{sign:?}"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// At most forty characters of a text, for messages.
pub(super) fn shortened(text: &str) -> String {
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(40).collect();
    if chars.next().is_some() { start + "…" } else { start }
}

const SIGNS: [&str; 15] = ["<>", "<=", ">=", "(", ")", ",", "=", "<", ">", "+", "-", "*", "/", "%", "^"];

/// All words of a text with the characters where they begin, counted from 1.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, FilterError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut position = 1;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            position += 1;
            continue;
        }
        let (token, length) = match first {
            '\'' => literal(rest, position).map(|(inner, length)| (Token::Text(inner), length))?,
            '"' => name(rest, position).map(|(inner, length)| (Token::Quoted(inner), length))?,
            c if c.is_ascii_digit()
                || (c == '.' && rest.get(1..2).is_some_and(|d| d.as_bytes()[0].is_ascii_digit())) =>
            {
                let length = number_length(rest.as_bytes());
                (Token::Number(rest.get(..length).unwrap_or_default().to_owned()), length)
            }
            c if begins_name(c) => {
                let inner = |c: char| begins_name(c) || c.is_numeric() || matches!(c, '.' | '\u{300}'..='\u{36f}');
                let length = rest.find(|c: char| !inner(c)).unwrap_or(rest.len());
                (Token::Word(rest.get(..length).unwrap_or_default().to_owned()), length)
            }
            other => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Token::Sign(sign), sign.len()),
                None => return Err(syntax(position, format!("{other:?}"), "a name, a value or an operator")),
            },
        };
        tokens.push((token, position));
        position += rest.get(..length).unwrap_or_default().chars().count();
        rest = rest.get(length..).unwrap_or_default();
    }
    tokens.push((Token::End, position));
    Ok(tokens)
}

/// Whether a bare name can begin with a character (OGC 21-065r2 annex B, `identifierStart`).
pub(super) fn begins_name(c: char) -> bool {
    c.is_alphabetic()
        || matches!(c, ':' | '_' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}')
        || (matches!(c, '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
            && !c.is_whitespace())
}

/// The inside of a text in single quotes with its escapes undone (`/req/cql2-text/escaping`), and its length in
/// bytes with the quotes.
///
/// A backslash before another character stands for itself, so that patterns of LIKE read as they are written; two
/// are one.
fn literal(rest: &str, position: usize) -> Result<(String, usize), FilterError> {
    let mut inner = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((offset, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        match (c, next) {
            ('\'', Some('\'')) => inner.push('\''),
            ('\'', _) => return Ok((inner, offset + 1)),
            ('\\', Some(next)) if escaped(next).is_some() => inner.extend(escaped(next)),
            (c, _) => {
                inner.push(c);
                continue;
            }
        }
        chars.next();
    }
    Err(syntax(position + rest.chars().count(), "the end".to_owned(), "a closing '"))
}

/// What a character stands for behind a backslash.
const fn escaped(c: char) -> Option<char> {
    Some(match c {
        'a' => '\u{7}',
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'v' => '\u{b}',
        'f' => '\u{c}',
        'r' => '\r',
        '\'' | '\\' => c,
        _ => return None,
    })
}

/// The inside of a name in double quotes, doubled ones undone, and its length in bytes with the quotes.
fn name(rest: &str, position: usize) -> Result<(String, usize), FilterError> {
    let mut inner = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((offset, c)) = chars.next() {
        if c == '"' && chars.next_if(|(_, next)| *next == '"').is_none() {
            return Ok((inner, offset + 1));
        }
        inner.push(c);
    }
    Err(syntax(position + rest.chars().count(), "the end".to_owned(), "a closing \""))
}

fn number_length(bytes: &[u8]) -> usize {
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    end
}

/// A syntax error at a character.
pub(super) fn syntax(position: usize, found: String, expected: &str) -> FilterError {
    FilterError::Syntax { at: Spot::Character(position), found, expected: expected.to_owned() }
}
