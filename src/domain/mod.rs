//! The nouns of the trade: plain data, and the rules on one value. Pure: no I/O, no clock.

pub mod calendar;
pub mod edit;
pub mod fact;
pub mod feature;
pub mod geojson;
pub mod json;
pub mod layer;
pub mod receive;
pub mod report;
pub mod rule;
pub mod schema;
pub mod target;
pub mod tile_matrix;
