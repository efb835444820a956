//! The words of CQL2 text: names, numbers, quoted text and signs, with their places.

use super::FilterError;

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

/// All words of a text with the bytes where they begin.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, FilterError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let Some(first) = rest.chars().next() else { break };
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (token, length) = match first {
            '\'' => quoted(text, at, '\'').map(|(inner, length)| (Token::Text(inner), length))?,
            '"' => quoted(text, at, '"').map(|(inner, length)| (Token::Quoted(inner), length))?,
            c if c.is_ascii_digit()
                || (c == '.' && rest.get(1..2).is_some_and(|d| d.as_bytes()[0].is_ascii_digit())) =>
            {
                let length = number_length(rest.as_bytes());
                (Token::Number(rest.get(..length).unwrap_or_default().to_owned()), length)
            }
            c if c.is_alphabetic() || c == '_' => {
                let inner = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ':');
                let length = rest.find(|c: char| !inner(c)).unwrap_or(rest.len());
                (Token::Word(rest.get(..length).unwrap_or_default().to_owned()), length)
            }
            other => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Token::Sign(sign), sign.len()),
                None => return Err(syntax(text, at, format!("{other:?}"), "a name, a value or an operator")),
            },
        };
        tokens.push((token, at));
        at += length;
    }
    tokens.push((Token::End, text.len()));
    Ok(tokens)
}

/// The inside of a quoted stretch, doubled quotes undone, and its length with the quotes.
fn quoted(text: &str, at: usize, quote: char) -> Result<(String, usize), FilterError> {
    let mut inner = String::new();
    let mut chars = text.get(at + 1..).unwrap_or_default().char_indices().peekable();
    while let Some((offset, c)) = chars.next() {
        if c != quote {
            inner.push(c);
            continue;
        }
        if chars.peek().is_some_and(|(_, next)| *next == quote) {
            chars.next();
            inner.push(quote);
            continue;
        }
        return Ok((inner, offset + 2));
    }
    Err(syntax(text, text.len(), "the end".to_owned(), if quote == '"' { "a closing \"" } else { "a closing '" }))
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

/// The number of the character at a byte, from 1.
pub(super) fn position(text: &str, byte: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < byte).count() + 1
}

/// A syntax error at a byte of the text.
pub(super) fn syntax(text: &str, byte: usize, found: String, expected: &str) -> FilterError {
    FilterError::Syntax { at: position(text, byte), found, expected: expected.to_owned() }
}
