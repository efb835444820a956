//! Writing a tile as Mapbox Vector Tile 2.1, with as many properties as its bytes allow.
//!
//! Features come in the order of their ids, marks in the order of their cells, so that equal contents are equal bytes
//! however the layer's rows lie in memory.
//!
//! Question: why not a crate? `fast-mvt` looks up each key and each value of each feature by a hash, and tells how long
//! a tile is only once it is written; here the layer's columns give the numbers of values, and a property that does not
//! fit is seen before anything is written. The crate reads our tiles in the tests.

use crate::{
    domain::{feature::ValueRef, layer::Layer, tile_matrix::UNITS},
    engine::table::{Row, Table},
};

use super::{
    gather::Mark,
    geometry::{Geometries, TooLong},
    protobuf::{field_len, put_field, put_header, put_number, put_varint, varint_len},
    recipe::{Attribute, COUNT, ID, Recipe, SAME},
    snap::Snapped,
    tags::{ABSENT, Values},
};

/// The version of the specification, as every layer tells it.
const VERSION: u64 = 2;

/// A feature with its own geometry in the tile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drawn {
    pub(super) row: Row,
    pub(super) dimension: u8,
    /// Its paths in the snapped geometry.
    pub(super) paths: (usize, usize),
}

/// What a tile is made of.
pub(super) struct Content<'a> {
    pub(super) layer: &'a Layer,
    pub(super) table: &'a Table,
    pub(super) snapped: &'a Snapped,
    pub(super) drawn: &'a [Drawn],
    pub(super) marks: &'a [Mark],
    /// The side of a mark's cell in units.
    pub(super) cell: u32,
}

impl Content<'_> {
    /// The bytes of a tile, none where there is no feature; and the properties that it leaves out, in the order in
    /// which they go.
    pub(super) fn encode(&self, recipe: &Recipe) -> Result<(Vec<u8>, Vec<Attribute>), TooLong> {
        let attributes = recipe.attributes();
        if self.drawn.is_empty() && self.marks.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let mut writer = Writer::of(self)?;
        writer.add_counts(recipe.class().is_some());
        let mut kept = 0;
        for attribute in attributes {
            // The class comes first and stays, whatever it takes.
            let is_class = recipe.class().map(Attribute::Stored) == Some(*attribute);
            if !writer.add(*attribute, is_class, if is_class { usize::MAX } else { recipe.budget() }) {
                break;
            }
            kept += 1;
        }
        Ok((writer.finish(), attributes[kept..].iter().rev().copied().collect()))
    }
}

/// A feature as it is written.
#[derive(Debug, Clone, Copy)]
struct Item {
    /// The feature that it is; `None` for a mark of several.
    row: Option<Row>,
    /// Its id, where vector tiles can hold it.
    id: Option<u64>,
    dimension: u8,
    /// Bytes of everything but its properties.
    bare: usize,
    /// Bytes of the numbers of its properties.
    tags: usize,
}

impl Item {
    /// Bytes of the feature's message.
    const fn message_len(&self) -> usize {
        self.bare + if self.tags > 0 { field_len(self.tags) } else { 0 }
    }
}

/// A property of the layer: its name, and for each feature the number of its value.
struct Property<'a> {
    name: &'a str,
    numbers: Vec<u32>,
}

/// A tile that is being written.
struct Writer<'a> {
    content: &'a Content<'a>,
    geometries: Geometries,
    items: Vec<Item>,
    properties: Vec<Property<'a>>,
    values: Values<'a>,
    /// Bytes of the layer's message but for features and values.
    frame: usize,
}

impl<'a> Writer<'a> {
    /// With geometries and ids, without properties.
    fn of(content: &'a Content<'a>) -> Result<Self, TooLong> {
        let mut geometries = Geometries::default();
        let mut items = Vec::with_capacity(content.drawn.len() + content.marks.len());
        for drawn in content.drawn {
            geometries.add(content.snapped, drawn.paths, drawn.dimension)?;
            items.push(content.item(Some(drawn.row), drawn.dimension, geometries.at(items.len()).len()));
        }
        for mark in content.marks {
            geometries.add_mark(mark, content.cell)?;
            let row = (mark.count == 1).then_some(mark.row);
            items.push(content.item(row, mark.dimension, geometries.at(items.len()).len()));
        }
        let frame = field_len(content.layer.id.as_str().len()) + 2 + varint_len(u64::from(UNITS)) + varint_len(VERSION);
        let values = Values::with_room(content.drawn.len() * 2);
        Ok(Self { content, geometries, items, properties: Vec::new(), values, frame })
    }

    /// Adds what marks stand for, and ids that are no ids of vector tiles.
    fn add_counts(&mut self, has_class: bool) {
        let (content, drawn) = (self.content, self.content.drawn.len());
        let no_mark = std::iter::repeat_n(ABSENT, drawn);
        let values = &mut self.values;
        let mut number = |number: u32| values.number(ValueRef::Integer(number.into()));
        let counts = no_mark.clone().chain(content.marks.iter().map(|mark| number(mark.count))).collect();
        self.keep(COUNT, counts);
        let values = &mut self.values;
        let same = |mark: &Mark| {
            let is_told = has_class && mark.same < mark.count;
            if is_told { values.number(ValueRef::Integer(mark.same.into())) } else { ABSENT }
        };
        let sames = no_mark.chain(content.marks.iter().map(same)).collect();
        self.keep(SAME, sames);
        let (values, table) = (&mut self.values, content.table);
        let id = |item: &Item| match (item.row, item.id) {
            (Some(row), None) => values.number(ValueRef::Integer(table.id(row))),
            _ => ABSENT,
        };
        let ids = self.items.iter().map(id).collect();
        self.keep(ID, ids);
    }

    /// Adds a property, unless the tile would become longer than allowed; whether it did. Once one is refused nothing
    /// may be added: its values have taken numbers.
    fn add(&mut self, attribute: Attribute, is_class: bool, most: usize) -> bool {
        let content = self.content;
        let shown = content.marks.iter().map(|mark| (is_class || mark.count == 1).then_some(mark.row));
        let rows: Vec<Option<Row>> = content.drawn.iter().map(|drawn| Some(drawn.row)).chain(shown).collect();
        let before = self.values.encoded.len();
        let numbers = self.values.of(content.table, attribute, &rows);
        let is_new = self.keep(attribute.name(content.layer), numbers);
        if field_len(self.message_len()) <= most {
            return true;
        }
        self.values.encoded.truncate(before);
        if is_new {
            self.take_back();
        }
        false
    }

    /// Makes a property the features' own, if any has it; whether one has.
    fn keep(&mut self, name: &'a str, numbers: Vec<u32>) -> bool {
        let key = varint_len(self.properties.len() as u64);
        for (item, number) in self.items.iter_mut().zip(&numbers).filter(|(_, number)| **number != ABSENT) {
            item.tags += key + varint_len(u64::from(*number));
        }
        let is_new = numbers.iter().any(|number| *number != ABSENT);
        if is_new {
            self.frame += field_len(name.len());
            self.properties.push(Property { name, numbers });
        }
        is_new
    }

    /// Takes the last property back.
    fn take_back(&mut self) {
        let Some(last) = self.properties.pop() else { return };
        let key = varint_len(self.properties.len() as u64);
        self.frame -= field_len(last.name.len());
        for (item, number) in self.items.iter_mut().zip(last.numbers).filter(|(_, number)| *number != ABSENT) {
            item.tags -= key + varint_len(u64::from(number));
        }
    }

    /// Bytes of the layer's message.
    fn message_len(&self) -> usize {
        let features: usize = self.items.iter().map(|item| field_len(item.message_len())).sum();
        self.frame + features + self.values.encoded.len()
    }

    fn finish(self) -> Vec<u8> {
        let message = self.message_len();
        let mut out = Vec::with_capacity(field_len(message));
        put_header(&mut out, 3, message);
        put_field(&mut out, 1, self.content.layer.id.as_str().as_bytes());
        for (at, item) in self.items.iter().enumerate() {
            self.put_item(&mut out, at, item);
        }
        for property in &self.properties {
            put_field(&mut out, 3, property.name.as_bytes());
        }
        out.extend_from_slice(&self.values.encoded);
        put_number(&mut out, 5, UNITS.into());
        put_number(&mut out, 15, VERSION);
        debug_assert_eq!(out.len(), field_len(message), "a length was told that is none");
        out
    }

    fn put_item(&self, out: &mut Vec<u8>, at: usize, item: &Item) {
        put_header(out, 2, item.message_len());
        if let Some(id) = item.id {
            put_number(out, 1, id);
        }
        if item.tags > 0 {
            put_header(out, 2, item.tags);
            for (key, property) in self.properties.iter().enumerate() {
                if property.numbers[at] != ABSENT {
                    put_varint(out, key as u64);
                    put_varint(out, property.numbers[at].into());
                }
            }
        }
        // The types of the specification (4.3.4) count from one.
        put_number(out, 3, u64::from(item.dimension) + 1);
        put_field(out, 4, self.geometries.at(at));
    }
}

impl Content<'_> {
    fn item(&self, row: Option<Row>, dimension: u8, geometry: usize) -> Item {
        let id = row.and_then(|row| u64::try_from(self.table.id(row)).ok());
        let bare = id.map_or(0, |id| 1 + varint_len(id)) + 2 + field_len(geometry);
        Item { row, id, dimension, bare, tags: 0 }
    }
}

/// Bytes of a mark of several features, with its class and how many have it, or without.
pub(super) const fn mark_bytes(cell: u32, has_class: bool) -> usize {
    // Deltas of 64 and more take two bytes.
    (if cell < 64 { 24 } else { 27 }) + if has_class { 4 } else { 0 }
}

/// Bytes of a feature with so many vertices, roughly: enough to choose a cell.
pub(super) const fn drawn_bytes(vertices: usize) -> usize {
    18 + vertices * 2
}
