//! CQL2 JSON (OGC 21-065r2, clause 8.3 and `cql2.json`) read into an [`Expr`].
//!
//! Invariants: no input panics; length, nesting, items and vertices are bounded; a member that the schema does
//! not know, or one that is given twice, is an error. Every error names the place as a JSON pointer.

use std::fmt;

use geo::Coord;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use crate::{
    domain::feature::Value,
    ground::shape::{Shape, ShapeKind},
};

use super::{
    Expr, FilterError, MAX_DEPTH, MAX_ITEMS, MAX_TEXT, MAX_VERTICES, Node, Op, Spot, lexer::shortened, time, wkt,
};

/// Reads CQL2 JSON.
///
/// # Errors
/// [`FilterError`] names what is wrong and where.
pub fn parse_json(text: &str) -> Result<Expr, FilterError> {
    if text.len() > MAX_TEXT {
        return Err(FilterError::TooLong { length: text.len() });
    }
    let tree: Json = serde_json::from_str(text).map_err(|error| {
        let detail = error.to_string();
        // The reader of JSON stops at 128 levels by itself.
        if detail.starts_with("recursion limit") {
            return FilterError::TooDeep { at: Spot::Unknown };
        }
        FilterError::NotJson { detail }
    })?;
    Reader { path: String::new(), depth: 0, vertices: 0 }.expr(&tree)
}

/// JSON with the members of objects as they were written.
#[derive(Debug)]
enum Json {
    Null,
    Boolean(bool),
    Whole(i64),
    Real(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Json, E> {
        Ok(Json::Boolean(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(i64::try_from(number).map_or(Json::Real(number as f64), Json::Whole))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Real(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object: Vec<(String, Json)> = Vec::new();
        while let Some((name, value)) = members.next_entry::<String, Json>()? {
            if object.iter().any(|(known, _)| *known == name) {
                return Err(serde::de::Error::custom(format!("member {:?} is given twice", shortened(&name))));
            }
            object.push((name, value));
        }
        Ok(Json::Object(object))
    }
}

impl Json {
    /// The value for messages.
    fn shown(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Boolean(truth) => truth.to_string(),
            Self::Whole(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Text(text) => format!("{:?}", shortened(text)),
            Self::List(_) => "a list".to_owned(),
            Self::Object(members) => match members.first() {
                Some((name, _)) => format!("an object with {:?}", shortened(name)),
                None => "an empty object".to_owned(),
            },
        }
    }
}

type Members = [(String, Json)];

fn member<'j>(members: &'j Members, name: &str) -> Option<&'j Json> {
    members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

struct Reader {
    path: String,
    depth: usize,
    vertices: usize,
}

impl Reader {
    fn at(&self) -> Spot {
        Spot::Pointer(self.path.as_str().into())
    }

    fn syntax(&self, found: &Json, expected: &str) -> FilterError {
        FilterError::Syntax { at: self.at(), found: found.shown(), expected: expected.to_owned() }
    }

    /// Reads what stands a step further down.
    fn below<T>(
        &mut self,
        step: &dyn fmt::Display,
        read: impl FnOnce(&mut Self) -> Result<T, FilterError>,
    ) -> Result<T, FilterError> {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(&step.to_string());
        let found = read(self);
        self.path.truncate(length);
        found
    }

    fn expr(&mut self, json: &Json) -> Result<Expr, FilterError> {
        if self.depth == MAX_DEPTH {
            return Err(FilterError::TooDeep { at: self.at() });
        }
        self.depth += 1;
        let node = self.node(json)?;
        self.depth -= 1;
        Ok(Expr { node, at: self.at() })
    }

    fn node(&mut self, json: &Json) -> Result<Node, FilterError> {
        Ok(match json {
            Json::Null => return Err(self.syntax(json, "a value; for what has none there is isNull")),
            Json::Boolean(truth) => Node::Literal(Value::Boolean(*truth)),
            Json::Whole(number) => Node::Literal(Value::Integer(*number)),
            Json::Real(number) => Node::Literal(Value::Real(*number)),
            Json::Text(text) => Node::Literal(Value::Text(text.clone())),
            Json::List(items) => Node::List(self.exprs(items)?),
            Json::Object(members) => self.object(json, members)?,
        })
    }

    fn exprs(&mut self, items: &[Json]) -> Result<Vec<Expr>, FilterError> {
        if items.len() > MAX_ITEMS {
            return Err(FilterError::TooManyItems { at: self.at() });
        }
        items.iter().enumerate().map(|(i, item)| self.below(&i, |reader| reader.expr(item))).collect()
    }

    /// The value of an object's only member; others beside it are refused.
    fn only<'j>(&self, members: &'j Members, name: &str) -> Result<Option<&'j Json>, FilterError> {
        let Some(value) = member(members, name) else { return Ok(None) };
        self.known(members, &[name])?;
        Ok(Some(value))
    }

    fn known(&self, members: &Members, known: &[&str]) -> Result<(), FilterError> {
        match members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => {
                let found = format!("member {:?}", shortened(name));
                Err(FilterError::Syntax { at: self.at(), found, expected: known.join(" and ") })
            }
        }
    }

    fn object(&mut self, json: &Json, members: &Members) -> Result<Node, FilterError> {
        if let Some(name) = member(members, "op") {
            self.known(members, &["op", "args"])?;
            return self.call(name, member(members, "args"));
        }
        if member(members, "type").is_some() {
            return self.geometry(json);
        }
        if let Some(name) = self.only(members, "property")? {
            let Json::Text(name) = name else { return Err(self.syntax(name, "the name of a property")) };
            return Ok(Node::Property(name.clone()));
        }
        if let Some(text) = self.only(members, "date")? {
            return self.below(&"date", |reader| time::day(reader.text(text)?, &reader.at()));
        }
        if let Some(text) = self.only(members, "timestamp")? {
            return self.below(&"timestamp", |reader| time::moment(reader.text(text)?, &reader.at()));
        }
        if let Some(ends) = self.only(members, "interval")? {
            return self.below(&"interval", |reader| reader.interval(ends));
        }
        if let Some(numbers) = self.only(members, "bbox")? {
            return self.below(&"bbox", |reader| {
                let wrong = || reader.syntax(numbers, "a list of four or six numbers");
                let Json::List(list) = numbers else { return Err(wrong()) };
                wkt::box_of(&list.iter().map_while(number).collect::<Vec<_>>())
                    .filter(|_| list.iter().all(|item| number(item).is_some()))
                    .ok_or_else(wrong)
            });
        }
        Err(self.syntax(json, "an object with op, property, date, timestamp, interval, bbox or type"))
    }

    fn text<'j>(&self, json: &'j Json) -> Result<&'j str, FilterError> {
        if let Json::Text(text) = json { Ok(text) } else { Err(self.syntax(json, "text")) }
    }

    fn call(&mut self, name: &Json, args: Option<&Json>) -> Result<Node, FilterError> {
        let Json::Text(name) = name else { return Err(self.syntax(name, "the name of an operator")) };
        let Some(Json::List(args)) = args else {
            return Err(self.syntax(args.unwrap_or(&Json::Null), "a list as \"args\""));
        };
        let op = Op::named(name);
        op.check_count(args.len(), &self.at())?;
        let args = self.below(&"args", |reader| reader.exprs(args))?;
        if op == Op::In && !matches!(args[1].node, Node::List(_)) {
            let given = "one value".to_owned();
            return Err(FilterError::WrongType { given, wanted: "a list", at: args[1].at.clone() });
        }
        Ok(Node::Op(op, args))
    }

    fn interval(&mut self, ends: &Json) -> Result<Node, FilterError> {
        let Json::List(list) = ends else { return Err(self.syntax(ends, "a list of two times")) };
        let [from, to] = list.as_slice() else { return Err(self.syntax(ends, "a list of two times")) };
        let mut end = |step: usize, json: &Json| {
            self.below(&step, |reader| match json {
                Json::Text(text) if text == ".." => Ok(None),
                Json::Text(text) => {
                    let at = reader.at();
                    Ok(Some(Expr { node: time::day_or_moment(text, &at)?, at }))
                }
                other => reader.expr(other).map(Some),
            })
        };
        Ok(Node::Interval(Box::new([end(0, from)?, end(1, to)?])))
    }

    fn geometry(&mut self, json: &Json) -> Result<Node, FilterError> {
        let Json::Object(members) = json else { return Err(self.syntax(json, "a geometry")) };
        if !matches!(member(members, "type"), Some(Json::Text(kind)) if kind == "GeometryCollection") {
            return self.shape(json).map(Node::Geometry);
        }
        self.known(members, &["type", "geometries", "bbox"])?;
        let Some(Json::List(list)) = member(members, "geometries") else {
            return Err(self.syntax(json, "a list as \"geometries\""));
        };
        if list.is_empty() {
            return Err(self.syntax(json, "a geometry in \"geometries\""));
        }
        let shape = |reader: &mut Self, (i, member): (usize, &Json)| reader.below(&i, |reader| reader.shape(member));
        let shapes = self.below(&"geometries", |reader| {
            list.iter().enumerate().map(|numbered| shape(reader, numbered)).collect::<Result<Vec<_>, _>>()
        })?;
        Ok(Node::Collection(shapes))
    }

    fn shape(&mut self, json: &Json) -> Result<Shape, FilterError> {
        use ShapeKind::{LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon};
        let wrong = "a GeoJSON geometry with type and coordinates";
        let Json::Object(members) = json else { return Err(self.syntax(json, wrong)) };
        self.known(members, &["type", "coordinates", "bbox"])?;
        let Some(Json::Text(name)) = member(members, "type") else { return Err(self.syntax(json, wrong)) };
        let kinds = [Point, MultiPoint, LineString, MultiLineString, Polygon, MultiPolygon];
        let Some(kind) = kinds.into_iter().find(|kind| kind.as_str() == name) else {
            return Err(self.syntax(json, "a GeoJSON geometry of a known type"));
        };
        let Some(coordinates) = member(members, "coordinates") else { return Err(self.syntax(json, wrong)) };
        let mut shape = Shape::new(kind);
        let out = &mut shape;
        self.below(&"coordinates", |reader| match kind {
            Point => reader.points(std::slice::from_ref(coordinates), out),
            MultiPoint => reader.each(coordinates, |reader, point| reader.points(std::slice::from_ref(point), out)),
            LineString => reader.path(coordinates, out, 2).map(|()| out.end_part()),
            MultiLineString => {
                reader.each(coordinates, |reader, path| reader.path(path, out, 2).map(|()| out.end_part()))
            }
            Polygon => reader.each(coordinates, |reader, ring| reader.path(ring, out, 4)).map(|()| out.end_part()),
            MultiPolygon => reader.each(coordinates, |reader, surface| {
                reader.each(surface, |reader, ring| reader.path(ring, out, 4)).map(|()| out.end_part())
            }),
        })?;
        Ok(shape)
    }

    /// Reads each item of a list that has at least one.
    fn each(
        &mut self,
        json: &Json,
        mut read: impl FnMut(&mut Self, &Json) -> Result<(), FilterError>,
    ) -> Result<(), FilterError> {
        let Json::List(items) = json else { return Err(self.syntax(json, "a list")) };
        if items.is_empty() {
            return Err(self.syntax(json, "a list that is not empty"));
        }
        items.iter().enumerate().try_for_each(|(i, item)| self.below(&i, |reader| read(reader, item)))
    }

    fn points(&mut self, positions: &[Json], out: &mut Shape) -> Result<(), FilterError> {
        for position in positions {
            out.push(self.position(position)?);
            out.end_ring();
            out.end_part();
        }
        Ok(())
    }

    /// A ring (`least` 4) or a path of positions.
    fn path(&mut self, json: &Json, out: &mut Shape, least: usize) -> Result<(), FilterError> {
        let mut path = Vec::new();
        self.each(json, |reader, position| {
            path.push(reader.position(position)?);
            Ok(())
        })?;
        if path.len() < least {
            let wanted =
                if least == 4 { "a ring of four or more positions" } else { "a path of two or more positions" };
            return Err(self.syntax(json, wanted));
        }
        if least == 4 && path.first() != path.last() {
            return Err(self.syntax(json, "a closed ring"));
        }
        for c in path {
            out.push(c);
        }
        out.end_ring();
        Ok(())
    }

    /// Two numbers, or three, of which the height is not used.
    fn position(&mut self, json: &Json) -> Result<Coord, FilterError> {
        self.vertices += 1;
        if self.vertices > MAX_VERTICES {
            return Err(FilterError::TooManyVertices { at: self.at() });
        }
        let wrong = || self.syntax(json, "a position of two or three numbers");
        let Json::List(numbers) = json else { return Err(wrong()) };
        match numbers.iter().map(number).collect::<Option<Vec<_>>>().as_deref() {
            Some([x, y] | [x, y, _]) => Ok(Coord { x: *x, y: *y }),
            _ => Err(wrong()),
        }
    }
}

fn number(json: &Json) -> Option<f64> {
    match json {
        Json::Whole(number) => Some(*number as f64),
        Json::Real(number) => Some(*number),
        _ => None,
    }
}
