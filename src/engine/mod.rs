//! Pure functions over domain values: tables of features, their index, filters, statistics, overlay.
//! No I/O, no async, no clock.

mod clip;
pub mod column;
pub mod difference;
pub mod filter;
pub mod find;
pub mod index;
mod order;
pub mod overlay;
pub mod region;
pub mod row_set;
mod segment;
pub mod sort;
pub mod stats;
pub mod table;
pub mod tiles;
pub mod touched;
pub mod words;
