//! What a tile shall say about its features: which properties, which of them to the last, in how many bytes.

use crate::domain::{
    layer::{GeometryClass, Layer},
    schema::{Derived, FieldType},
};

/// Bytes that a tile may have before it is compressed.
pub const BUDGET: usize = 500_000;

/// The property that tells how many features a mark stands for.
pub const COUNT: &str = "_count";
/// The property that tells how many of a mark's features have the value that it shows.
pub const SAME: &str = "_same";
/// The property that holds an id that Mapbox Vector Tile cannot: a negative one.
pub const ID: &str = "_id";

/// A property in tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    /// A stored one, by its place in the schema.
    Stored(usize),
    /// A derived one.
    Derived(Derived),
}

impl Attribute {
    /// Its name.
    #[must_use]
    pub fn name(self, layer: &Layer) -> &str {
        match self {
            Self::Stored(column) => &layer.schema.fields[column].name,
            Self::Derived(derived) => derived.name(),
        }
    }
}

/// What a tile shall say about its features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// In the order in which they are kept: the last is left out first.
    attributes: Vec<Attribute>,
    /// The property that colours the layer: never left out, and shown by marks that stand for several features.
    class: Option<usize>,
    budget: usize,
}

/// A name that tiles of a layer do not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRecipe {
    /// The layer has no such property.
    #[error("layer {layer} has no property {name:?}: it has {known}")]
    UnknownProperty {
        /// The layer.
        layer: String,
        /// The name.
        name: String,
        /// The names that it has, separated by commas.
        known: String,
    },
    /// A property is named twice.
    #[error("property {0:?} is named twice")]
    Repeated(String),
    /// Features cannot be gathered by this property.
    #[error(
        "{0:?} is a derived property or one of numbers with fractions: small features are gathered by stored words, whole numbers, days or truth values"
    )]
    NoClass(String),
}

impl Recipe {
    /// For a layer: the properties named, or where none are all stored ones and the ellipsoidal area; and the property
    /// by whose values small features are gathered, or where none is named the first with colours in its code list,
    /// else the first with a code list. An empty name means none.
    ///
    /// # Errors
    /// [`BadRecipe`] names what the layer does not have.
    pub fn new(layer: &Layer, properties: Option<&str>, class: Option<&str>) -> Result<Self, BadRecipe> {
        let mut attributes = match properties {
            None => usual(layer),
            Some(list) => named(layer, list)?,
        };
        let class = match class {
            None => usual_class(layer),
            Some("") => None,
            Some(name) => Some(class_named(layer, name)?),
        };
        let rank = |attribute: &Attribute| match attribute {
            Attribute::Stored(column) if Some(*column) == class => 0,
            Attribute::Stored(column) if layer.schema.fields[*column].name == "name" => 1,
            Attribute::Stored(_) => 2,
            Attribute::Derived(_) => 3,
        };
        if let Some(column) = class.filter(|column| !attributes.contains(&Attribute::Stored(*column))) {
            attributes.push(Attribute::Stored(column));
        }
        attributes.sort_by_key(rank);
        Ok(Self { attributes, class, budget: BUDGET })
    }

    /// The same with another budget.
    #[must_use]
    pub const fn within(mut self, budget: usize) -> Self {
        self.budget = budget;
        self
    }

    /// The properties in the order in which they are kept.
    #[must_use]
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The property by which small features are gathered, by its place in the schema.
    #[must_use]
    pub const fn class(&self) -> Option<usize> {
        self.class
    }

    /// Bytes that a tile may have.
    #[must_use]
    pub const fn budget(&self) -> usize {
        self.budget
    }
}

fn has_areas(layer: &Layer) -> bool {
    matches!(layer.geometry, GeometryClass::Surface | GeometryClass::Mixed)
}

fn usual(layer: &Layer) -> Vec<Attribute> {
    let stored = (0..layer.schema.fields.len()).map(Attribute::Stored);
    let derived = [Derived::AreaM2, Derived::AreaMu].map(Attribute::Derived).into_iter();
    stored.chain(derived.filter(|_| has_areas(layer))).collect()
}

fn known(layer: &Layer) -> String {
    let stored = layer.schema.fields.iter().map(|field| field.name.as_str());
    let derived: &[Derived] = if has_areas(layer) { &Derived::ALL } else { &[] };
    stored.chain(derived.iter().map(|derived| derived.name())).collect::<Vec<_>>().join(", ")
}

fn one(layer: &Layer, name: &str) -> Result<Attribute, BadRecipe> {
    let stored = layer.schema.position(name).map(Attribute::Stored);
    let derived = || layer.derived(name).map(Attribute::Derived);
    stored.or_else(derived).ok_or_else(|| BadRecipe::UnknownProperty {
        layer: layer.id.to_string(),
        name: name.to_owned(),
        known: known(layer),
    })
}

fn named(layer: &Layer, list: &str) -> Result<Vec<Attribute>, BadRecipe> {
    let mut attributes = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let attribute = one(layer, name)?;
        if attributes.contains(&attribute) {
            return Err(BadRecipe::Repeated(name.to_owned()));
        }
        attributes.push(attribute);
    }
    Ok(attributes)
}

fn usual_class(layer: &Layer) -> Option<usize> {
    let fields = &layer.schema.fields;
    let coloured = fields.iter().position(|field| field.codes.iter().any(|code| code.color.is_some()));
    coloured.or_else(|| fields.iter().position(|field| !field.codes.is_empty()))
}

fn class_named(layer: &Layer, name: &str) -> Result<usize, BadRecipe> {
    match one(layer, name)? {
        Attribute::Stored(column) if layer.schema.fields[column].kind != FieldType::Real => Ok(column),
        _ => Err(BadRecipe::NoClass(name.to_owned())),
    }
}
