//! The integration tests, in one binary.

mod api;
mod cli;
mod crs;
mod demo;
mod engine;
mod fault;
mod formats;
mod geopackage;
mod measure;
mod planner;
mod real_input;
mod store;
mod tidy;
