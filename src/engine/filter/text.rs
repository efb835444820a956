//! CQL2 text (OGC 21-065r2, annex B) read by recursive descent into an [`Expr`].
//!
//! Invariants: no input panics; nesting is bounded before recursion, length before reading; every error
//! names the character where it stands and what could stand there.

use crate::domain::feature::Value;

use super::{
    Comparison, Expr, FilterError, MAX_DEPTH, MAX_ITEMS, MAX_TEXT, MAX_VERTICES, Node, Op, Spot,
    lexer::{self, Token, shortened, tokens},
    terms::finite,
    time, wkt,
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
    let tokens = tokens(text)?;
    let mut parser = Parser { text, closing: closing(&tokens), tokens, next: 0, depth: 0, arithmetic: 0, vertices: 0 };
    let expr = parser.any_of()?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.expected("AND, OR or the end")),
    }
}

/// For each token that opens a bracket the one that closes it; for others, and where none does, past the end.
fn closing(tokens: &[(Token, usize)]) -> Vec<usize> {
    let mut closing = vec![tokens.len(); tokens.len()];
    let mut open = Vec::new();
    for (number, (token, _)) in tokens.iter().enumerate() {
        match token {
            Token::Sign("(") => open.push(number),
            Token::Sign(")") => {
                if let Some(opening) = open.pop() {
                    closing[opening] = number;
                }
            }
            _ => {}
        }
    }
    closing
}

/// Reads one text.
pub(super) struct Parser<'t> {
    text: &'t str,
    tokens: Vec<(Token, usize)>,
    /// For each opening bracket the token that closes it.
    closing: Vec<usize>,
    next: usize,
    depth: usize,
    arithmetic: usize,
    vertices: usize,
}

impl Parser<'_> {
    /// The next token.
    pub(super) fn peek(&self) -> &Token {
        &self.tokens[self.next].0
    }

    fn peek_second(&self) -> &Token {
        &self.tokens[(self.next + 1).min(self.tokens.len() - 1)].0
    }

    /// The character where the next token begins.
    fn position(&self) -> usize {
        self.tokens[self.next].1
    }

    /// Where the next token begins.
    pub(super) fn at(&self) -> Spot {
        Spot::Character(self.position())
    }

    /// Counts a vertex of a geometry.
    pub(super) fn count_vertex(&mut self) -> Result<(), FilterError> {
        self.vertices += 1;
        if self.vertices > MAX_VERTICES { Err(FilterError::TooManyVertices { at: self.at() }) } else { Ok(()) }
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

    pub(super) fn expected(&self, expected: &str) -> FilterError {
        lexer::syntax(self.position(), self.peek().shown(), expected)
    }

    /// An error about the literal that begins at a place.
    pub(super) fn bad_literal(&self, at: &Spot, wanted: &'static str) -> FilterError {
        let before = if let Spot::Character(position) = at { position.saturating_sub(1) } else { 0 };
        let given: String = self.text.chars().skip(before).take(64).collect();
        FilterError::BadLiteral { at: at.clone(), given: shortened(&given), wanted }
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
        let number = number.ok_or_else(|| self.bad_literal(&at, "finite number"))?;
        Ok(if negative { -number } else { number })
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, FilterError>) -> Result<T, FilterError> {
        if self.depth == MAX_DEPTH {
            return Err(FilterError::TooDeep { at: self.at() });
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
            let is_null = Expr { node: Node::Op(Op::IsNull, vec![left]), at: at.clone() };
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
            let list = Expr { node: Node::List(self.items(Self::any_of)?), at: list_at };
            Node::Op(Op::In, vec![left, list])
        } else if negated {
            return Err(self.expected("LIKE, BETWEEN or IN"));
        } else {
            return Ok(left);
        };
        let expr = Expr { node, at: at.clone() };
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
    fn items(&mut self, read: fn(&mut Self) -> Result<Expr, FilterError>) -> Result<Vec<Expr>, FilterError> {
        let at = self.at();
        self.sign("(")?;
        let mut items = Vec::new();
        if self.skips(")") {
            return Ok(items);
        }
        loop {
            if items.len() == MAX_ITEMS {
                return Err(FilterError::TooManyItems { at });
            }
            items.push(read(self)?);
            if !self.skips(",") {
                self.sign(")")?;
                return Ok(items);
            }
        }
    }

    /// An element of a list, or an operand of `A_…`: what stands in brackets alone is a list there, even of one.
    fn element(&mut self) -> Result<Expr, FilterError> {
        let behind = self.closing.get(self.next).and_then(|closing| self.tokens.get(closing + 1));
        if !matches!(self.peek(), Token::Sign("(")) || !matches!(behind, Some((Token::Sign("," | ")"), _))) {
            return self.any_of();
        }
        let at = self.at();
        let items = self.deeper(|parser| parser.items(Self::element))?;
        Ok(Expr { node: Node::List(items), at })
    }

    fn sum(&mut self) -> Result<Expr, FilterError> {
        self.operators(&[("+", Op::Add), ("-", Op::Subtract)], |parser| {
            let ops = [("*", Op::Multiply), ("/", Op::Divide), ("%", Op::Modulo), ("DIV", Op::WholeDivide)];
            parser.operators(&ops, Self::power)
        })
    }

    /// `a ^ b`; a chain of powers is not CQL2, for it could be read from either side.
    fn power(&mut self) -> Result<Expr, FilterError> {
        let at = self.at();
        let base = self.unary()?;
        if !self.skips("^") {
            return Ok(base);
        }
        let args = vec![base, self.unary()?];
        if matches!(self.peek(), Token::Sign("^")) {
            return Err(self.expected("parentheses around one of the powers"));
        }
        Ok(Expr { node: Node::Op(Op::Power, args), at })
    }

    /// Operators of one rank, from the left. Chains nest to the left, so their number is bounded like depth.
    fn operators(
        &mut self,
        ops: &[(&str, Op)],
        read: impl Fn(&mut Self) -> Result<Expr, FilterError>,
    ) -> Result<Expr, FilterError> {
        let at = self.at();
        let mut left = read(self)?;
        while let Some((_, op)) = ops.iter().find(|(sign, _)| self.skips(sign) || self.skips_word(sign)) {
            self.arithmetic += 1;
            if self.arithmetic > MAX_ARITHMETIC {
                return Err(FilterError::TooDeep { at: self.at() });
            }
            left = Expr { node: Node::Op(op.clone(), vec![left, read(self)?]), at: at.clone() };
        }
        Ok(left)
    }

    /// A signed operand. The negative of what is no number is a product, as CQL2 JSON has it.
    fn unary(&mut self) -> Result<Expr, FilterError> {
        let at = self.at();
        let mut negative = false;
        while matches!(self.peek(), Token::Sign("-" | "+")) {
            negative ^= self.next() == Token::Sign("-");
        }
        let expr = self.primary(negative)?;
        let node = match (expr.node, negative) {
            (node, false) | (node @ Node::Literal(Value::Integer(i64::MIN)), true) => node,
            (Node::Literal(Value::Integer(number)), true) => Node::Literal(Value::Integer(-number)),
            (Node::Literal(Value::Real(number)), true) => Node::Literal(Value::Real(-number)),
            (node, true) => {
                let minus_one = Expr { node: Node::Literal(Value::Integer(-1)), at: at.clone() };
                Node::Op(Op::Multiply, vec![minus_one, Expr { node, at: expr.at }])
            }
        };
        Ok(Expr { node, at })
    }

    fn primary(&mut self, negative: bool) -> Result<Expr, FilterError> {
        let at = self.at();
        if matches!(self.peek(), Token::Sign("(")) {
            return self.bracketed();
        }
        if !matches!(self.peek(), Token::Text(_) | Token::Quoted(_) | Token::Number(_) | Token::Word(_)) {
            return Err(self.expected("a property, a value or \"(\""));
        }
        let position = self.position();
        let node = match self.next() {
            Token::Text(text) => Node::Literal(Value::Text(text)),
            Token::Quoted(name) => Node::Property(name),
            Token::Number(written) => Node::Literal(self.numeral(&written, negative, &at)?),
            Token::Word(word) => self.named(word, &at)?,
            token @ (Token::Sign(_) | Token::End) => return Err(lexer::syntax(position, token.shown(), "a value")),
        };
        Ok(Expr { node, at })
    }

    /// `( expression )`, or a list where it is empty or has commas: `( item, … )`.
    fn bracketed(&mut self) -> Result<Expr, FilterError> {
        let at = self.at();
        let mut items = self.items(Self::any_of)?;
        Ok(if items.len() == 1 { items.remove(0) } else { Expr { node: Node::List(items), at } })
    }

    /// A number without its sign; the least whole number has no positive counterpart.
    fn numeral(&self, written: &str, negative: bool, at: &Spot) -> Result<Value, FilterError> {
        if let Ok(number) = written.parse::<i64>() {
            return Ok(Value::Integer(number));
        }
        if negative && written == "9223372036854775808" {
            return Ok(Value::Integer(i64::MIN));
        }
        finite(written).map(Value::Real).ok_or_else(|| self.bad_literal(at, "finite number"))
    }

    /// What a bare word begins.
    fn named(&mut self, word: String, at: &Spot) -> Result<Node, FilterError> {
        let called = *self.peek() == Token::Sign("(");
        match word.to_ascii_uppercase().as_str() {
            "TRUE" => return Ok(Node::Literal(Value::Boolean(true))),
            "FALSE" => return Ok(Node::Literal(Value::Boolean(false))),
            "AND" | "OR" | "NOT" | "LIKE" | "BETWEEN" | "IN" | "IS" | "NULL" | "DIV" if !called => {
                let (expected, found) = ("a property or a value", Token::Word(word).shown());
                return Err(FilterError::Syntax { at: at.clone(), found, expected: expected.to_owned() });
            }
            "DATE" if called => return self.instant(time::day),
            "TIMESTAMP" if called => return self.instant(time::moment),
            "INTERVAL" if called => return self.interval(),
            _ => {}
        }
        let dimensioned = matches!(self.peek(), Token::Word(word) if wkt::is_dimension(word))
            && matches!(self.peek_second(), Token::Sign("(") | Token::End);
        let empty = self.is_word("EMPTY") && !matches!(self.peek_second(), Token::Sign("("));
        if (called || dimensioned || empty) && wkt::begins_geometry(&word) {
            return self.deeper(|parser| wkt::geometry(parser, &word, at));
        }
        if !called {
            return Ok(Node::Property(word));
        }
        let op = Op::called(&word);
        let args = self.items(if matches!(op, Op::Array(_)) { Self::element } else { Self::any_of })?;
        op.check_count(args.len(), at)?;
        Ok(Node::Op(op, args))
    }

    /// The text in the brackets of `DATE('…')` and `TIMESTAMP('…')`.
    fn instant(&mut self, read: fn(&str, &Spot) -> Result<Node, FilterError>) -> Result<Node, FilterError> {
        self.sign("(")?;
        let at = self.at();
        let Token::Text(text) = self.peek() else {
            return Err(self.expected("a date or a timestamp in single quotes"));
        };
        let node = read(text, &at)?;
        self.next();
        self.sign(")")?;
        Ok(node)
    }

    /// The brackets of `INTERVAL(from, to)`.
    fn interval(&mut self) -> Result<Node, FilterError> {
        self.sign("(")?;
        let from = self.end_of_interval()?;
        self.sign(",")?;
        let to = self.end_of_interval()?;
        self.sign(")")?;
        Ok(Node::Interval(Box::new([from, to])))
    }

    /// `'2024-01-01'`, `'2024-01-01T00:00:00Z'`, `'..'`, a property or a function.
    fn end_of_interval(&mut self) -> Result<Option<Expr>, FilterError> {
        let at = self.at();
        let Token::Text(text) = self.peek() else { return self.any_of().map(Some) };
        let node = if text == ".." { None } else { Some(time::day_or_moment(text, &at)?) };
        self.next();
        Ok(node.map(|node| Expr { node, at }))
    }
}

fn not(expr: Expr, at: Spot) -> Expr {
    Expr { node: Node::Op(Op::Not, vec![expr]), at }
}
