//! A feature: an id, a geometry and the values of its layer's columns.

use crate::ground::shape::{Shape, ShapeRef};

use super::schema::FieldType;

/// A value of a column, or none.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Real(f64),
    /// Text.
    Text(String),
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    DateTime(i64),
}

/// A value that lives in a table or in a [`Value`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueRef<'a> {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Real(f64),
    /// Text.
    Text(&'a str),
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    DateTime(i64),
}

impl Value {
    /// A view of the value.
    #[must_use]
    pub fn view(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Boolean(v) => ValueRef::Boolean(*v),
            Self::Integer(v) => ValueRef::Integer(*v),
            Self::Real(v) => ValueRef::Real(*v),
            Self::Text(v) => ValueRef::Text(v),
            Self::Date(v) => ValueRef::Date(*v),
            Self::DateTime(v) => ValueRef::DateTime(*v),
        }
    }

    /// The type of the value; `None` for no value.
    #[must_use]
    pub const fn kind(&self) -> Option<FieldType> {
        match self {
            Self::Null => None,
            Self::Boolean(_) => Some(FieldType::Boolean),
            Self::Integer(_) => Some(FieldType::Integer),
            Self::Real(_) => Some(FieldType::Real),
            Self::Text(_) => Some(FieldType::Text),
            Self::Date(_) => Some(FieldType::Date),
            Self::DateTime(_) => Some(FieldType::DateTime),
        }
    }
}

impl ValueRef<'_> {
    /// The value with its own storage.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(v) => Value::Boolean(v),
            Self::Integer(v) => Value::Integer(v),
            Self::Real(v) => Value::Real(v),
            Self::Text(v) => Value::Text(v.to_owned()),
            Self::Date(v) => Value::Date(v),
            Self::DateTime(v) => Value::DateTime(v),
        }
    }
}

/// A feature with its own storage. `values` stand in the order of the layer's schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// The id in its layer, positive.
    pub id: i64,
    /// The geometry in EPSG:4490, where it has one.
    pub shape: Option<Shape>,
    /// The values, one for each column of the schema.
    pub values: Vec<Value>,
}

impl Feature {
    /// A view of the feature.
    #[must_use]
    pub fn view(&self) -> FeatureRef<'_> {
        FeatureRef {
            id: self.id,
            shape: self.shape.as_ref().map(Shape::view),
            values: self.values.iter().map(Value::view).collect(),
        }
    }
}

/// A view of a feature, as writers take it.
#[derive(Debug, Clone)]
pub struct FeatureRef<'a> {
    /// The id in its layer.
    pub id: i64,
    /// The geometry, where it has one.
    pub shape: Option<ShapeRef<'a>>,
    /// The values, one for each column of the schema it is written with.
    pub values: Vec<ValueRef<'a>>,
}
