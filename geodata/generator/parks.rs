//! The outlines of the platform, the industrial park and the five bases: synthetic, with the stated areas exact.
//!
//! The documents give 31.2 km² for the main platform and 1,029 ha for 鹤山产业园; they give no area and no
//! boundary for the five bases, whose outlines here only show that such objects exist. No two of them touch.

use serde_json::{Value, json};

use super::{
    file::{Row, collection},
    plane::{Frame, Metre, Rule, Surfaces, meet, ring_of},
    random::Random,
    setting::{TOWNS, ZONES, Zone},
};

struct Park {
    fact: &'static str,
    name: &'static str,
    alias: Option<&'static str>,
    kind: &'static str,
    /// The town that the documents name, if they name one.
    named_town: bool,
    stated: Option<(f64, &'static str, i64)>,
    note: &'static str,
}

const PARKS: [Park; 7] = [
    Park {
        fact: "P01",
        name: "承接产业有序转移主平台",
        alias: None,
        kind: "主平台",
        named_town: false,
        stated: Some((31.2, "平方公里", 3_120_000_000)),
        note: "面积出自文件，范围系虚构；与鹤山产业园是两个对象，不得相加或套叠",
    },
    Park {
        fact: "P07",
        name: "鹤山产业园",
        alias: None,
        kind: "产业园",
        named_town: false,
        stated: Some((1029.0, "公顷", 1_029_000_000)),
        note: "扩园后面积出自文件，范围系虚构；与主平台是两个对象，不得相加或套叠",
    },
    Park {
        fact: "P10",
        name: "省硅能源产业基地（鹤山片区）",
        alias: Some("广东（江门）硅能源产业基地鹤山片区；鹤山园区"),
        kind: "产业平台",
        named_town: true,
        stated: None,
        note: "文件未给面积和边界，范围系虚构",
    },
    Park {
        fact: "P11",
        name: "鹤山工业城",
        alias: None,
        kind: "产业平台",
        named_town: false,
        stated: None,
        note: "文件未给面积、边界和所在镇，位置待核，范围系虚构",
    },
    Park {
        fact: "P12",
        name: "珠西国际物流中心",
        alias: Some("珠海国际物流中心（原文误）"),
        kind: "产业平台",
        named_town: false,
        stated: None,
        note: "文件只说在江门北站周边，未给面积和边界，位置和范围系虚构",
    },
    Park {
        fact: "P13",
        name: "中欧新材料创新基地",
        alias: None,
        kind: "产业平台",
        named_town: false,
        stated: None,
        note: "文件未给面积、边界和所在镇，位置和范围系虚构",
    },
    Park {
        fact: "P14",
        name: "中欧雅瑶新兴产业园",
        alias: Some("中欧瑶瑶新兴产业园（原文误）；雅瑶新兴产业园"),
        kind: "产业平台",
        named_town: true,
        stated: None,
        note: "文件未给面积和边界，范围系虚构",
    },
];

pub fn write(rule: &Rule) -> String {
    collection(
        "parks",
        PARKS.iter().map(|park| {
            let zones: Vec<&Zone> = ZONES.iter().filter(|zone| zone.park == park.fact).collect();
            let surfaces = drawn(&zones, park.stated.map(|stated| stated.2), rule);
            let town = park.named_town.then(|| TOWNS[zones[0].town].1);
            Row { surfaces: &surfaces, properties: sheet(park, town) }.line()
        }),
    )
}

fn sheet(park: &Park, town: Option<&str>) -> Value {
    json!({
        "name": park.name,
        "alias": park.alias,
        "kind": park.kind,
        "town": town,
        "stated_area": park.stated.map(|stated| stated.0),
        "stated_unit": park.stated.map(|stated| stated.1),
        "source": park.fact,
        "note": park.note,
        "provenance": "synthetic",
    })
}

fn drawn(zones: &[&Zone], hundredths: Option<i64>, rule: &Rule) -> Surfaces {
    let at = |scale: f64| -> Surfaces {
        let mut random = Random::new(81);
        zones.iter().map(|zone| vec![ring_of(&boundary(zone, scale, &mut random), true)]).collect()
    };
    let Some(hundredths) = hundredths else { return at(0.98) };
    let mut scale = 1.0;
    for _ in 0..6 {
        scale *= (hundredths as f64 / rule.hundredths(&at(scale)) as f64).sqrt();
    }
    let mut surfaces = at(scale);
    let vertex = steady_vertex(&surfaces);
    meet(rule, &mut surfaces, vertex, hundredths);
    surfaces
}

/// A vertex whose neighbours are some 40 m apart in latitude: moving it east changes the area in steps of 0.002 m².
fn steady_vertex(surfaces: &Surfaces) -> usize {
    let ring = &surfaces[0][0];
    let n = ring.len();
    let reach = |i: usize| (ring[(i + n - 1) % n][1] - ring[(i + 1) % n][1]).abs();
    (0..n).min_by_key(|i| (reach(*i) - 400_000).abs()).unwrap_or(0)
}

/// A boundary that follows streets: a rectangle with stepped, cut and bent sides.
fn boundary(zone: &Zone, scale: f64, random: &mut Random) -> Vec<Metre> {
    let frame = Frame { origin: zone.centre, slope: zone.slope };
    let (a, b) = (zone.half[0] * scale, zone.half[1] * scale);
    let mut points = Vec::new();
    let corners = [(-a, -b), (a, -b), (a, b), (-a, b)];
    for i in 0..4 {
        let (from, to) = (corners[i], corners[(i + 1) % 4]);
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = (dx * dx + dy * dy).sqrt();
        let (ex, ey) = (dx / length, dy / length);
        let cut = random.between(0.06, 0.16) * length;
        let end = random.between(0.84, 0.94) * length;
        let step_at = random.between(0.35, 0.65) * length;
        let inset = random.between(30.0, 130.0);
        // Along the side at two depths, with a short step between them.
        let spots = [(cut, 0.0), (step_at, 0.0), (step_at + 45.0, inset), (end, inset)];
        for (s, d) in spots {
            points.push(frame.place(from.0 + ex * s - ey * d, from.1 + ey * s + ex * d));
        }
    }
    points
}
