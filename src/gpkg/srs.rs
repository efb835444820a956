//! Rows of `gpkg_spatial_ref_sys`: which CRS a number in the file means.
//!
//! The definitions are WKT 1 as PROJ 9.1 writes them from the EPSG dataset (IOGP, terms of use of
//! <https://epsg.org/terms-of-use.html>). In a GeoPackage coordinates are east first whatever the axes in a
//! definition say (OGC 12-128r18, clause 1.1.2.1.2), so the axes stand here as EPSG has them.

use rusqlite::{Connection, OptionalExtension, params};

use super::GpkgError;
use crate::ground::crs::Crs;

/// The number of EPSG:4490, in which every workspace stores its coordinates.
pub const STORED: i32 = 4490;

/// The first number for a CRS without a code of EPSG.
const FIRST_OWN: i32 = 100_000;

/// The rows that every file of ours has beside those that the standard demands.
const OURS: [(i32, &str, &str); 3] = [
    (4490, "China Geodetic Coordinate System 2000", CGCS2000),
    (4526, "CGCS2000 / 3-degree Gauss-Kruger zone 38", GAUSS_KRUGER_38),
    (4547, "CGCS2000 / 3-degree Gauss-Kruger CM 114E", GAUSS_KRUGER_114E),
];

const CGCS2000: &str = r#"GEOGCS["China Geodetic Coordinate System 2000",DATUM["China_2000",SPHEROID["CGCS2000",6378137,298.257222101,AUTHORITY["EPSG","1024"]],AUTHORITY["EPSG","1043"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AXIS["Latitude",NORTH],AXIS["Longitude",EAST],AUTHORITY["EPSG","4490"]]"#;

const GAUSS_KRUGER_38: &str = r#"PROJCS["CGCS2000 / 3-degree Gauss-Kruger zone 38",GEOGCS["China Geodetic Coordinate System 2000",DATUM["China_2000",SPHEROID["CGCS2000",6378137,298.257222101,AUTHORITY["EPSG","1024"]],AUTHORITY["EPSG","1043"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4490"]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",114],PARAMETER["scale_factor",1],PARAMETER["false_easting",38500000],PARAMETER["false_northing",0],UNIT["metre",1,AUTHORITY["EPSG","9001"]],AXIS["Northing",NORTH],AXIS["Easting",EAST],AUTHORITY["EPSG","4526"]]"#;

const GAUSS_KRUGER_114E: &str = r#"PROJCS["CGCS2000 / 3-degree Gauss-Kruger CM 114E",GEOGCS["China Geodetic Coordinate System 2000",DATUM["China_2000",SPHEROID["CGCS2000",6378137,298.257222101,AUTHORITY["EPSG","1024"]],AUTHORITY["EPSG","1043"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4490"]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",114],PARAMETER["scale_factor",1],PARAMETER["false_easting",500000],PARAMETER["false_northing",0],UNIT["metre",1,AUTHORITY["EPSG","9001"]],AXIS["Northing",NORTH],AXIS["Easting",EAST],AUTHORITY["EPSG","4547"]]"#;

/// Adds the rows of EPSG:4490, 4526 and 4547.
pub(super) fn insert_ours(conn: &Connection) -> Result<(), GpkgError> {
    for (code, name, definition) in OURS {
        insert(conn, code, name, ("EPSG", code), definition)?;
    }
    Ok(())
}

/// The number of a CRS in the file; its row is added where it is missing.
///
/// # Errors
/// [`GpkgError::Crs`] where PROJ cannot write its definition; else the engine's.
pub fn number_of(conn: &Connection, crs: &Crs) -> Result<i32, GpkgError> {
    if let Some(code) = crs.epsg().and_then(|code| i32::try_from(code).ok()) {
        let there = "SELECT 1 FROM gpkg_spatial_ref_sys WHERE srs_id = ?1";
        if conn.query_row(there, [code], |_| Ok(())).optional()?.is_none() {
            insert(conn, code, crs.name(), ("EPSG", code), &crs.to_wkt()?)?;
        }
        return Ok(code);
    }
    let definition = crs.to_wkt()?;
    let same = "SELECT srs_id FROM gpkg_spatial_ref_sys WHERE definition = ?1";
    if let Some(number) = conn.query_row(same, [&definition], |row| row.get(0)).optional()? {
        return Ok(number);
    }
    let next = "SELECT coalesce(max(srs_id) + 1, ?1) FROM gpkg_spatial_ref_sys WHERE srs_id >= ?1";
    let number = conn.query_row(next, [FIRST_OWN], |row| row.get(0))?;
    insert(conn, number, crs.name(), ("NONE", number), &definition)?;
    Ok(number)
}

fn insert(
    conn: &Connection,
    number: i32,
    name: &str,
    (organization, code): (&str, i32),
    definition: &str,
) -> Result<(), GpkgError> {
    conn.execute(
        "INSERT INTO gpkg_spatial_ref_sys \
         (srs_name, srs_id, organization, organization_coordsys_id, definition) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![name, number, organization, code, definition],
    )?;
    Ok(())
}
