//! CSV for spreadsheets: an id, the columns, the geometry as WKT. Written only.
//!
//! UTF-8 with a byte order mark, without which Excel shows Chinese as mojibake; quoted by RFC 4180. Text that a
//! spreadsheet would run as a formula gets an apostrophe in front, and the number of such cells is told.
//!
//! Source: RFC 4180; OGC 06-103r4 §7 (WKT); OWASP, "CSV Injection".

use std::io::Write as _;

use crate::{
    domain::{
        calendar,
        feature::{FeatureRef, ValueRef},
        layer::Layer,
    },
    ground::wkt::wkt_of,
};

use super::{FormatError, Target, Written, beside::written_beside, refused_by_system};

/// Writes a table with a header line.
///
/// # Errors
/// [`FormatError::Io`], or [`FormatError::Request`] for a place that the target's CRS cannot hold.
pub fn write(
    target: &Target,
    layer: &Layer,
    features: &mut dyn Iterator<Item = FeatureRef<'_>>,
) -> Result<Written, FormatError> {
    if target.encoding.is_some_and(|named| named != encoding_rs::UTF_8) {
        return Err(FormatError::Request(
            "CSV is written in UTF-8 with a byte order mark, which Excel understands: leave the encoding out"
                .to_owned(),
        ));
    }
    let refused = |error: ::csv::Error| refused_by_system(&target.path, error.into());
    let decimals = target.decimals();
    let (mut features_written, mut escaped) = (0, 0_u64);
    written_beside(&target.path, |out| {
        out.write_all(b"\xEF\xBB\xBF").map_err(|error| refused_by_system(&target.path, error))?;
        let mut table = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(out);
        for name in header_of(layer) {
            table.write_field(guarded(&name, &mut escaped)).map_err(refused)?;
        }
        table.write_record(None::<&[u8]>).map_err(refused)?;
        for feature in features {
            let wkt = match feature.shape {
                Some(shape) => wkt_of(target.place(shape)?.view(), decimals),
                None => String::new(),
            };
            table.write_field(wkt).map_err(refused)?;
            table.write_field(feature.id.to_string()).map_err(refused)?;
            for value in &feature.values {
                table.write_field(cell_of(*value, &mut escaped)).map_err(refused)?;
            }
            table.write_record(None::<&[u8]>).map_err(refused)?;
            features_written += 1;
        }
        table.flush().map_err(|error| refused_by_system(&target.path, error))
    })?;
    let mut losses = vec![format!(
        "CSV has neither types nor a CRS: the coordinates are in {}, empty text and no value look the same",
        target.crs
    )];
    if escaped > 0 {
        losses.push(format!(
            "{escaped} texts begin with = + - @ or a control character and would run as formulas in a spreadsheet: \
             an apostrophe stands before each"
        ));
    }
    Ok(Written { features: features_written, losses })
}

/// `WKT`, an id and the columns; names that are taken by a column get a `_` behind.
fn header_of(layer: &Layer) -> Vec<String> {
    let taken = |name: &str| layer.schema.fields.iter().any(|field| field.name.eq_ignore_ascii_case(name));
    let ours = ["WKT", "id"].map(|name| {
        let mut name = name.to_owned();
        while taken(&name) {
            name.push('_');
        }
        name
    });
    ours.into_iter().chain(layer.schema.fields.iter().map(|field| field.name.clone())).collect()
}

fn cell_of(value: ValueRef<'_>, escaped: &mut u64) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Boolean(v) => v.to_string(),
        ValueRef::Integer(v) => v.to_string(),
        ValueRef::Real(v) => ryu::Buffer::new().format(v).to_owned(),
        ValueRef::Text(v) => guarded(v, escaped),
        ValueRef::Date(days) => calendar::date_text(days),
        ValueRef::DateTime(ms) => calendar::date_time_text(ms),
    }
}

/// A text that no spreadsheet takes for a formula.
fn guarded(text: &str, escaped: &mut u64) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        *escaped += 1;
        return format!("'{text}");
    }
    text.to_owned()
}
