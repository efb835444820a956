//! Binding: names and types of a filter checked against a layer, once, before any feature is looked at.

use std::sync::Arc;

use crate::{
    domain::{feature::Value, layer::Layer, schema::FieldType},
    engine::find::Probe,
    ground::shape::Shape,
};

use super::{
    Comparison, Expr, FilterError, Node, Op, SpatialOp, TemporalOp,
    array::Element,
    eval::{Bound, Test, Time, WordCheck},
    fold::Fold,
    lexer::shortened,
    like::Pattern,
    moved::{check_place, shape_of_box},
    scalar::{Arithmetic, Key, Known, Scalar},
    spatial,
    terms::{ID, described, is_geometry, kind_at, literal_of},
    type_word,
};

/// Checks a filter against a layer. Its geometries are in longitude and latitude: those of another CRS have been
/// moved by [`super::in_crs`].
///
/// # Errors
/// [`FilterError`] names the property, the types or the operator that does not fit.
pub fn bind(expr: &Expr, layer: &Layer) -> Result<Bound, FilterError> {
    let mut binder = Binder { layer, words: 0, probes: 0 };
    let root = binder.test(expr)?;
    Ok(Bound { root, words: binder.words, probes: binder.probes })
}

/// An operand of a spatial relation.
enum Place {
    /// The feature's geometry.
    Own,
    /// A literal: one geometry, or the members of a collection.
    Fixed(Vec<Shape>),
}

struct Binder<'l> {
    layer: &'l Layer,
    words: usize,
    probes: usize,
}

impl Binder<'_> {
    /// An expression that is true, false or unknown.
    fn test(&mut self, expr: &Expr) -> Result<Test, FilterError> {
        let Node::Op(op, args) = &expr.node else { return self.truth(expr) };
        op.check_count(args.len(), &expr.at)?;
        match (op, args.as_slice()) {
            (Op::And, args) => Ok(Test::All(self.tests(args)?)),
            (Op::Or, args) => Ok(Test::Any(self.tests(args)?)),
            (Op::Not, [arg]) => Ok(Test::Not(Box::new(self.test(arg)?))),
            (Op::Compare(op), [left, right]) => self.compare(*op, left, right),
            (Op::Like, [value, pattern]) => self.like(value, pattern),
            (Op::Between, [value, low, high]) => {
                let above = self.compare(Comparison::GreaterOrEqual, value, low)?;
                let below = self.compare(Comparison::LessOrEqual, value, high)?;
                Ok(Test::All(vec![above, below]))
            }
            (Op::In, [value, list]) => self.is_in(value, list),
            (Op::IsNull, [arg]) => self.is_null(arg),
            (Op::Spatial(op), [first, second]) => self.spatial(*op, first, second),
            (Op::Temporal(op), [first, second]) => self.temporal(*op, first, second),
            (Op::Array(op), [first, second]) => {
                let sides = Box::new([self.elements(first)?, self.elements(second)?]);
                Ok(Test::Array { op: *op, sides })
            }
            _ => self.truth(expr),
        }
    }

    /// Conditions, the quickest first.
    fn tests(&mut self, args: &[Expr]) -> Result<Vec<Test>, FilterError> {
        let mut tests = args.iter().map(|arg| self.test(arg)).collect::<Result<Vec<_>, _>>()?;
        tests.sort_by_key(Test::steps);
        Ok(tests)
    }

    /// A boolean value as a condition.
    fn truth(&mut self, expr: &Expr) -> Result<Test, FilterError> {
        let (scalar, kind) = self.scalar(expr)?;
        if kind != FieldType::Boolean {
            return Err(wrong(expr, described(expr, kind), "a condition"));
        }
        Ok(match scalar.constant() {
            Some(Known::Boolean(truth)) => Test::Constant(Some(truth)),
            _ => Test::Truth(scalar),
        })
    }

    fn is_own_geometry(&self, expr: &Expr) -> bool {
        matches!(&expr.node, Node::Property(name) if is_geometry(name, self.layer))
    }

    fn is_null(&mut self, arg: &Expr) -> Result<Test, FilterError> {
        match &arg.node {
            Node::Property(name) if is_geometry(name, self.layer) => Ok(Test::NoShape),
            Node::Geometry(_) | Node::Collection(_) | Node::Box(_) => {
                self.place(arg)?;
                Ok(Test::Constant(Some(false)))
            }
            Node::Interval(_) => {
                self.time(arg)?;
                Ok(Test::Constant(Some(false)))
            }
            Node::Op(op, _) if is_condition(op) => Ok(Test::Unknown(Box::new(self.test(arg)?))),
            _ => Ok(Test::IsNull(self.scalar(arg)?.0)),
        }
    }

    fn word(&mut self, (column, folds): (usize, Vec<Fold>), check: WordCheck) -> Test {
        self.words += 1;
        Test::Word { slot: self.words - 1, column, folds, check }
    }

    /// Two values that are to be compared: a text literal beside a date or a timestamp is read as one.
    fn pair(&mut self, left: &Expr, right: &Expr) -> Result<[Scalar; 2], FilterError> {
        let (mut left_scalar, mut left_kind) = self.scalar(left)?;
        let (mut right_scalar, mut right_kind) = self.scalar(right)?;
        if let Some(read) = read_as(left, right_kind)? {
            (left_scalar, left_kind) = (read, right_kind);
        }
        if let Some(read) = read_as(right, left_kind)? {
            (right_scalar, right_kind) = (read, left_kind);
        }
        if type_word(left_kind) != type_word(right_kind) {
            let (at, action) = (left.at.clone(), "compared");
            let (left, right) = (described(left, left_kind), described(right, right_kind));
            return Err(FilterError::TypeMismatch { left, right, action, at });
        }
        Ok([left_scalar, right_scalar])
    }

    fn compare(&mut self, op: Comparison, left: &Expr, right: &Expr) -> Result<Test, FilterError> {
        let [left, right] = self.pair(left, right)?;
        let (op, left, right) = if left.is_constant() { (op.turned(), right, left) } else { (op, left, right) };
        Ok(match (left.constant(), right.constant()) {
            (Some(left), Some(right)) => Test::Constant(left.order(&right).map(|order| op.holds(order))),
            (None, Some(Known::Text(text))) if let Some(words) = text_column(&left) => {
                let check = WordCheck::Compare(op, text.into_owned());
                self.word(words, check)
            }
            _ => Test::Compare { op, left, right },
        })
    }

    fn like(&mut self, value: &Expr, pattern: &Expr) -> Result<Test, FilterError> {
        let (scalar, kind) = self.scalar(value)?;
        must_be_text(value, kind)?;
        let (pattern_scalar, pattern_kind) = self.scalar(pattern)?;
        must_be_text(pattern, pattern_kind)?;
        let Some(Known::Text(text)) = pattern_scalar.constant() else {
            let what = "LIKE with a pattern that is no literal".to_owned();
            return Err(FilterError::Unsupported { what, at: pattern.at.clone() });
        };
        let pattern = Pattern::new(&text);
        Ok(match text_column(&scalar) {
            Some(words) => self.word(words, WordCheck::Like(pattern)),
            None => Test::Like { value: scalar, pattern },
        })
    }

    fn is_in(&mut self, value: &Expr, list: &Expr) -> Result<Test, FilterError> {
        let Node::List(items) = &list.node else { return Err(wrong(list, "one value".to_owned(), "a list")) };
        let (scalar, _) = self.scalar(value)?;
        let mut keys = Vec::with_capacity(items.len());
        let mut others = Vec::new();
        for item in items {
            let [left, right] = self.pair(value, item)?;
            match right.constant() {
                Some(constant) => keys.push(Key::of(&constant)),
                None => others.push(Test::Compare { op: Comparison::Equal, left, right }),
            }
        }
        // A constant without a value (a division by zero) is equal to nothing, and not unequal either.
        if keys.iter().any(Option::is_none) {
            others.push(Test::Constant(None));
        }
        let keys = keys.into_iter().flatten().collect();
        let listed = match text_column(&scalar) {
            Some(words) => self.word(words, WordCheck::In(keys)),
            None => Test::In { value: scalar, keys },
        };
        if others.is_empty() {
            return Ok(listed);
        }
        others.insert(0, listed);
        Ok(Test::Any(others))
    }

    fn place(&mut self, expr: &Expr) -> Result<Place, FilterError> {
        let shapes = match &expr.node {
            _ if self.is_own_geometry(expr) => return Ok(Place::Own),
            Node::Geometry(shape) => vec![shape.clone()],
            Node::Collection(shapes) => shapes.clone(),
            Node::Box(corners) => vec![shape_of_box(*corners, &expr.at)?],
            Node::Property(name) => {
                let kind = kind_at(name, self.layer, &expr.at)?;
                return Err(wrong(expr, described(expr, kind), "a geometry"));
            }
            Node::Op(op, _) if !is_condition(op) => return Err(unsupported(op, expr)),
            _ => return Err(wrong(expr, "a value".to_owned(), "a geometry")),
        };
        for c in shapes.iter().flat_map(|shape| shape.view().coords()) {
            check_place(*c, &expr.at)?;
        }
        Ok(Place::Fixed(shapes))
    }

    fn spatial(&mut self, op: SpatialOp, first: &Expr, second: &Expr) -> Result<Test, FilterError> {
        let (op, shapes, at) = match (self.place(first)?, self.place(second)?) {
            (Place::Own, Place::Own) => return Ok(Test::Itself(op.holds_with_itself())),
            (Place::Own, Place::Fixed(shapes)) => (op, shapes, second),
            (Place::Fixed(shapes), Place::Own) => (op.turned(), shapes, first),
            (Place::Fixed(a), Place::Fixed(b)) => {
                let (a, b) = (Self::fixed(op, a, first)?, Self::fixed(op, b, second)?);
                return Ok(Test::Constant(Some(spatial::relate_fixed(op, a.geometry(), b.geometry()))));
            }
        };
        if shapes.len() > 1 && matches!(op, SpatialOp::Intersects | SpatialOp::Disjoint) {
            let meets = |shape| self.probe(SpatialOp::Intersects, Probe::new(shape));
            let any = Test::Any(shapes.into_iter().map(meets).collect());
            return Ok(if op == SpatialOp::Disjoint { Test::Not(Box::new(any)) } else { any });
        }
        let probe = Self::fixed(op, shapes, at)?;
        Ok(self.probe(op, probe))
    }

    fn probe(&mut self, op: SpatialOp, probe: Probe) -> Test {
        self.probes += 1;
        Test::Spatial { slot: self.probes - 1, op, probe: Arc::new(probe) }
    }

    /// A literal, prepared; for what its inside matters, it must have a well-defined one.
    fn fixed(op: SpatialOp, mut shapes: Vec<Shape>, expr: &Expr) -> Result<Probe, FilterError> {
        let strict = !matches!(op, SpatialOp::Intersects | SpatialOp::Disjoint);
        if strict && let Some(fault) = shapes.iter().find_map(|shape| spatial::fault_of(shape.view())) {
            return Err(FilterError::Faulty { what: fault, at: expr.at.clone() });
        }
        if shapes.len() == 1 {
            return Ok(Probe::new(shapes.swap_remove(0)));
        }
        if let Some(one) = spatial::as_one(&shapes) {
            return Ok(Probe::new(one));
        }
        // The points of mixed members are a set like any other, but no library relates it rightly.
        let what = format!(
            "{} with a GEOMETRYCOLLECTION of several kinds or of surfaces that overlap",
            Op::Spatial(op).text_name()
        );
        Err(FilterError::Unsupported { what, at: expr.at.clone() })
    }

    fn temporal(&mut self, op: TemporalOp, first: &Expr, second: &Expr) -> Result<Test, FilterError> {
        let (left, left_kind) = self.time(first)?;
        let (right, right_kind) = self.time(second)?;
        for (side, expr) in [(&left, first), (&right, second)] {
            if matches!(side, Time::Instant(_)) && !op.takes_instants() {
                return Err(wrong(expr, format!("an instant in {}", Op::Temporal(op).text_name()), "an interval"));
            }
        }
        if let (Some(left), Some(right)) = (left_kind, right_kind) {
            same_time(left, right, first)?;
        }
        Ok(Test::Temporal { op, sides: Box::new([left, right]) })
    }

    /// A time, and whether it is one of days or of moments; `None` for one that is open at both ends.
    fn time(&mut self, expr: &Expr) -> Result<(Time, Option<FieldType>), FilterError> {
        let Node::Interval(ends) = &expr.node else {
            let (scalar, kind) = self.instant(expr)?;
            return Ok((Time::Instant(scalar), Some(kind)));
        };
        let mut end = |end: &Option<Expr>| end.as_ref().map(|end| self.instant(end)).transpose();
        let (from, to) = (end(&ends[0])?, end(&ends[1])?);
        if let (Some((from, from_kind)), Some((to, to_kind))) = (&from, &to) {
            same_time(*from_kind, *to_kind, expr)?;
            let constant = |scalar: &Scalar| scalar.constant().and_then(|known| known.instant());
            if let (Some(from), Some(to)) = (constant(from), constant(to))
                && from > to
            {
                return Err(wrong(expr, "an interval that ends before it begins".to_owned(), "an interval"));
            }
        }
        let kind = from.as_ref().or(to.as_ref()).map(|(_, kind)| *kind);
        Ok((Time::Interval(from.map(|(from, _)| from), to.map(|(to, _)| to)), kind))
    }

    fn instant(&mut self, expr: &Expr) -> Result<(Scalar, FieldType), FilterError> {
        let (scalar, kind) = self.scalar(expr)?;
        if matches!(kind, FieldType::Date | FieldType::DateTime) {
            return Ok((scalar, kind));
        }
        Err(wrong(expr, described(expr, kind), "a date or a timestamp (DATE('…'), TIMESTAMP('…'))"))
    }

    /// The elements of a list.
    fn elements(&mut self, expr: &Expr) -> Result<Vec<Element>, FilterError> {
        let items = match &expr.node {
            Node::List(items) => items,
            Node::Op(op, _) if !is_condition(op) => return Err(unsupported(op, expr)),
            Node::Property(name) if !is_geometry(name, self.layer) => {
                let kind = kind_at(name, self.layer, &expr.at)?;
                return Err(wrong(expr, described(expr, kind), "a list"));
            }
            _ => return Err(wrong(expr, "one value".to_owned(), "a list")),
        };
        let element = |item: &Expr| match &item.node {
            Node::List(_) => self.elements(item).map(Element::List),
            _ => self.scalar(item).map(|(scalar, _)| Element::Value(scalar)),
        };
        items.iter().map(element).collect()
    }

    /// An expression with a value, and the value's type.
    fn scalar(&mut self, expr: &Expr) -> Result<(Scalar, FieldType), FilterError> {
        match &expr.node {
            Node::Literal(value) => match value.kind() {
                Some(kind) => Ok((Scalar::Literal(value.clone()), kind)),
                None => Err(wrong(expr, "NULL".to_owned(), "a value (use IS NULL)")),
            },
            Node::FineMoment { ms, nanos } => Ok((Scalar::FineMoment((*ms, *nanos)), FieldType::DateTime)),
            Node::Property(name) => {
                let kind = kind_at(name, self.layer, &expr.at)?;
                let scalar = match (self.layer.derived(name), self.layer.schema.position(name)) {
                    (Some(derived), _) => Scalar::Derived(derived),
                    (None, Some(column)) if kind == FieldType::Text => Scalar::TextColumn(column),
                    (None, Some(column)) => Scalar::Column(column),
                    (None, None) => {
                        debug_assert_eq!(name, ID, "the name is known");
                        Scalar::Id
                    }
                };
                Ok((scalar, kind))
            }
            Node::Op(op, args) => {
                op.check_count(args.len(), &expr.at)?;
                match (op, args.as_slice()) {
                    (Op::Casei, [arg]) => self.folded(Fold::Case, arg),
                    (Op::Accenti, [arg]) => self.folded(Fold::Accent, arg),
                    (op, args) => match Arithmetic::of(op) {
                        Some(operator) => self.arithmetic(operator, args),
                        None => Err(unsupported(op, expr)),
                    },
                }
            }
            Node::Geometry(_) | Node::Collection(_) | Node::Box(_) => {
                Err(wrong(expr, "a geometry".to_owned(), "a value"))
            }
            Node::List(_) => Err(wrong(expr, "a list".to_owned(), "a value")),
            Node::Interval(_) => Err(wrong(expr, "an interval".to_owned(), "a value")),
        }
    }

    fn folded(&mut self, fold: Fold, arg: &Expr) -> Result<(Scalar, FieldType), FilterError> {
        let (scalar, kind) = self.scalar(arg)?;
        must_be_text(arg, kind)?;
        let folded = match scalar {
            Scalar::Folded(inner, mut folds) => {
                if folds.last() != Some(&fold) {
                    folds.push(fold);
                }
                Scalar::Folded(inner, folds)
            }
            other => Scalar::Folded(Box::new(other), vec![fold]),
        };
        Ok((folded, FieldType::Text))
    }

    fn arithmetic(&mut self, operator: Arithmetic, args: &[Expr]) -> Result<(Scalar, FieldType), FilterError> {
        let mut sides = Vec::with_capacity(2);
        let mut whole = !matches!(operator, Arithmetic::Divide | Arithmetic::Power);
        for arg in args {
            let (scalar, kind) = self.scalar(arg)?;
            if type_word(kind) != type_word(FieldType::Real) {
                return Err(wrong(arg, described(arg, kind), "a number"));
            }
            whole &= kind == FieldType::Integer;
            sides.push(scalar);
        }
        let kind = if whole { FieldType::Integer } else { FieldType::Real };
        let zero = || Scalar::Literal(Value::Integer(0));
        let right = sides.pop().unwrap_or_else(zero);
        let left = sides.pop().unwrap_or_else(zero);
        Ok((Scalar::Arithmetic(operator, Box::new([left, right])), kind))
    }
}

/// A text literal read as the date or timestamp that it is compared with.
fn read_as(expr: &Expr, kind: FieldType) -> Result<Option<Scalar>, FilterError> {
    let Node::Literal(Value::Text(text)) = &expr.node else { return Ok(None) };
    if !matches!(kind, FieldType::Date | FieldType::DateTime) {
        return Ok(None);
    }
    Ok(Some(match literal_of(text, kind, &expr.at)? {
        Node::FineMoment { ms, nanos } => Scalar::FineMoment((ms, nanos)),
        Node::Literal(value) => Scalar::Literal(value),
        _ => return Ok(None),
    }))
}

fn same_time(left: FieldType, right: FieldType, at: &Expr) -> Result<(), FilterError> {
    if left == right {
        return Ok(());
    }
    let said = |kind| format!("a {}", type_word(kind));
    let action = "compared, for a date has no time zone";
    Err(FilterError::TypeMismatch { left: said(left), right: said(right), action, at: at.at.clone() })
}

const fn is_condition(op: &Op) -> bool {
    use Op::{And, Array, Between, Compare, In, IsNull, Like, Not, Or, Spatial, Temporal};
    matches!(op, And | Or | Not | Compare(_) | Like | Between | In | IsNull | Spatial(_) | Temporal(_) | Array(_))
}

/// Refuses a function by its name, and a condition where a value is needed.
fn unsupported(op: &Op, expr: &Expr) -> FilterError {
    match op {
        Op::Function(name) => {
            FilterError::Unsupported { what: format!("function {:?}", shortened(name)), at: expr.at.clone() }
        }
        _ if is_condition(op) => wrong(expr, "a condition".to_owned(), "a value"),
        _ => wrong(expr, "a value".to_owned(), "something else"),
    }
}

fn wrong(expr: &Expr, given: String, wanted: &'static str) -> FilterError {
    FilterError::WrongType { given, wanted, at: expr.at.clone() }
}

fn must_be_text(expr: &Expr, kind: FieldType) -> Result<(), FilterError> {
    if kind == FieldType::Text { Ok(()) } else { Err(wrong(expr, described(expr, kind), "text")) }
}

/// The column of a bare text property, and how it is folded.
fn text_column(scalar: &Scalar) -> Option<(usize, Vec<Fold>)> {
    match scalar {
        Scalar::TextColumn(column) => Some((*column, Vec::new())),
        Scalar::Folded(inner, folds) if let Scalar::TextColumn(column) = **inner => Some((column, folds.clone())),
        _ => None,
    }
}
