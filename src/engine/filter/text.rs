//! CQL2 text (OGC 21-065r2, annex B) read by recursive descent into an [`Expr`].
//!
//! Invariants: no input panics; nesting is bounded before recursion, length before reading; every error
//! names the character where it stands and what could stand there.

use std::str::FromStr;

use jiff::{Timestamp, civil};

use crate::domain::{feature::Value, schema::FieldType};

use super::{
    Comparison, Expr, FilterError, MAX_DEPTH, MAX_ITEMS, MAX_TEXT, Node, Op, SpatialOp,
    lexer::{self, Token, position, shortened, tokens},
    wkt,
};

/// The most signs of arithmetic in one filter.
const MAX_ARITHMETIC: usize = 256;

/// Reads CQL2 text.
///
/// # Errors
/// [`FilterError`] names what is wrong and where.
pub fn parse_text(text: &str) -> Result<Expr, FilterError> {
    if text.len() > MAX_TEXT {
        return Err(FilterError::TooLong { length: text.len() });
    }
    let mut parser = Parser { text, tokens: tokens(text)?, next: 0, depth: 0, arithmetic: 0 };
    let expr = parser.any_of()?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.expected("AND, OR or the end")),
    }
}

/// Reads text as a value of a type.
pub(super) fn literal_of(text: &str, kind: FieldType) -> Result<Value, FilterError> {
    let bad = |wanted| FilterError::BadLiteral { at: 1, given: shortened(text), wanted };
    match kind {
        FieldType::Text => Ok(Value::Text(text.to_owned())),
        FieldType::Boolean => match text {
            "true" => Ok(Value::Boolean(true)),
            "false" => Ok(Value::Boolean(false)),
            _ => Err(bad("boolean: use true or false")),
        },
        FieldType::Integer => match text.parse() {
            Ok(number) => Ok(Value::Integer(number)),
            Err(_) => finite(text).map(Value::Real).ok_or_else(|| bad("number")),
        },
        FieldType::Real => finite(text).map(Value::Real).ok_or_else(|| bad("number")),
        FieldType::Date => day_of(text).map(Value::Date).ok_or_else(|| bad("date: use YYYY-MM-DD")),
        FieldType::DateTime => {
            moment_of(text).map(Value::DateTime).ok_or_else(|| bad("timestamp: use YYYY-MM-DDThh:mm:ssZ"))
        }
    }
}

fn finite(text: &str) -> Option<f64> {
    // Rust also reads "inf" and "nan"; numbers begin with a digit, a sign or a point.
    let digits = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    f64::from_str(text).ok().filter(|number| digits && number.is_finite())
}

/// Days since 1970-01-01 of `YYYY-MM-DD`.
fn day_of(text: &str) -> Option<i32> {
    let date: civil::Date = (text.len() == 10).then(|| text.parse().ok())??;
    let epoch = civil::Date::constant(1970, 1, 1);
    Some(date.since(epoch).ok()?.get_days())
}

/// Milliseconds since 1970-01-01T00:00:00Z of an RFC 3339 timestamp.
fn moment_of(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// Reads one text.
pub(super) struct Parser<'t> {
    text: &'t str,
    tokens: Vec<(Token, usize)>,
    next: usize,
    depth: usize,
    arithmetic: usize,
}

impl Parser<'_> {
    /// The next token.
    pub(super) fn peek(&self) -> &Token {
        &self.tokens[self.next].0
    }

    fn peek_second(&self) -> &Token {
        &self.tokens[(self.next + 1).min(self.tokens.len() - 1)].0
    }

    /// The byte where the next token begins.
    pub(super) fn at(&self) -> usize {
        self.tokens[self.next].1
    }

    /// Takes the next token; the end stays.
    pub(super) fn next(&mut self) -> Token {
        let token = self.tokens[self.next].0.clone();
        if self.next + 1 < self.tokens.len() {
            self.next += 1;
        }
        token
    }

    /// Takes a sign where it comes next.
    pub(super) fn skips(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Token::Sign(found) if *found == sign);
        if is {
            self.next();
        }
        is
    }

    /// Takes a sign that must come next.
    pub(super) fn sign(&mut self, sign: &str) -> Result<(), FilterError> {
        if self.skips(sign) { Ok(()) } else { Err(self.expected(&format!("{sign:?}"))) }
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn skips_word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        if is {
            self.next();
        }
        is
    }

    fn word(&mut self, word: &str) -> Result<(), FilterError> {
        if self.skips_word(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    fn expected(&self, expected: &str) -> FilterError {
        lexer::syntax(self.text, self.at(), self.peek().shown(), expected)
    }

    /// An error about the literal that begins at a byte.
    pub(super) fn bad_literal(&self, at: usize, wanted: &'static str) -> FilterError {
        let given = shortened(self.text.get(at..).unwrap_or_default());
        FilterError::BadLiteral { at: position(self.text, at), given, wanted }
    }

    /// Takes a signed number.
    pub(super) fn number(&mut self) -> Result<f64, FilterError> {
        let at = self.at();
        let negative = self.skips("-");
        if !negative {
            self.skips("+");
        }
        let Token::Number(written) = self.peek() else { return Err(self.expected("a number")) };
        let number = finite(written);
        self.next();
        let number = number.ok_or_else(|| self.bad_literal(at, "finite number"))?;
        Ok(if negative { -number } else { number })
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, FilterError>) -> Result<T, FilterError> {
        if self.depth == MAX_DEPTH {
            return Err(FilterError::TooDeep { at: position(self.text, self.at()) });
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// `a OR b …`
    fn any_of(&mut self) -> Result<Expr, FilterError> {
        self.deeper(|parser| parser.chain("OR", Op::Or, |parser| parser.chain("AND", Op::And, Self::negation)))
    }

    fn chain(
        &mut self,
        word: &str,
        op: Op,
        mut read: impl FnMut(&mut Self) -> Result<Expr, FilterError>,
    ) -> Result<Expr, FilterError> {
        let at = self.at();
        let first = read(self)?;
        if !self.is_word(word) {
            return Ok(first);
        }
        let mut args = vec![first];
        while self.skips_word(word) {
            args.push(read(self)?);
        }
        Ok(Expr { node: Node::Op(op, args), at })
    }

    fn negation(&mut self) -> Result<Expr, FilterError> {
        let at = self.at();
        let mut negated = false;
        while self.skips_word("NOT") {
            negated = !negated;
        }
        let expr = self.predicate()?;
        Ok(if negated { not(expr, at) } else { expr })
    }

    /// A value, or values in a comparison.
    fn predicate(&mut self) -> Result<Expr, FilterError> {
        let at = self.at();
        let left = self.sum()?;
        if let Some(comparison) = self.comparison() {
            let right = self.sum()?;
            return Ok(Expr { node: Node::Op(Op::Compare(comparison), vec![left, right]), at });
        }
        if self.skips_word("IS") {
            let negated = self.skips_word("NOT");
            self.word("NULL")?;
            let is_null = Expr { node: Node::Op(Op::IsNull, vec![left]), at };
            return Ok(if negated { not(is_null, at) } else { is_null });
        }
        let negated = self.is_word("NOT");
        if negated {
            self.next();
        }
        let node = if self.skips_word("LIKE") {
            Node::Op(Op::Like, vec![left, self.sum()?])
        } else if self.skips_word("BETWEEN") {
            let low = self.sum()?;
            self.word("AND")?;
            Node::Op(Op::Between, vec![left, low, self.sum()?])
        } else if self.skips_word("IN") {
            let list_at = self.at();
            let list = Expr { node: Node::List(self.items()?), at: list_at };
            Node::Op(Op::In, vec![left, list])
        } else if negated {
            return Err(self.expected("LIKE, BETWEEN or IN"));
        } else {
            return Ok(left);
        };
        let expr = Expr { node, at };
        Ok(if negated { not(expr, at) } else { expr })
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let Token::Sign(sign) = self.peek() else { return None };
        let comparison = match *sign {
            "=" => Comparison::Equal,
            "<>" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        self.next();
        Some(comparison)
    }

    /// `( item, … )`
    fn items(&mut self) -> Result<Vec<Expr>, FilterError> {
        let at = self.at();
        self.sign("(")?;
        let mut items = Vec::new();
        if self.skips(")") {
            return Ok(items);
        }
        loop {
            if items.len() == MAX_ITEMS {
                return Err(FilterError::TooManyItems { at: position(self.text, at) });
            }
            items.push(self.any_of()?);
            if !self.skips(",") {
                self.sign(")")?;
                return Ok(items);
            }
        }
    }

    fn sum(&mut self) -> Result<Expr, FilterError> {
        self.operators(&[("+", Op::Add), ("-", Op::Subtract)], |parser| {
            parser.operators(&[("*", Op::Multiply), ("/", Op::Divide), ("%", Op::Modulo)], |parser| {
                parser.operators(&[("^", Op::Power)], Self::unary)
            })
        })
    }

    /// Operators of one rank, from the left. Chains nest to the left, so their number is bounded like depth.
    fn operators(
        &mut self,
        ops: &[(&str, Op)],
        read: impl Fn(&mut Self) -> Result<Expr, FilterError>,
    ) -> Result<Expr, FilterError> {
        let at = self.at();
        let mut left = read(self)?;
        while let Some((_, op)) = ops.iter().find(|(sign, _)| self.skips(sign)) {
            self.arithmetic += 1;
            if self.arithmetic > MAX_ARITHMETIC {
                return Err(FilterError::TooDeep { at: position(self.text, self.at()) });
            }
            left = Expr { node: Node::Op(op.clone(), vec![left, read(self)?]), at };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, FilterError> {
        let at = self.at();
        let mut negative = false;
        while matches!(self.peek(), Token::Sign("-" | "+")) {
            negative ^= self.next() == Token::Sign("-");
        }
        let expr = self.primary(negative)?;
        match (&expr.node, negative) {
            (_, false) | (Node::Literal(Value::Integer(i64::MIN)), true) => Ok(expr),
            (Node::Literal(Value::Integer(number)), true) => {
                Ok(Expr { node: Node::Literal(Value::Integer(-number)), at })
            }
            (Node::Literal(Value::Real(number)), true) => Ok(Expr { node: Node::Literal(Value::Real(-number)), at }),
            _ => Ok(Expr { node: Node::Op(Op::Subtract, vec![expr]), at }),
        }
    }

    fn primary(&mut self, negative: bool) -> Result<Expr, FilterError> {
        let at = self.at();
        let node = match self.peek() {
            Token::Sign("(") => {
                self.next();
                let inner = self.any_of()?;
                self.sign(")")?;
                return Ok(inner);
            }
            Token::Text(_) | Token::Quoted(_) | Token::Number(_) | Token::Word(_) => self.next(),
            _ => return Err(self.expected("a property, a value or \"(\"")),
        };
        let node = match node {
            Token::Text(text) => Node::Literal(Value::Text(text)),
            Token::Quoted(name) => Node::Property(name),
            Token::Number(written) => Node::Literal(self.numeral(&written, negative, at)?),
            Token::Word(word) => self.named(word, at)?,
            Token::Sign(_) | Token::End => return Err(self.expected("a value")),
        };
        Ok(Expr { node, at })
    }

    /// A number without its sign; the least whole number has no positive counterpart.
    fn numeral(&self, written: &str, negative: bool, at: usize) -> Result<Value, FilterError> {
        if let Ok(number) = written.parse::<i64>() {
            return Ok(Value::Integer(number));
        }
        if negative && written == "9223372036854775808" {
            return Ok(Value::Integer(i64::MIN));
        }
        finite(written).map(Value::Real).ok_or_else(|| self.bad_literal(at, "finite number"))
    }

    /// What a bare word begins.
    fn named(&mut self, word: String, at: usize) -> Result<Node, FilterError> {
        let upper = word.to_ascii_uppercase();
        let called = *self.peek() == Token::Sign("(");
        match upper.as_str() {
            "TRUE" => return Ok(Node::Literal(Value::Boolean(true))),
            "FALSE" => return Ok(Node::Literal(Value::Boolean(false))),
            "AND" | "OR" | "NOT" | "LIKE" | "BETWEEN" | "IN" | "IS" | "NULL" | "DIV" if !called => {
                return Err(lexer::syntax(self.text, at, Token::Word(word).shown(), "a property or a value"));
            }
            "DATE" | "TIMESTAMP" if called => return self.instant(&upper, at),
            "INTERVAL" if called => return Err(FilterError::Unsupported { what: "INTERVAL()".to_owned() }),
            _ => {}
        }
        let geometry_follows = called
            || matches!(
                (self.peek(), self.peek_second()),
                (Token::Word(_), Token::Sign("(") | Token::Word(_) | Token::End)
            );
        if geometry_follows && wkt::begins_geometry(&word) {
            return self.deeper(|parser| wkt::geometry(parser, &word, at));
        }
        if !called {
            return Ok(Node::Property(word));
        }
        let op = match upper.as_str() {
            "CASEI" => Op::Casei,
            "ACCENTI" => Op::Accenti,
            name => match SpatialOp::named(name) {
                Some(op) => Op::Spatial(op),
                None if name.starts_with("T_") => Op::Temporal(upper),
                None if name.starts_with("A_") => Op::Array(upper),
                None => Op::Function(word),
            },
        };
        Ok(Node::Op(op, self.items()?))
    }

    /// `DATE('…')` or `TIMESTAMP('…')`
    fn instant(&mut self, word: &str, at: usize) -> Result<Node, FilterError> {
        self.sign("(")?;
        let Token::Text(text) = self.next() else {
            return Err(self.bad_literal(at, "date or timestamp in single quotes"));
        };
        self.sign(")")?;
        let kind = if word == "DATE" { FieldType::Date } else { FieldType::DateTime };
        literal_of(&text, kind).map(Node::Literal).map_err(|error| match error {
            FilterError::BadLiteral { given, wanted, .. } => {
                FilterError::BadLiteral { at: position(self.text, at), given, wanted }
            }
            other => other,
        })
    }
}

fn not(expr: Expr, at: usize) -> Expr {
    Expr { node: Node::Op(Op::Not, vec![expr]), at }
}
