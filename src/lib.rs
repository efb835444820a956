//! 亩图 Mutu: a land-use and industrial-park planner for county bureaus and park committees.
//!
//! # The tour, in reading order
//!
//! Data flows one way (file → formats → planner → store → catalog → engine → api, cli → web) and comes back
//! only as an edit. Modules use only modules above them in this list; `tests/it/tidy.rs` keeps it so.
//!
//! # Legend of terms
//!
//! | term | meaning |
//! |---|---|
//! | layer, 图层 | features of one kind with one schema |
//! | feature, 要素 | an id, a geometry, values |
//! | parcel, 地块 | a feature of the layer of low-efficiency industrial land |
//! | ring, part | a closed path; an outer ring with its holes |
//! | survey grid | the projected CRS in which a layer was surveyed: planar areas are measured in it |
//! | ellipsoidal area, 椭球面积 | by the survey rule of 国土调查办发〔2008〕32号 on CGCS2000 |
//! | planar area, 平面面积 | the shoelace formula in the survey grid |
//! | 亩 (mu) | 2000/3 m² exactly |
//! | 平差 | rounding parts so that, as printed, they sum to the printed total |
//! | zone | a feature of a layer by which others are cut: a park, a town, a belt |
//! | workspace | the GeoPackage that holds everything |
//! | tile matrix set, 瓦片方案 | how a plane is divided into tiles at each zoom |
//! | mark | a pixel square in a tile that stands for features too small to draw, and says how many |
//! | queryable, sortable | what a filter, an order may name |
//! | edit | one change of the workspace: all of it or nothing |
//! | role, right, row rule | what somebody may do; which layers; which rows, as a filter |
//! | issuer, subject | who vouches for somebody elsewhere, and whom it says they are |
//! | catalog | the picture of all layers that answers are read from |

pub mod ground;

pub mod domain;

pub mod engine;

pub mod catalog;

pub mod gpkg;

pub mod store;

pub mod people;

pub mod oidc;

pub mod formats;

pub mod seeds;

pub mod planner;

pub mod config;

pub mod api;

pub mod cli;
