//! The integration tests, in one binary.

#![expect(clippy::unwrap_used, clippy::panic, clippy::string_slice, reason = "a test that cannot go on has failed")]
#![expect(clippy::float_cmp, reason = "figures that must be the very ones")]

mod api;
mod cli;
mod crs;
mod demo;
mod editing;
mod engine;
mod exports;
mod fault;
mod features;
mod formats;
mod geopackage;
mod hostile;
mod html;
mod http;
mod live;
mod measure;
mod outside;
mod past;
mod people;
mod planner;
mod real_input;
mod store;
mod tidy;
mod tiles;
mod torture;
