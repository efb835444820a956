//! The integration tests, in one binary.

mod crs;
mod tidy;
