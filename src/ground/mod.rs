//! Mathematics and the Earth, nothing of land use: units, coordinate reference systems, shapes and their
//! faults, measures. Pure: no I/O, no clock.

pub mod crs;
pub mod fault;
pub mod measure;
pub mod shape;
pub mod units;
