//! The land supply plan of 2023: 4,000.00 亩 of industrial land to the last 0.01 m², and some other uses.
//!
//! Of the land that is not infrastructure at least 80 % is industrial, in the plan and in what is supplied.

use serde_json::{Value, json};

use super::{
    calendar::{day, text},
    cover::Cover,
    file::{Row, collection},
    place::{BLOCK, Place},
    plane::{Rule, Surfaces, meet, nano},
    random::Random,
    setting::{TOWNS, ZONES},
};

/// 4,000 亩 in hundredths of a square metre, to the nearest.
const INDUSTRIAL: i64 = 266_666_667;

/// Uses other than industry, and about how much land they shall have, m².
const OTHERS: [(&str, &str, f64); 5] = [
    ("商服", "0901", 90_000.0),
    ("住宅", "0701", 210_000.0),
    ("仓储", "1101", 120_000.0),
    ("公共管理与公共服务", "0804", 60_000.0),
    ("基础设施", "1208", 110_000.0),
];

struct Plot {
    town: usize,
    surfaces: Surfaces,
    hundredths: i64,
    purpose: &'static str,
    use_code: &'static str,
}

/// The supply plots as a file.
pub fn write(place: &Place, cover: &Cover, rule: &Rule, used: &mut [bool]) -> String {
    let mut random = Random::new(91);
    let mut plots = industrial(place, cover, rule, used, &mut random);
    for (purpose, use_code, wanted) in OTHERS {
        plots.extend(other(place, cover, rule, used, (purpose, use_code, wanted)));
    }
    plots.sort_by_key(|plot| plot.town);
    let mut number = [0; TOWNS.len()];
    collection(
        "supply",
        plots.iter().map(|plot| {
            number[plot.town] += 1;
            let code = format!("GD-2023-{}-{:03}", TOWNS[plot.town].0, number[plot.town]);
            Row { surfaces: &plot.surfaces, properties: sheet(&code, plot, &mut random) }.line()
        }),
    )
}

/// One or two blocks of a zone as one plot, or `None` where one is in use.
fn plot(place: &Place, cover: &Cover, first: usize, used: &mut [bool]) -> Option<Surfaces> {
    let second = cover.paired[first];
    if used[first] || second.is_some_and(|next| used[next]) {
        return None;
    }
    used[first] = true;
    if let Some(next) = second {
        used[next] = true;
    }
    let length = BLOCK[0] * if second.is_some() { 2.0 } else { 1.0 };
    Some(rectangle(place, first, length - 20.0, BLOCK[1] - 18.0))
}

fn rectangle(place: &Place, block: usize, length: f64, depth: f64) -> Surfaces {
    let frame = place.blocks[block].frame;
    let (u, v, c) = (10.0, 9.0, 6.0);
    let corners =
        [(u + c, v), (u + length - c, v), (u + length, v + c), (u + length, v + depth), (u, v + depth), (u, v + c)];
    vec![vec![corners.iter().map(|(u, v)| nano(frame.place(*u, *v))).collect()]]
}

fn industrial(place: &Place, cover: &Cover, rule: &Rule, used: &mut [bool], random: &mut Random) -> Vec<Plot> {
    let seconds: Vec<usize> = cover.paired.iter().flatten().copied().collect();
    let mut order: Vec<usize> = (0..place.blocks.len())
        .filter(|i| !seconds.contains(i) && cover.block_use[*i] == "1001" && ZONES[place.blocks[*i].zone].industrial)
        .collect();
    random.shuffle(&mut order);
    let mut plots = Vec::new();
    let mut missing = INDUSTRIAL;
    for first in order {
        let town = ZONES[place.blocks[first].zone].town;
        let single = cover.paired[first].is_none();
        if missing < 2_400_000 && !used[first] {
            // The last plot takes what is missing: a part of one block.
            let mut surfaces = rectangle(place, first, 156.0, missing as f64 / 100.0 / 156.0);
            meet(rule, &mut surfaces, 2, missing);
            used[first] = true;
            plots.push(Plot { town, surfaces, hundredths: missing, purpose: "工业", use_code: "1001" });
            return plots;
        }
        if let Some(surfaces) = plot(place, cover, first, used) {
            let hundredths = rule.hundredths(&surfaces);
            // Too small a rest could not become a plot.
            if missing - hundredths < 800_000 {
                used[first] = false;
                if let Some(next) = cover.paired[first] {
                    used[next] = false;
                }
                assert!(!single || missing >= 2_400_000, "a single block leaves a rest");
                continue;
            }
            missing -= hundredths;
            plots.push(Plot { town, surfaces, hundredths, purpose: "工业", use_code: "1001" });
        }
    }
    unreachable!("the zones have blocks enough for the plan")
}

fn other(
    place: &Place,
    cover: &Cover,
    rule: &Rule,
    used: &mut [bool],
    (purpose, use_code, wanted): (&'static str, &'static str, f64),
) -> Vec<Plot> {
    let mut plots: Vec<Plot> = Vec::new();
    for first in 0..place.blocks.len() {
        let spread = (first * 7_919) % place.blocks.len();
        let have: f64 = plots.iter().map(|plot| plot.hundredths as f64 / 100.0).sum();
        if have >= wanted {
            break;
        }
        let fits = cover.block_use[spread] == use_code || (use_code == "0804" && cover.block_use[spread] == "0803");
        if !fits || used[spread] {
            continue;
        }
        used[spread] = true;
        let surfaces = rectangle(place, spread, BLOCK[0] - 20.0, BLOCK[1] - 18.0);
        let hundredths = rule.hundredths(&surfaces);
        let town = ZONES[place.blocks[spread].zone].town;
        plots.push(Plot { town, surfaces, hundredths, purpose, use_code });
    }
    plots
}

const STAGES: [(&str, f64); 7] =
    [("计划", 0.16), ("挂网", 0.10), ("成交", 0.10), ("签合同", 0.12), ("交地", 0.16), ("动工", 0.26), ("竣工", 0.10)];

fn sheet(code: &str, plot: &Plot, random: &mut Random) -> Value {
    let stage = random.pick(&STAGES);
    let reached = STAGES.iter().position(|entry| entry.0 == stage).unwrap_or(0);
    let quarter = random.pick(&[(1, 0.2), (2, 0.3), (3, 0.25), (4, 0.25)]);
    let mut at = day(2023, 1 + 3 * (quarter - 1), 4) + random.below(50) as i64;
    let mut dates = Vec::new();
    for step in 1..STAGES.len() {
        dates.push((reached >= step).then(|| text(at)));
        at += match step {
            1 => 30,
            2 => 8 + random.below(8) as i64,
            3 => 15 + random.below(30) as i64,
            4 => random.below(75) as i64,
            _ => 330 + random.below(200) as i64,
        };
    }
    let industrial = plot.purpose == "工业";
    let mode = if industrial {
        random.pick(&[("挂牌出让", 0.7), ("弹性年期出让", 0.15), ("先租后让", 0.1), ("标准地出让", 0.05)])
    } else if plot.purpose == "基础设施" || plot.purpose == "公共管理与公共服务" {
        "划拨"
    } else {
        random.pick(&[("挂牌出让", 0.8), ("拍卖出让", 0.2)])
    };
    json!({
        "code": code,
        "town": TOWNS[plot.town].1,
        "use": plot.purpose,
        "use_code": plot.use_code,
        "mode": mode,
        "year": 2023,
        "quarter": quarter,
        "source_kind": random.pick(&[("新增", 0.72), ("存量", 0.28)]),
        "stage": stage,
        "listed_on": dates[0],
        "sold_on": dates[1],
        "signed_on": dates[2],
        "handed_on": dates[3],
        "started_on": dates[4],
        "finished_on": dates[5],
        "far_min": industrial.then(|| (random.between(1.2, 2.0) * 10.0).round() / 10.0),
        "note": Value::Null,
        "provenance": "synthetic",
    })
}
