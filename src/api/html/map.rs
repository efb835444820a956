//! A small map as SVG: some features, a graticule, a scale bar, where in the layer they are.
//!
//! Longitude and latitude are stretched to local metres at the map's middle, which is right to the pixel for a county
//! and a sketch for a continent. Vertices closer than the pixel's fraction to the one before are left out, small shapes
//! become squares, and a map has a budget of vertices: whatever is not drawn as it is, [`Sketch::notes`] says so.

use std::fmt::Write;

use geo::Coord;
use maud::{Markup, PreEscaped, html};

use crate::ground::shape::{Bounds, ShapeRef};

use super::{frame::isolated, lang::Lang, values::count};

/// Size of the drawing in its own units, which are pixels on a wide screen.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 440.0;
/// Share of the size that stays free on each side.
const MARGIN: f64 = 0.06;
/// Vertices nearer than this to the one before are not drawn.
const TOLERANCE: f64 = 0.35;
/// Surfaces and lines smaller than this on both sides become a square of it.
const SMALLEST: f64 = 2.5;
/// Vertices that one map may write, and look at.
const MOST_WRITTEN: usize = 40_000;
const MOST_READ: usize = 4_000_000;
/// A map of one position is so wide, degrees.
const NARROWEST: f64 = 0.0006;
/// A map of single positions is so wide.
const AROUND_A_POINT: f64 = 0.02;

/// A feature to be drawn.
pub(super) struct Drawn<'a> {
    pub(super) shape: ShapeRef<'a>,
    /// Where its shape leads; nowhere on a page of its own.
    pub(super) href: Option<String>,
    pub(super) title: String,
    /// `#rrggbb`.
    pub(super) color: String,
}

/// A finished map.
pub(super) struct Sketch {
    pub(super) svg: Markup,
    /// What is not drawn as it is, in words.
    pub(super) notes: Vec<String>,
}

/// From degrees to the drawing.
struct Frame {
    bounds: Bounds,
    /// Units of the drawing for one degree.
    across: f64,
    along: f64,
    /// Metres for one unit of the drawing.
    metres: f64,
}

impl Frame {
    /// A frame around a box; all sizes are positive and finite.
    fn around(inner: Bounds) -> Self {
        let middle = inner.center();
        let phi = middle.y.clamp(-89.0, 89.0).to_radians();
        // Lengths of a degree on the ellipsoid, by their usual series; good to a metre.
        let metres_across = 111_412.84 * phi.cos() - 93.5 * (3.0 * phi).cos();
        let metres_along = 111_132.95 - 559.85 * (2.0 * phi).cos();
        let least = if inner.min == inner.max { AROUND_A_POINT } else { NARROWEST };
        let width = (inner.max.x - inner.min.x).max(least) * metres_across;
        let height = (inner.max.y - inner.min.y).max(least) * metres_along;
        let free = 1.0 - 2.0 * MARGIN;
        let metres = (width / (WIDTH * free)).max(height / (HEIGHT * free));
        let (across, along) = (metres_across / metres, metres_along / metres);
        let half = Coord { x: WIDTH / across / 2.0, y: HEIGHT / along / 2.0 };
        let bounds = Bounds {
            min: Coord { x: middle.x - half.x, y: middle.y - half.y },
            max: Coord { x: middle.x + half.x, y: middle.y + half.y },
        };
        Self { bounds, across, along, metres }
    }

    fn place(&self, at: Coord) -> Coord {
        Coord { x: (at.x - self.bounds.min.x) * self.across, y: (self.bounds.max.y - at.y) * self.along }
    }
}

/// What drawing counts.
#[derive(Default)]
struct Tally {
    read: usize,
    written: usize,
    skipped: usize,
    small: usize,
    left_out: usize,
}

/// Draws features; `None` where none has a geometry. `whole` is the box of the layer they are from.
pub(super) fn draw(lang: Lang, features: Vec<Drawn<'_>>, whole: Option<Bounds>) -> Option<Sketch> {
    let mut placed: Vec<(Bounds, Drawn<'_>)> = Vec::with_capacity(features.len());
    let mut tally = Tally::default();
    for feature in features {
        tally.read += feature.shape.coords().len();
        if tally.read > MOST_READ && !placed.is_empty() {
            tally.left_out += 1;
        } else if let Some(bounds) = feature.shape.bounds().filter(|b| (b.max.x - b.min.x).is_finite()) {
            placed.push((bounds, feature));
        }
    }
    let frame = Frame::around(placed.iter().map(|(bounds, _)| *bounds).reduce(Bounds::union)?);
    // The large below the small, so that each can be pointed at.
    let size = |b: &Bounds| (b.max.x - b.min.x) * (b.max.y - b.min.y);
    placed.sort_by(|(a, _), (b, _)| size(b).total_cmp(&size(a)));
    let mut drawn = String::new();
    for (bounds, feature) in &placed {
        let mark = mark_of(&frame, bounds, feature, &mut tally);
        if mark.is_empty() {
            continue;
        }
        let titled = html! {
            @if let Some(href) = &feature.href {
                a href=(href) tabindex="-1" { title { (isolated(&feature.title)) } (PreEscaped(&mark)) }
            } @else {
                g { title { (isolated(&feature.title)) } (PreEscaped(&mark)) }
            }
        };
        drawn.push_str(&titled.into_string());
    }
    let view_box = format!("0 0 {WIDTH} {HEIGHT}");
    let svg = html! {
        // The table beside it, or the list of coordinates, says the same to those who do not see it.
        svg.map viewBox=(view_box) aria-hidden="true" focusable="false" {
            rect width=(WIDTH) height=(HEIGHT) fill="#fbfcfa" {}
            (lines(&frame))
            (PreEscaped(&drawn))
            (scale_bar(&frame))
            (labels(&frame))
            @if let Some(whole) = whole { (locator(&frame, &whole, &placed)) }
        }
    };
    Some(Sketch { svg, notes: notes_of(lang, &tally) })
}

fn notes_of(lang: Lang, tally: &Tally) -> Vec<String> {
    let mut notes = Vec::new();
    if tally.left_out > 0 {
        let n = count(tally.left_out);
        notes.push(match lang {
            Lang::Zh => format!("{n} 个要素的图形过于复杂，未画出；请缩小范围或每页数量"),
            Lang::En => format!("{n} shapes with too many vertices are not drawn: ask for a smaller area or page"),
        });
    }
    if tally.small > 0 {
        let n = count(tally.small);
        notes.push(match lang {
            Lang::Zh => format!("{n} 个过小的图形以方块表示"),
            Lang::En => format!("{n} shapes too small to be seen are drawn as squares"),
        });
    }
    if tally.skipped > 0 {
        notes.push(
            lang.say("轮廓按像素简化，仅供浏览", "outlines are simplified to the pixel, for viewing only").to_owned(),
        );
    }
    notes
}

/// The drawing of one feature; empty where it does not fit the budget any more.
fn mark_of(frame: &Frame, bounds: &Bounds, feature: &Drawn<'_>, tally: &mut Tally) -> String {
    let color = safe_color(&feature.color);
    let shape = feature.shape;
    let mut out = String::new();
    if shape.kind().dimension() == 0 {
        for at in shape.coords().iter().take(MOST_WRITTEN.saturating_sub(tally.written)) {
            let p = frame.place(*at);
            let _ = write!(out, r##"<circle cx="{:.1}" cy="{:.1}" r="4.5" fill="{color}" stroke="#fff"/>"##, p.x, p.y);
        }
        tally.written += shape.coords().len();
        if tally.written > MOST_WRITTEN {
            tally.left_out += 1;
        }
        return out;
    }
    let (a, b) = (frame.place(bounds.min), frame.place(bounds.max));
    if b.x - a.x < SMALLEST && a.y - b.y < SMALLEST {
        tally.small += 1;
        let (x, y) = (f64::midpoint(a.x, b.x) - SMALLEST / 2.0, f64::midpoint(a.y, b.y) - SMALLEST / 2.0);
        let _ = write!(
            out,
            r#"<rect x="{x:.1}" y="{y:.1}" width="{SMALLEST}" height="{SMALLEST}" fill="{color}" stroke="{color}"/>"#
        );
        tally.written += 2;
        return out;
    }
    let path = path_of(frame, &feature.shape, tally);
    if tally.written > MOST_WRITTEN {
        tally.left_out += 1;
        return out;
    }
    let _ = match shape.kind().dimension() {
        1 => write!(out, r#"<path d="{path}" fill="none" stroke="{color}" stroke-width="2"/>"#),
        _ => write!(
            out,
            r##"<path d="{path}" fill="{color}" fill-opacity="0.72" fill-rule="evenodd" stroke="#26332e" stroke-width="0.7"/>"##
        ),
    };
    out
}

/// The rings as path data, in tenths of a unit, without vertices that nobody could see.
fn path_of(frame: &Frame, shape: &ShapeRef<'_>, tally: &mut Tally) -> String {
    let mut path = String::new();
    let is_surface = shape.kind().dimension() == 2;
    for ring in shape.rings() {
        if tally.written > MOST_WRITTEN {
            break;
        }
        let mut last: Option<Coord> = None;
        for (number, at) in ring.iter().enumerate() {
            let p = frame.place(*at);
            let is_end = number == 0 || number + 1 == ring.len();
            let moved = last.is_none_or(|last| (p.x - last.x).abs() + (p.y - last.y).abs() >= TOLERANCE);
            if !moved && (!is_end || is_surface) {
                tally.skipped += usize::from(!is_end);
                continue;
            }
            let _ = write!(path, "{}{:.1} {:.1}", if last.is_none() { 'M' } else { 'L' }, p.x, p.y);
            tally.written += 1;
            last = Some(p);
        }
        if is_surface && last.is_some() {
            path.push('Z');
        }
    }
    path
}

/// A colour as `#rrggbb`; anything else that a file may hold becomes the usual one.
pub(super) fn safe_color(given: &str) -> &str {
    let is_good = given.len() == 7
        && given.strip_prefix('#').is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    if is_good { given } else { USUAL_COLOR }
}

/// The colour of what has none by its code list.
pub(super) const USUAL_COLOR: &str = "#3d8f7a";
/// The colour of what has no value, or none of the list.
pub(super) const NO_COLOR: &str = "#b9bfbc";

/// The largest of 1, 2, 5 times a power of ten that is not above a length.
fn round_below(length: f64) -> f64 {
    let power = 10_f64.powf(length.log10().floor());
    let lead = length / power;
    power
        * if lead >= 5.0 {
            5.0
        } else if lead >= 2.0 {
            2.0
        } else {
            1.0
        }
}

/// The step of the graticule in degrees, about four lines across.
fn step(frame: &Frame) -> f64 {
    round_below(WIDTH / frame.across / 2.5).min(30.0)
}

/// The multiples of a step within a range, not endlessly many.
fn multiples(step: f64, from: f64, to: f64) -> impl Iterator<Item = f64> {
    let first = (from / step).ceil() as i64;
    let last = (to / step).floor() as i64;
    (first..=last.min(first.saturating_add(20))).map(move |number| number as f64 * step)
}

fn lines(frame: &Frame) -> Markup {
    let step = step(frame);
    html! {
        g stroke="#d3dad5" stroke-width="0.7" {
            @for degrees in multiples(step, frame.bounds.min.x, frame.bounds.max.x) {
                @let x = format!("{:.1}", (degrees - frame.bounds.min.x) * frame.across);
                line x1=(x) x2=(x) y1="0" y2=(HEIGHT) {}
            }
            @for degrees in multiples(step, frame.bounds.min.y, frame.bounds.max.y) {
                @let y = format!("{:.1}", (frame.bounds.max.y - degrees) * frame.along);
                line x1="0" x2=(WIDTH) y1=(y) y2=(y) {}
            }
        }
    }
}

/// The degrees of the graticule's lines, above the features.
fn labels(frame: &Frame) -> Markup {
    let step = step(frame);
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let east = |degrees: f64| format!("{:.decimals$}°{}", degrees.abs(), if degrees < 0.0 { 'W' } else { 'E' });
    let north = |degrees: f64| format!("{:.decimals$}°{}", degrees.abs(), if degrees < 0.0 { 'S' } else { 'N' });
    html! {
        g fill="#45514b" font-size="11" stroke="#fbfcfa" stroke-width="3" paint-order="stroke" {
            @for degrees in multiples(step, frame.bounds.min.x, frame.bounds.max.x) {
                @let x = format!("{:.1}", (degrees - frame.bounds.min.x) * frame.across);
                text x=(x) y=(HEIGHT - 5.0) dx="3" { (east(degrees)) }
            }
            @for degrees in multiples(step, frame.bounds.min.y, frame.bounds.max.y) {
                @let y = format!("{:.1}", (frame.bounds.max.y - degrees) * frame.along);
                text x="4" y=(y) dy="-3" { (north(degrees)) }
            }
        }
    }
}

fn scale_bar(frame: &Frame) -> Markup {
    let length = round_below(frame.metres * 130.0);
    let units = length / frame.metres;
    let words = if length >= 1000.0 { format!("{} km", length / 1000.0) } else { format!("{length} m") };
    let (right, y) = (WIDTH - 14.0, HEIGHT - 24.0);
    let path = format!("M{:.1} {:.1}v6h{units:.1}v-6", right - units, y - 6.0);
    html! {
        g {
            path d=(path) fill="none" stroke="#fff" stroke-width="4" {}
            path d=(path) fill="none" stroke="#1d2925" stroke-width="1.5" {}
            text x=(format!("{:.1}", right - units / 2.0)) y=(y - 8.0) text-anchor="middle" font-size="12" fill="#1d2925"
                stroke="#fff" stroke-width="3" paint-order="stroke" { (words) }
        }
    }
}

/// Where the map lies in the box of its layer; nothing where it shows most of it.
fn locator(frame: &Frame, whole: &Bounds, placed: &[(Bounds, Drawn<'_>)]) -> Markup {
    const LARGEST: f64 = 84.0;
    let (width, height) = ((whole.max.x - whole.min.x) * frame.across, (whole.max.y - whole.min.y) * frame.along);
    let shrink = LARGEST / width.max(height);
    if !shrink.is_finite() || (width < WIDTH * 1.5 && height < HEIGHT * 1.5) {
        return html! {};
    }
    // In the corner where it hides the fewest features; the scale bar has the fourth.
    let (far, low) = (WIDTH - 10.0 - width * shrink, HEIGHT - 24.0 - height * shrink);
    let hidden = |(left, top): &(f64, f64)| {
        let (right, bottom) = (left + width * shrink, top + height * shrink);
        let is_under = |bounds: &Bounds| {
            let (a, b) = (frame.place(bounds.min), frame.place(bounds.max));
            a.x <= right && b.x >= *left && b.y <= bottom && a.y >= *top
        };
        placed.iter().filter(|(bounds, _)| is_under(bounds)).count()
    };
    let Some((left, top)) = [(far, 10.0), (10.0, 10.0), (10.0, low)].into_iter().min_by_key(hidden) else {
        return html! {};
    };
    let place = |at: Coord| Coord {
        x: left + (at.x - whole.min.x) * frame.across * shrink,
        y: top + (whole.max.y - at.y) * frame.along * shrink,
    };
    let (a, b) = (place(frame.bounds.min), place(frame.bounds.max));
    let text = |value: f64| format!("{value:.1}");
    let (x, right) = (a.x.max(left), b.x.min(left + width * shrink));
    let (y, bottom) = (b.y.max(top), a.y.min(top + height * shrink));
    html! {
        rect x=(text(left)) y=(text(top)) width=(text(width * shrink)) height=(text(height * shrink)) fill="#fff" fill-opacity="0.9"
            stroke="#7c8a83" stroke-dasharray="3 2" {}
        rect x=(text(x)) y=(text(y)) width=(text((right - x).max(3.0))) height=(text((bottom - y).max(3.0))) fill="#c0392b" {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::shape::Shape;

    fn square(x: f64, y: f64, side: f64) -> Shape {
        Shape::of_bounds(&Bounds { min: Coord { x, y }, max: Coord { x: x + side, y: y + side } })
    }

    fn drawn(shape: &Shape) -> Drawn<'_> {
        Drawn { shape: shape.view(), href: Some("/x".to_owned()), title: "<b>".to_owned(), color: "#00ff00".to_owned() }
    }

    #[test]
    fn a_square_on_the_ground_is_a_square_in_the_drawing_and_the_scale_bar_measures_it() {
        // At 22.7° N a degree of longitude is 102 740 m and one of latitude 110 740 m (GRS 80, meridian and parallel arcs).
        let frame = Frame::around(Bounds { min: Coord { x: 112.9, y: 22.65 }, max: Coord { x: 113.0, y: 22.75 } });
        let (a, b) = (frame.place(Coord { x: 112.9, y: 22.7 }), frame.place(Coord { x: 113.0, y: 22.7 }));
        let metres = (b.x - a.x) * frame.metres;
        assert!((metres - 10_274.0).abs() < 12.0, "{metres}");
        let (c, d) = (frame.place(Coord { x: 112.9, y: 22.65 }), frame.place(Coord { x: 112.9, y: 22.75 }));
        assert!(((c.y - d.y) * frame.metres - 11_074.0).abs() < 12.0);
    }

    #[test]
    fn what_is_not_drawn_as_it_is_is_said() {
        let (large, tiny) = (square(112.0, 22.0, 1.0), square(112.5, 22.5, 1e-6));
        let sketch = draw(Lang::En, vec![drawn(&tiny), drawn(&large)], None).unwrap();
        assert_eq!(sketch.notes, ["1 shapes too small to be seen are drawn as squares"]);
        let svg = sketch.svg.into_string();
        assert!(svg.contains("&lt;b&gt;") && !svg.contains("<b>"), "{svg}");
        assert!(svg.find("<path").unwrap() < svg.find(r#"width="2.5""#).unwrap(), "the small lies above");
    }

    #[test]
    fn a_map_keeps_its_budget_and_counts_what_it_left_out() {
        // Zigzags whose every vertex shows.
        let wild = |lift: f64| {
            let ring: Vec<Coord> = (0..30_000)
                .map(|i| Coord { x: 112.0 + f64::from(i) / 30_000.0, y: 22.0 + lift + f64::from(i % 2) })
                .collect();
            Shape::polygon(&[ring])
        };
        let shapes = [wild(0.0), wild(0.1), wild(0.2)];
        let sketch = draw(Lang::Zh, shapes.iter().map(drawn).collect(), None).unwrap();
        assert!(sketch.notes[0].starts_with("2 个要素的图形过于复杂"), "{:?}", sketch.notes);
        assert!(sketch.svg.into_string().len() < 40_000 * 14);
    }

    #[test]
    fn odd_geometries_are_drawn_without_a_panic() {
        let at = |x: f64, y: f64| Shape::point(Coord { x, y });
        for shape in [at(0.0, 0.0), at(180.0, 90.0), at(-180.0, -90.0), at(1e300, -1e300), square(-180.0, -90.0, 360.0)]
        {
            let whole = shape.view().bounds();
            let svg = draw(Lang::Zh, vec![drawn(&shape)], whole).unwrap().svg.into_string();
            assert!(!svg.contains("NaN"), "{svg}");
        }
        assert!(draw(Lang::Zh, vec![drawn(&at(f64::NAN, 0.0))], None).is_none());
        assert_eq!(safe_color("url(#x)"), USUAL_COLOR);
    }
}
