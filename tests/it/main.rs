//! The integration tests, in one binary.

mod crs;
mod fault;
mod measure;
mod tidy;
