//! Mathematics and the Earth, nothing of land use: units, coordinate reference systems, shapes and their
//! faults, measures. Pure: no I/O, no clock.

pub mod crs;
mod crs_text;
pub mod fault;
pub mod gauss;
pub mod gcj02;
pub mod measure;
pub mod print;
mod projjson;
pub mod shape;
mod sweep;
pub(crate) mod topology;
pub mod units;
mod validity;
pub mod wkb;
pub mod wkt;
