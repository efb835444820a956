//! The generator of the demo's synthetic geometry: the same bytes on every machine.
//!
//! It reads what is real (`county.geojson`, `seats.geojson`, `seeds/villages.csv`) and writes the other files
//! of `geodata/`. It is no part of the product: the tests include it and prove that it and the files agree;
//! `MUTU_WRITE_GEODATA=1 cargo test --test it demo::` rewrites them. Random numbers are its own (`random.rs`),
//! drawing uses only `+ - * /` and square roots, positions are whole billionths of a degree, and areas come
//! from the product's survey rule, rounded to 0.01 m².

mod belts;
mod calendar;
mod cover;
mod file;
mod lots;
mod mesh;
mod parcels;
mod parks;
mod place;
pub mod plane;
mod points;
mod random;
mod setting;
mod supply;
mod trace;
mod zoning;

use cover::Cover;
use place::Place;
use plane::Rule;

/// Every generated file: its name in `geodata/` and its text.
pub fn files(county: &str, seats: &str, villages: &str) -> Vec<(&'static str, String)> {
    let place = Place::new(county, seats, villages);
    let cover = Cover::new(&place);
    let rule = Rule::new();
    let (parcels, mut used) = parcels::write(&place, &cover, &rule);
    vec![
        ("towns.geojson", zoning::towns(&cover)),
        ("landuse.geojson", zoning::landuse(&cover)),
        ("constraints.geojson", zoning::constraints(&cover)),
        ("parcels.geojson", parcels),
        ("supply.geojson", supply::write(&place, &cover, &rule, &mut used)),
        ("parks.geojson", parks::write(&rule)),
        ("belts.geojson", belts::write()),
        ("villages.geojson", points::villages(&place)),
        ("projects.geojson", points::projects()),
        ("tasks.geojson", points::tasks(&place)),
    ]
}
