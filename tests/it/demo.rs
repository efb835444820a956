//! The demo.
#[path = "../../geodata/generator/mod.rs"]
mod generator;

#[test]
fn write() {
    let read = |n: &str| std::fs::read_to_string(format!("{}/{n}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for (name, text) in
        generator::files(&read("geodata/county.geojson"), &read("geodata/seats.geojson"), &read("seeds/villages.csv"))
    {
        std::fs::write(format!("{}/geodata/{name}", env!("CARGO_MANIFEST_DIR")), text).unwrap();
    }
}
