//! The integration tests, in one binary.

mod crs;
mod measure;
mod tidy;
