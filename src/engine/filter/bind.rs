//! Binding: names and types of a filter checked against a layer, once, before any feature is looked at.

use std::sync::Arc;

use crate::{
    domain::{
        feature::Value,
        layer::{GeometryClass, Layer},
        schema::{Derived, FieldType},
    },
    engine::find::Probe,
    ground::shape::Shape,
};

use super::{
    Comparison, Expr, FilterError, Node, Op, SpatialOp,
    eval::{Arithmetic, Bound, Key, Scalar, Test, WordCheck},
    lexer::shortened,
    like::Pattern,
    type_word,
};

/// Checks a filter against a layer.
///
/// # Errors
/// [`FilterError`] names the property, the types or the operator that does not fit.
pub fn bind(expr: &Expr, layer: &Layer) -> Result<Bound, FilterError> {
    let mut binder = Binder { layer, words: 0, probes: 0 };
    let root = binder.test(expr)?;
    Ok(Bound { root, words: binder.words, probes: binder.probes })
}

/// The type of a stored or derived property. A derived name means the derived value.
pub(in crate::engine) fn property_kind(name: &str, layer: &Layer) -> Result<FieldType, FilterError> {
    if Derived::named(name).is_some() {
        return Ok(FieldType::Real);
    }
    if let Some(column) = layer.schema.position(name) {
        return Ok(layer.schema.fields[column].kind);
    }
    let fields = layer.schema.fields.iter().map(|field| field.name.as_str());
    let all: Vec<&str> =
        fields.chain(Derived::ALL.map(Derived::name)).chain(has_geometry(layer).then_some("geometry")).collect();
    let given = shortened(name);
    let near = all.iter().filter(|known| are_near(&given, known)).map(|known| (*known).to_owned()).collect();
    Err(FilterError::UnknownProperty { given, near, all: all.into_iter().map(str::to_owned).collect() })
}

fn has_geometry(layer: &Layer) -> bool {
    layer.geometry != GeometryClass::None
}

/// Whether two names differ in case alone, or in at most two characters of a longer name.
fn are_near(a: &str, b: &str) -> bool {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let most = if a.len().min(b.len()) > 3 { 2 } else { usize::from(a.len().min(b.len()) > 1) };
    let mut before: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            row.push((before[j] + usize::from(x != y)).min(before[j + 1] + 1).min(row[j] + 1));
        }
        before = row;
    }
    before[b.len()] <= most
}

struct Binder<'l> {
    layer: &'l Layer,
    words: usize,
    probes: usize,
}

impl Binder<'_> {
    /// An expression that is true, false or unknown.
    fn test(&mut self, expr: &Expr) -> Result<Test, FilterError> {
        match &expr.node {
            Node::Literal(Value::Boolean(truth)) => Ok(Test::Constant(*truth)),
            Node::Op(Op::And, args) => Ok(Test::All(self.tests(args)?)),
            Node::Op(Op::Or, args) => Ok(Test::Any(self.tests(args)?)),
            Node::Op(Op::Not, args) => Ok(Test::Not(Box::new(self.test(one("NOT", args)?)?))),
            Node::Op(Op::Compare(op), args) => {
                let [left, right] = two("comparison", args)?;
                self.compare(*op, left, right)
            }
            Node::Op(Op::Like, args) => {
                let [value, pattern] = two("LIKE", args)?;
                self.like(value, pattern)
            }
            Node::Op(Op::Between, args) => {
                let [value, low, high] = counted("BETWEEN", args)?;
                self.between(value, low, high)
            }
            Node::Op(Op::In, args) => {
                let [value, list] = two("IN", args)?;
                self.is_in(value, list)
            }
            Node::Op(Op::IsNull, args) => {
                let arg = one("IS NULL", args)?;
                if self.is_geometry(arg) {
                    return Ok(Test::NoShape);
                }
                Ok(Test::IsNull(self.scalar(arg)?.0))
            }
            Node::Op(Op::Spatial(op), args) => self.spatial(*op, args),
            _ => {
                let (scalar, kind) = self.scalar(expr)?;
                if kind == FieldType::Boolean {
                    return Ok(Test::Truth(scalar));
                }
                Err(FilterError::WrongType { given: described(expr, kind), wanted: "a condition" })
            }
        }
    }

    fn tests(&mut self, args: &[Expr]) -> Result<Vec<Test>, FilterError> {
        args.iter().map(|arg| self.test(arg)).collect()
    }

    fn is_geometry(&self, expr: &Expr) -> bool {
        let Node::Property(name) = &expr.node else { return false };
        (name == "geom" || name == "geometry") && has_geometry(self.layer) && self.layer.schema.position(name).is_none()
    }

    fn word(&mut self, column: usize, folded: bool, check: WordCheck) -> Test {
        self.words += 1;
        Test::Word { slot: self.words - 1, column, folded, check }
    }

    fn compare(&mut self, op: Comparison, left: &Expr, right: &Expr) -> Result<Test, FilterError> {
        let (left_scalar, left_kind) = self.scalar(left)?;
        let (right_scalar, right_kind) = self.scalar(right)?;
        self.same_kind((left, left_kind), (right, right_kind))?;
        Ok(match (text_column(&left_scalar), text_column(&right_scalar)) {
            (Some((column, folded)), None) if let Some(text) = text_constant(&right_scalar) => {
                self.word(column, folded, WordCheck::Compare(op, text))
            }
            (None, Some((column, folded))) if let Some(text) = text_constant(&left_scalar) => {
                self.word(column, folded, WordCheck::Compare(op.turned(), text))
            }
            _ => Test::Compare { op, left: left_scalar, right: right_scalar },
        })
    }

    #[expect(clippy::unused_self, reason = "stands beside the other checks")]
    fn same_kind(&self, left: (&Expr, FieldType), right: (&Expr, FieldType)) -> Result<(), FilterError> {
        if type_word(left.1) == type_word(right.1) {
            return Ok(());
        }
        let (left, right) = (described(left.0, left.1), described(right.0, right.1));
        Err(FilterError::TypeMismatch { left, right, action: "compared" })
    }

    fn like(&mut self, value: &Expr, pattern: &Expr) -> Result<Test, FilterError> {
        let (scalar, kind) = self.scalar(value)?;
        self.must_be_text(value, kind)?;
        let (pattern_scalar, pattern_kind) = self.scalar(pattern)?;
        self.must_be_text(pattern, pattern_kind)?;
        let Some(pattern) = text_constant(&pattern_scalar) else {
            return Err(FilterError::Unsupported { what: "LIKE with a pattern that is no literal".to_owned() });
        };
        let pattern = Pattern::new(&pattern);
        Ok(match text_column(&scalar) {
            Some((column, folded)) => self.word(column, folded, WordCheck::Like(pattern)),
            None => Test::Like { value: scalar, pattern },
        })
    }

    #[expect(clippy::unused_self, reason = "stands beside the other checks")]
    fn must_be_text(&self, expr: &Expr, kind: FieldType) -> Result<(), FilterError> {
        if kind == FieldType::Text {
            return Ok(());
        }
        Err(FilterError::WrongType { given: described(expr, kind), wanted: "text" })
    }

    fn between(&mut self, value: &Expr, low: &Expr, high: &Expr) -> Result<Test, FilterError> {
        let above = self.compare(Comparison::GreaterOrEqual, value, low)?;
        let below = self.compare(Comparison::LessOrEqual, value, high)?;
        Ok(Test::All(vec![above, below]))
    }

    fn is_in(&mut self, value: &Expr, list: &Expr) -> Result<Test, FilterError> {
        let Node::List(items) = &list.node else {
            return Err(FilterError::WrongType { given: "one value".to_owned(), wanted: "a list in parentheses" });
        };
        let (scalar, kind) = self.scalar(value)?;
        let mut keys = Vec::with_capacity(items.len());
        let mut others = Vec::new();
        for item in items {
            let (item_scalar, item_kind) = self.scalar(item)?;
            self.same_kind((value, kind), (item, item_kind))?;
            match item_scalar.constant() {
                Some(constant) => keys.push(constant),
                None => others.push(Test::Compare { op: Comparison::Equal, left: scalar.clone(), right: item_scalar }),
            }
        }
        let keys = keys.into_iter().filter_map(|value| Key::of_value(&value)).collect();
        let listed = match text_column(&scalar) {
            Some((column, folded)) => self.word(column, folded, WordCheck::In(keys)),
            None => Test::In { value: scalar, keys },
        };
        if others.is_empty() {
            return Ok(listed);
        }
        others.push(listed);
        Ok(Test::Any(others))
    }

    fn spatial(&mut self, op: SpatialOp, args: &[Expr]) -> Result<Test, FilterError> {
        let [first, second] = two(op.name(), args)?;
        let (op, literal) = match (self.is_geometry(first), self.is_geometry(second)) {
            (true, false) => (op, second),
            (false, true) => (turned(op), first),
            (true, true) => {
                return Err(FilterError::Unsupported { what: format!("{} of the geometry with itself", op.name()) });
            }
            (false, false) => {
                return Err(FilterError::WrongType {
                    given: format!("{} without the feature's geometry", op.name()),
                    wanted: "the property geometry beside a literal (POINT, POLYGON, BBOX …)",
                });
            }
        };
        let shape = match &literal.node {
            Node::Geometry(shape) => shape.clone(),
            Node::Box(bounds) => Shape::of_bounds(bounds),
            Node::Property(name) => {
                property_kind(name, self.layer)?;
                return Err(FilterError::WrongType { given: format!("property {name:?}"), wanted: "a geometry" });
            }
            _ => return Err(FilterError::WrongType { given: "a value".to_owned(), wanted: "a geometry" }),
        };
        self.probes += 1;
        Ok(Test::Spatial { slot: self.probes - 1, op, probe: Arc::new(Probe::new(shape)) })
    }

    /// An expression with a value, and the value's type.
    fn scalar(&mut self, expr: &Expr) -> Result<(Scalar, FieldType), FilterError> {
        match &expr.node {
            Node::Literal(value) => match value.kind() {
                Some(kind) => Ok((Scalar::Literal(value.clone()), kind)),
                None => Err(FilterError::WrongType { given: "NULL".to_owned(), wanted: "a value (use IS NULL)" }),
            },
            Node::Property(name) => {
                let kind = property_kind(name, self.layer)?;
                let scalar = match (Derived::named(name), self.layer.schema.position(name)) {
                    (Some(derived), _) => Scalar::Derived(derived),
                    (None, column) => Scalar::Column(column.unwrap_or_default()),
                };
                Ok((if kind == FieldType::Text { text_scalar(scalar) } else { scalar }, kind))
            }
            Node::Op(Op::Casei, args) => {
                let arg = one("CASEI", args)?;
                let (scalar, kind) = self.scalar(arg)?;
                self.must_be_text(arg, kind)?;
                Ok((Scalar::Casei(Box::new(scalar)), FieldType::Text))
            }
            Node::Op(op, args) => match Arithmetic::of(op) {
                Some(operator) => self.arithmetic(operator, args),
                None => Err(unsupported(op)),
            },
            Node::Geometry(_) | Node::Box(_) => {
                Err(FilterError::WrongType { given: "a geometry".to_owned(), wanted: "a value" })
            }
            Node::List(_) => Err(FilterError::WrongType { given: "a list".to_owned(), wanted: "a value" }),
            Node::Interval(_) => Err(FilterError::Unsupported { what: "INTERVAL()".to_owned() }),
        }
    }

    fn arithmetic(&mut self, operator: Arithmetic, args: &[Expr]) -> Result<(Scalar, FieldType), FilterError> {
        let mut sides = Vec::with_capacity(2);
        let mut whole = operator != Arithmetic::Divide;
        if let ([_], Arithmetic::Subtract) = (args, operator) {
            sides.push(Scalar::Literal(Value::Integer(0)));
        } else {
            two("arithmetic", args)?;
        }
        for arg in args {
            let (scalar, kind) = self.scalar(arg)?;
            if type_word(kind) != type_word(FieldType::Real) {
                return Err(FilterError::WrongType { given: described(arg, kind), wanted: "a number" });
            }
            whole &= kind == FieldType::Integer;
            sides.push(scalar);
        }
        let kind = if whole { FieldType::Integer } else { FieldType::Real };
        let right = sides.pop().unwrap_or(Scalar::Literal(Value::Integer(0)));
        let left = sides.pop().unwrap_or(Scalar::Literal(Value::Integer(0)));
        Ok((Scalar::Arithmetic(operator, Box::new([left, right])), kind))
    }
}

/// Relations seen from the other side.
const fn turned(op: SpatialOp) -> SpatialOp {
    match op {
        SpatialOp::Within => SpatialOp::Contains,
        SpatialOp::Contains => SpatialOp::Within,
        same => same,
    }
}

fn unsupported(op: &Op) -> FilterError {
    let what = match op {
        Op::Accenti => "ACCENTI()".to_owned(),
        Op::Temporal(name) | Op::Array(name) => format!("{name}()"),
        Op::Function(name) => format!("function {:?}", shortened(name)),
        Op::Modulo => "%".to_owned(),
        Op::WholeDivide => "DIV".to_owned(),
        Op::Power => "^".to_owned(),
        Op::And | Op::Or | Op::Not | Op::Compare(_) | Op::Like | Op::Between | Op::In | Op::IsNull | Op::Spatial(_) => {
            return FilterError::WrongType { given: "a condition".to_owned(), wanted: "a value" };
        }
        Op::Casei | Op::Add | Op::Subtract | Op::Multiply | Op::Divide => "this".to_owned(),
    };
    FilterError::Unsupported { what }
}

/// A text column, marked so that word checks can be cut out of it.
fn text_scalar(scalar: Scalar) -> Scalar {
    match scalar {
        Scalar::Column(column) => Scalar::TextColumn(column),
        other => other,
    }
}

/// The column of a bare text property, and whether its case is folded.
fn text_column(scalar: &Scalar) -> Option<(usize, bool)> {
    match scalar {
        Scalar::TextColumn(column) => Some((*column, false)),
        Scalar::Casei(inner) => text_column(inner).map(|(column, _)| (column, true)),
        _ => None,
    }
}

fn text_constant(scalar: &Scalar) -> Option<String> {
    match scalar.constant()? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// An expression and its type, for messages.
fn described(expr: &Expr, kind: FieldType) -> String {
    let kind = type_word(kind);
    match &expr.node {
        Node::Property(name) => format!("property {:?} ({kind})", shortened(name)),
        Node::Literal(Value::Text(text)) => format!("{:?} ({kind})", shortened(text)),
        Node::Literal(Value::Integer(number)) => format!("{number} ({kind})"),
        Node::Literal(Value::Real(number)) => format!("{number} ({kind})"),
        _ => format!("an expression ({kind})"),
    }
}

fn one<'e>(what: &str, args: &'e [Expr]) -> Result<&'e Expr, FilterError> {
    counted::<1>(what, args).map(|[arg]| arg)
}

fn two<'e>(what: &str, args: &'e [Expr]) -> Result<[&'e Expr; 2], FilterError> {
    counted(what, args)
}

fn counted<'e, const N: usize>(what: &str, args: &'e [Expr]) -> Result<[&'e Expr; N], FilterError> {
    let wrong = |_| FilterError::WrongCount { what: what.to_owned(), wanted: N, found: args.len() };
    args.iter().collect::<Vec<_>>().try_into().map_err(wrong)
}
