//! Demonstration belts: the names and figures of the documents on synthetic courses.

use serde_json::{Value, json};

use super::{
    file::{Row, collection},
    mesh::{bend, offset},
    plane::{Metre, ring_of},
};

struct Belt {
    fact: &'static str,
    name: &'static str,
    kind: &'static str,
    segment: Option<&'static str>,
    town: Option<&'static str>,
    /// The document's words, such as `>95`, and the interval that they mean.
    progress: Option<(&'static str, f64, f64, &'static str, &'static str)>,
    half_width: f64,
    course: &'static [Metre],
    note: &'static str,
}

const BELTS: [Belt; 5] = [
    Belt {
        fact: "B01",
        name: "古劳水乡乡村振兴示范带",
        kind: "乡村振兴示范带",
        segment: Some("古劳段"),
        town: Some("古劳镇"),
        progress: Some(("90", 90.0, 90.0, "双桥圩农房改造工程", "B02")),
        half_width: 230.0,
        course: &[
            [9_300.0, 20_000.0],
            [11_200.0, 19_300.0],
            [12_700.0, 18_300.0],
            [14_300.0, 17_900.0],
            [15_900.0, 16_900.0],
        ],
        note: "名称、段落和进度出自文件，走向和范围系虚构",
    },
    Belt {
        fact: "B01",
        name: "古劳水乡乡村振兴示范带",
        kind: "乡村振兴示范带",
        segment: Some("沙坪段"),
        town: Some("沙坪街道"),
        progress: Some((">95", 95.0, 100.0, "谷埠渔人码头", "B03")),
        half_width: 200.0,
        course: &[[17_700.0, 14_600.0], [19_000.0, 14_300.0], [20_100.0, 14_900.0], [21_600.0, 14_800.0]],
        note: "名称、段落和进度出自文件，走向和范围系虚构；“超95%”按区间保存，不当作95%",
    },
    Belt {
        fact: "B04",
        name: "古劳乡村振兴产业示范带",
        kind: "产业示范带",
        segment: None,
        town: Some("古劳镇"),
        progress: None,
        half_width: 260.0,
        course: &[
            [6_700.0, 19_300.0],
            [7_300.0, 18_900.0],
            [8_100.0, 19_100.0],
            [8_900.0, 18_500.0],
            [9_500.0, 18_300.0],
        ],
        note: "名称出自文件，走向和范围系虚构",
    },
    Belt {
        fact: "B04",
        name: "宅梧乡村振兴产业示范带",
        kind: "产业示范带",
        segment: None,
        town: Some("宅梧镇"),
        progress: None,
        half_width: 300.0,
        course: &[
            [-20_400.0, -5_300.0],
            [-18_900.0, -3_300.0],
            [-16_400.0, -1_700.0],
            [-14_700.0, 400.0],
            [-13_800.0, 2_600.0],
        ],
        note: "名称出自文件，走向和范围系虚构",
    },
    Belt {
        fact: "B05",
        name: "昆仑山—彩虹岭古驿道",
        kind: "古驿道",
        segment: None,
        town: None,
        progress: None,
        half_width: 15.0,
        course: &[
            [6_200.0, 6_900.0],
            [3_900.0, 5_300.0],
            [1_400.0, 4_900.0],
            [-900.0, 3_600.0],
            [-2_700.0, 3_900.0],
            [-5_200.0, 2_700.0],
        ],
        note: "名称出自文件；文件未给走向，按 30 米宽的虚构廊道表示",
    },
];

pub fn write() -> String {
    collection(
        "belts",
        BELTS.iter().map(|belt| {
            let course = bend(belt.course);
            let thin: Vec<Metre> = course.iter().step_by(3).copied().collect();
            let mut around = offset(&thin, -belt.half_width);
            around.extend(offset(&thin, belt.half_width).into_iter().rev());
            let surfaces = vec![vec![ring_of(&around, true)]];
            Row { surfaces: &surfaces, properties: sheet(belt) }.line()
        }),
    )
}

fn sheet(belt: &Belt) -> Value {
    let progress = belt.progress.as_ref();
    json!({
        "name": belt.name,
        "kind": belt.kind,
        "segment": belt.segment,
        "town": belt.town,
        "progress": progress.map(|p| p.0),
        "progress_low": progress.map(|p| p.1),
        "progress_high": progress.map(|p| p.2),
        "progress_of": progress.map(|p| p.3),
        "progress_at": progress.map(|_| "2023年中"),
        "source": progress.map_or_else(|| belt.fact.to_owned(), |p| format!("{},{}", belt.fact, p.4)),
        "note": belt.note,
        "provenance": "synthetic",
    })
}
