//! Filling an empty R-tree in bulk: the tree is packed in memory and its nodes are written at once. And entering many boxes
//! into one that is not empty, neighbours after each other.
//!
//! Boxes are ordered along a Hilbert curve and cut into full nodes, level by level. One million boxes cost about
//! a tenth of inserting them one by one, and queries read fewer nodes.
//!
//! Invariant: what is written is what the engine itself would accept: its own check (`rtreecheck`, also part of
//! `PRAGMA integrity_check`) holds. Coordinates are rounded outward to single precision, as the engine does.
//!
//! Source: <https://www.sqlite.org/rtree.html>, "Shadow tables", and the head of SQLite's `rtree.c`: a node is
//! two bytes of depth (root only), two of count, then cells of eight bytes of id and four coordinates of four
//! bytes (west, east, south, north), all big-endian, padded to the node size; the root is number 1.

use rusqlite::{Connection, config::DbConfig, params};

use super::{GpkgError, table::quote};
use crate::ground::shape::Bounds;

const HEAD: usize = 4;
const CELL: usize = 24;

/// An entry of a node: a feature in a leaf, a node above.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// The id of the feature or the number of the node.
    number: i64,
    /// West, east, south, north.
    edges: [f32; 4],
}

/// Fills an R-tree that has just been created and never been read on this connection.
///
/// # Errors
/// The engine's.
pub(super) fn fill(conn: &Connection, rtree: &str, boxes: &[(i64, Bounds)]) -> Result<(), GpkgError> {
    if boxes.is_empty() {
        return Ok(());
    }
    // The tables of an R-tree are closed to statements on a defensive connection: for this moment it is not one.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false)?;
    let filled = write(conn, rtree, boxes);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    filled
}

fn write(conn: &Connection, rtree: &str, boxes: &[(i64, Bounds)]) -> Result<(), GpkgError> {
    let table = |suffix: &str| quote(&format!("{rtree}_{suffix}"));
    let (nodes, parents, rowids) = (table("node")?, table("parent")?, table("rowid")?);
    let size = conn.query_row(&format!("SELECT length(data) FROM {nodes} WHERE nodeno = 1"), [], |row| row.get(0))?;
    let mut put_node = conn.prepare(&format!("INSERT OR REPLACE INTO {nodes} (nodeno, data) VALUES (?1, ?2)"))?;
    let mut put_parent = conn.prepare(&format!("INSERT INTO {parents} (nodeno, parentnode) VALUES (?1, ?2)"))?;
    let mut put_rowid = conn.prepare(&format!("INSERT INTO {rowids} (rowid, nodeno) VALUES (?1, ?2)"))?;

    let capacity = (size - HEAD) / CELL;
    let mut level = ordered(boxes);
    let mut homes = Vec::with_capacity(level.len());
    let mut data = Vec::with_capacity(size);
    let (mut next_number, mut depth) = (2, 0);
    loop {
        let is_root = level.len() <= capacity;
        let mut above = Vec::with_capacity(level.len() / capacity + 1);
        for cells in even_chunks(&level, capacity) {
            let number = if is_root { 1 } else { next_number };
            next_number += 1;
            lay_out(&mut data, if is_root { depth } else { 0 }, cells, size);
            put_node.execute(params![number, data])?;
            for cell in cells {
                if depth == 0 {
                    homes.push((cell.number, number));
                } else {
                    put_parent.execute([cell.number, number])?;
                }
            }
            above.push(Cell { number, edges: around(cells) });
        }
        if is_root {
            break;
        }
        level = above;
        depth += 1;
    }
    homes.sort_unstable();
    for home in homes {
        put_rowid.execute([home.0, home.1])?;
    }
    Ok(())
}

/// Enters boxes where rows are now, and removes those of rows that have none any more.
///
/// # Errors
/// The engine's.
pub(super) fn update(conn: &Connection, rtree: &str, boxes: Vec<(i64, Option<Bounds>)>) -> Result<(), GpkgError> {
    let rtree = quote(rtree)?;
    let mut delete = conn.prepare_cached(&format!("DELETE FROM {rtree} WHERE id = ?1"))?;
    let mut put = Vec::with_capacity(boxes.len());
    for (id, bounds) in boxes {
        match bounds {
            Some(bounds) => put.push((id, bounds)),
            None => _ = delete.execute([id])?,
        }
    }
    let mut insert = conn.prepare_cached(&format!("INSERT OR REPLACE INTO {rtree} VALUES (?1, ?2, ?3, ?4, ?5)"))?;
    // Single precision holds the edges, rounded outward, exactly.
    for Cell { number, edges: [west, east, south, north] } in ordered(&put) {
        insert.execute(params![number, west, east, south, north])?;
    }
    Ok(())
}

/// Whether two boxes are the same in the tree.
pub(super) fn is_same_in_tree(a: &Bounds, b: &Bounds) -> bool {
    edges(a).map(f32::to_bits) == edges(b).map(f32::to_bits)
}

/// West, east, south, north, rounded outward as the engine rounds them.
fn edges(b: &Bounds) -> [f32; 4] {
    [down(b.min.x), up(b.max.x), down(b.min.y), up(b.max.y)]
}

/// The boxes as cells, neighbours beside each other.
fn ordered(boxes: &[(i64, Bounds)]) -> Vec<Cell> {
    let whole = boxes.iter().map(|(_, b)| *b).reduce(Bounds::union);
    let Some(whole) = whole else { return Vec::new() };
    let scale = |from: f64, to: f64| if to > from { f64::from(u16::MAX) / (to - from) } else { 0.0 };
    let (sx, sy) = (scale(whole.min.x, whole.max.x), scale(whole.min.y, whole.max.y));
    let mut keyed: Vec<(u32, Cell)> = boxes
        .iter()
        .map(|(number, b)| {
            let center = b.center();
            let place = (((center.x - whole.min.x) * sx) as u16, ((center.y - whole.min.y) * sy) as u16);
            (hilbert(place.0, place.1), Cell { number: *number, edges: edges(b) })
        })
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, cell)| cell).collect()
}

/// The cells in as few runs of at most `capacity` as possible, none much shorter than another.
fn even_chunks(cells: &[Cell], capacity: usize) -> impl Iterator<Item = &[Cell]> {
    let count = cells.len().div_ceil(capacity);
    (0..count).map(move |i| &cells[i * cells.len() / count..(i + 1) * cells.len() / count])
}

fn lay_out(data: &mut Vec<u8>, depth: u16, cells: &[Cell], size: usize) {
    data.clear();
    data.extend(depth.to_be_bytes());
    data.extend((cells.len() as u16).to_be_bytes());
    for cell in cells {
        data.extend(cell.number.to_be_bytes());
        for edge in cell.edges {
            data.extend(edge.to_be_bytes());
        }
    }
    data.resize(size, 0);
}

fn around(cells: &[Cell]) -> [f32; 4] {
    let empty = [f32::INFINITY, f32::NEG_INFINITY, f32::INFINITY, f32::NEG_INFINITY];
    cells.iter().fold(empty, |[w, e, s, n], cell| {
        let [cw, ce, cs, cn] = cell.edges;
        [w.min(cw), e.max(ce), s.min(cs), n.max(cn)]
    })
}

/// The largest single-precision number that is not above.
fn down(v: f64) -> f32 {
    let rounded = v as f32;
    if f64::from(rounded) > v { rounded.next_down() } else { rounded }
}

/// The smallest single-precision number that is not below.
fn up(v: f64) -> f32 {
    let rounded = v as f32;
    if f64::from(rounded) < v { rounded.next_up() } else { rounded }
}

/// The position of a place along a Hilbert curve over 65,536 × 65,536 places.
fn hilbert(x: u16, y: u16) -> u32 {
    let (mut x, mut y) = (u32::from(x), u32::from(y));
    let mut position = 0;
    for bit in (0..16).rev() {
        let side = 1_u32 << bit;
        let (right, top) = (u32::from(x & side > 0), u32::from(y & side > 0));
        position = (position << 2) | ((3 * right) ^ top);
        if top == 0 {
            if right == 1 {
                (x, y) = (0xffff - x, 0xffff - y);
            }
            (x, y) = (y, x);
        }
    }
    position
}

#[cfg(test)]
mod tests {
    use geo::Coord;
    use geopackage_core::triggers;
    use proptest::prelude::*;

    use super::*;

    /// An R-tree of boxes in memory.
    fn filled(boxes: &[(i64, Bounds)]) -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(&triggers::create_rtree_table_sql("地块", "geom").unwrap()).unwrap();
        fill(&conn, "rtree_地块_geom", boxes).unwrap();
        conn
    }

    fn sound(conn: &Connection) {
        let told: String = conn.query_row("SELECT rtreecheck('rtree_地块_geom')", [], |row| row.get(0)).unwrap();
        assert_eq!(told, "ok");
    }

    fn ids_in(conn: &Connection, b: &Bounds) -> Vec<i64> {
        let sql =
            "SELECT id FROM rtree_地块_geom WHERE maxx >= ?1 AND minx <= ?2 AND maxy >= ?3 AND miny <= ?4 ORDER BY id";
        let mut statement = conn.prepare(sql).unwrap();
        let ids = statement.query_map([b.min.x, b.max.x, b.min.y, b.max.y], |row| row.get(0)).unwrap();
        ids.collect::<Result<_, _>>().unwrap()
    }

    fn scattered(count: i64) -> Vec<(i64, Bounds)> {
        let at = |n: i64| {
            let cell = (n * 7919).rem_euclid(1_000_003);
            let corner = Coord { x: 112.0 + (cell % 1000) as f64 / 1000.0, y: 22.0 + (cell / 1000) as f64 / 1000.0 };
            Bounds::of_corners(corner, Coord { x: corner.x + 0.0004, y: corner.y + 0.0004 })
        };
        (1..=count).map(|n| (n * 3, at(n))).collect()
    }

    #[test]
    fn the_engine_finds_every_tree_sound_whatever_its_size() {
        for count in [1, 2, 50, 51, 52, 53, 102, 103, 2601, 2602, 2603, 10_000] {
            let boxes = scattered(count);
            let conn = filled(&boxes);
            sound(&conn);
            let stored: i64 = conn.query_row("SELECT count(*) FROM rtree_地块_geom", [], |row| row.get(0)).unwrap();
            assert_eq!(stored, count);
        }
    }

    #[test]
    fn the_engine_may_go_on_to_insert_and_delete() {
        let boxes = scattered(3000);
        let conn = filled(&boxes);
        for (id, b) in &boxes {
            if id % 2 == 0 {
                conn.execute("DELETE FROM rtree_地块_geom WHERE id = ?1", [id]).unwrap();
            } else {
                let row = params![id + 1_000_000, b.min.x, b.max.x, b.min.y, b.max.y];
                conn.execute("INSERT INTO rtree_地块_geom VALUES (?1, ?2, ?3, ?4, ?5)", row).unwrap();
            }
        }
        sound(&conn);
        let stored: i64 = conn.query_row("SELECT count(*) FROM rtree_地块_geom", [], |row| row.get(0)).unwrap();
        assert_eq!(stored, 3000);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn a_query_finds_every_box_that_a_walk_finds(
            boxes in prop::collection::vec((-180.0..180.0, -90.0..90.0, 0.0..5.0, 0.0..5.0), 1..400),
            (x, y, w, h) in (-180.0..180.0, -90.0..90.0, 0.0..90.0, 0.0..90.0),
        ) {
            let of = |x: f64, y: f64, w: f64, h: f64| Bounds::of_corners(Coord { x, y }, Coord { x: x + w, y: y + h });
            let boxes: Vec<_> = (1..).zip(boxes).map(|(id, (x, y, w, h))| (id, of(x, y, w, h))).collect();
            let conn = filled(&boxes);
            sound(&conn);
            let asked = of(x, y, w, h);
            let found = ids_in(&conn, &asked);
            for (id, b) in &boxes {
                // Rounding outward may find more, by less than a hundred-thousandth of a degree; never less.
                prop_assert!(!b.intersects(&asked) || found.binary_search(id).is_ok());
                prop_assert!(b.intersects(&asked.widened(5e-5)) || found.binary_search(id).is_err());
            }
        }
    }

    #[test]
    fn the_curve_visits_each_place_once_and_steps_to_neighbours() {
        let mut places: Vec<(u32, (u16, u16))> =
            (0..64).flat_map(|x| (0..64).map(move |y| (hilbert(x, y), (x, y)))).collect();
        places.sort_unstable();
        for pair in places.windows(2) {
            let ((a, p), (b, q)) = (pair[0], pair[1]);
            assert_eq!(b, a + 1);
            assert_eq!(p.0.abs_diff(q.0) + p.1.abs_diff(q.1), 1);
        }
    }
}
