//! One feature as an answer holds it: stored and derived properties, those that were asked for, in a CRS.

use crate::{
    domain::{
        feature::ValueRef,
        geojson::{Key, Properties, write_feature_of},
        layer::Layer,
        schema::Derived,
    },
    engine::table::{Row, Table},
    ground::units::{Area, Basis},
    planner::chosen_properties,
};

use super::super::{
    crs::AnswerCrs,
    error::ApiError,
    query::{Parameter, Query},
};

pub(in super::super) const PROPERTIES: Parameter = Parameter {
    name: "properties",
    about: "Only these properties, separated by commas, stored or derived; all where not given.",
    schema: r#"{"type":"array","items":{"type":"string"}}"#,
};

/// Writes features of a layer.
pub(super) struct FeatureWriter {
    columns: Vec<(usize, Key)>,
    derived: Vec<(Derived, Key)>,
    crs: AnswerCrs,
}

impl FeatureWriter {
    /// A writer of the properties that a request asks for.
    ///
    /// # Errors
    /// 400 where it names one that the layer does not have.
    pub(super) fn new(layer: &Layer, query: &Query, crs: AnswerCrs) -> Result<Self, ApiError> {
        let wanted = query.value("properties").map(|text| chosen_properties(text, layer)).transpose()?;
        let is_wanted = |name: &str| wanted.as_ref().is_none_or(|names| names.contains(&name));
        let fields = layer.schema.fields.iter().enumerate().filter(|(_, field)| is_wanted(&field.name));
        let columns = fields.map(|(column, field)| (column, Key::new(&field.name))).collect();
        let is_there = |derived: &Derived| is_wanted(derived.name()) && layer.derived(derived.name()).is_some();
        let derived = Derived::ALL.into_iter().filter(is_there);
        let derived = derived.map(|derived| (derived, Key::new(derived.name()))).collect();
        Ok(Self { columns, derived, crs })
    }

    /// The stored columns that it writes, by their places in the schema.
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        self.columns.iter().map(|(column, _)| *column)
    }

    /// The derived areas that it writes.
    pub(super) fn derived(&self) -> impl Iterator<Item = Derived> + '_ {
        self.derived.iter().map(|(derived, _)| *derived)
    }

    /// The CRS it writes in.
    pub(super) const fn crs(&self) -> &AnswerCrs {
        &self.crs
    }

    /// Appends a feature.
    ///
    /// # Errors
    /// 400 where it has no place in the CRS.
    pub(super) fn write(&self, out: &mut Vec<u8>, table: &Table, row: Row) -> Result<(), ApiError> {
        let stored = table.shape(row);
        let moved = stored.map(|shape| self.crs.place(shape)).transpose()?.flatten();
        let shape = moved.as_ref().map(crate::ground::shape::Shape::view).or(stored);
        write_feature_of(out, table.id(row), shape, self.crs.decimals(), |properties| {
            for (column, key) in &self.columns {
                properties.value(key, table.value(row, *column));
            }
            self.write_areas(properties, table, row);
        });
        Ok(())
    }

    /// The areas of a feature, exact to the hundredth of a square metre in each unit.
    fn write_areas(&self, properties: &mut Properties<'_>, table: &Table, row: Row) {
        if self.derived.is_empty() {
            return;
        }
        let ellipsoidal = table.area(row, Basis::Ellipsoidal).map(Area::hundredths_m2);
        for (derived, key) in &self.derived {
            let exact = match derived {
                Derived::AreaM2 => ellipsoidal.map(|hundredths| (hundredths, 2)),
                Derived::AreaPlanarM2 => table.area(row, Basis::Planar).map(|area| (area.hundredths_m2(), 2)),
                Derived::AreaMu => ellipsoidal.and_then(|hundredths| Some((hundredths.checked_mul(15)?, 6))),
                Derived::AreaHa => ellipsoidal.map(|hundredths| (hundredths, 6)),
            };
            match exact {
                Some((digits, decimals)) => properties.decimal(key, digits, decimals),
                None => properties.value(key, ValueRef::Null),
            }
        }
    }
}
