//! The ledger of low-efficiency industrial land: 20,000.00 亩 by the survey rule, to the last 0.01 m².

use serde_json::{Value, json};

use super::{
    calendar::day,
    cover::Cover,
    file::{Row, collection},
    lots::{Lot, cut},
    place::{Block, Place},
    plane::{Rule, Surfaces, meet, nano},
    random::{Random, noise},
    setting::{GONGHE, TOWNS, ZONES},
};

/// 20,000 亩 in hundredths of a square metre, to the nearest.
const TARGET: i64 = 1_333_333_333;

struct Parcel {
    town: usize,
    surfaces: Surfaces,
    hundredths: i64,
}

/// The parcels as a file, and the blocks that they use.
pub fn write(place: &Place, cover: &Cover, rule: &Rule) -> (String, Vec<bool>) {
    let (parcels, used) = choose(place, cover, rule);
    let mut random = Random::new(72);
    let mut number = [0; TOWNS.len()];
    let rows = parcels.iter().map(|parcel| {
        number[parcel.town] += 1;
        let code = format!("DX-{}-{:04}", TOWNS[parcel.town].0, number[parcel.town]);
        Row { surfaces: &parcel.surfaces, properties: ledger(&code, parcel, &mut random) }.line()
    });
    (collection("parcels", rows), used)
}

fn choose(place: &Place, cover: &Cover, rule: &Rule) -> (Vec<Parcel>, Vec<bool>) {
    let mut random = Random::new(71);
    let mut used = vec![false; place.blocks.len()];
    let mut parcels: Vec<Parcel> = Vec::new();
    let mut spare = None;
    for (town, (_, _, share)) in TOWNS.iter().enumerate() {
        // Old quarters cluster: blocks are taken in the order of a smooth noise.
        let mut order: Vec<(f64, usize)> = (0..place.blocks.len())
            .filter(|i| ZONES[place.blocks[*i].zone].town == town && cover.block_use[*i] == "1001")
            .map(|i| (noise(place.blocks[i].corners[0], 650.0, 73) + random.between(-0.35, 0.35), i))
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let quota = (TARGET as f64 * share) as i64;
        let mut have = 0;
        let mut blocks = order.iter().map(|entry| entry.1);
        while have < quota {
            let block = blocks.next().expect("a town has blocks enough for its quota");
            used[block] = true;
            for lot in cut(&place.blocks[block], &mut random) {
                if random.chance(0.86) && have < quota {
                    let parcel = parcel_of(place, block, lot, rule);
                    have += parcel.hundredths;
                    parcels.push(parcel);
                }
            }
        }
        if town == GONGHE {
            spare = blocks.next();
        }
    }
    let spare = spare.expect("the largest town has a block to spare");
    used[spare] = true;
    close(place, spare, rule, &mut parcels);
    parcels.sort_by_key(|parcel| parcel.town);
    (parcels, used)
}

fn parcel_of(place: &Place, block: usize, lot: Lot, rule: &Rule) -> Parcel {
    let zone = &ZONES[place.blocks[block].zone];
    let hundredths = rule.hundredths(&lot.surfaces);
    Parcel { town: zone.town, surfaces: lot.surfaces, hundredths }
}

/// Takes parcels away until a plot of usual size is missing, and draws that plot with exactly the missing area.
fn close(place: &Place, spare: usize, rule: &Rule, parcels: &mut Vec<Parcel>) {
    let mut missing = TARGET - parcels.iter().map(|parcel| parcel.hundredths).sum::<i64>();
    while missing < 600_000 {
        missing += parcels.pop().expect("far more than one parcel").hundredths;
    }
    assert!(missing < 1_600_000, "one plot can make up for {missing}");
    let block = &place.blocks[spare];
    let mut surfaces = rectangle(block, missing as f64 / 100.0);
    meet(rule, &mut surfaces, 2, missing);
    let zone = &ZONES[block.zone];
    parcels.push(Parcel { town: zone.town, surfaces, hundredths: missing });
}

fn rectangle(block: &Block, m2: f64) -> Surfaces {
    let (u, v, depth) = (12.0, 14.0, 108.0);
    let width = m2 / depth;
    let corners = [(u, v), (u + width, v), (u + width, v + depth), (u, v + depth)];
    vec![vec![corners.iter().map(|(u, v)| nano(block.frame.place(*u, *v))).collect()]]
}

const MODES: [(&str, f64); 13] = [
    ("工改工", 0.40),
    ("自主改造", 0.13),
    ("政府收储", 0.12),
    ("技改提容", 0.10),
    ("拓展合作", 0.07),
    ("连片整备", 0.04),
    ("统一改造", 0.03),
    ("微改造", 0.03),
    ("工改商", 0.02),
    ("工改居", 0.015),
    ("工改公绿", 0.015),
    ("倒逼退出", 0.02),
    ("临时利用", 0.01),
];

const REASONS: [(&str, f64); 7] = [
    ("容积率偏低", 0.30),
    ("亩均税收偏低", 0.24),
    ("建筑系数偏低", 0.14),
    ("厂房老旧闲置", 0.13),
    ("布局散乱", 0.09),
    ("用途与规划不符", 0.06),
    ("投资强度不足", 0.04),
];

/// The workflow of the ledger as it stands on 2025-06-30, the demo's day.
const STATUSES: [(&str, f64); 13] = [
    ("线索", 0.02),
    ("调查", 0.03),
    ("认定", 0.05),
    ("入库", 0.05),
    ("方案编制", 0.05),
    ("方案批准", 0.04),
    ("主体确认", 0.03),
    ("收储实施", 0.05),
    ("改造实施", 0.10),
    ("完成处置", 0.45),
    ("效益复评", 0.10),
    ("暂缓", 0.02),
    ("撤销", 0.01),
];

fn ledger(code: &str, parcel: &Parcel, random: &mut Random) -> Value {
    let status = random.pick(&STATUSES);
    let mut stage = STATUSES.iter().position(|entry| entry.0 == status).unwrap_or(0);
    if stage >= 11 {
        stage = 2;
    }
    let done = status == "完成处置" || status == "效益复评";
    let now = day(2025, 6, 30);
    let finished = if done {
        // More is finished each year; what is evaluated again was finished a year before.
        let last = if status == "效益复评" { day(2024, 6, 20) } else { day(2025, 6, 27) };
        let share = random.unit();
        let first = day(2023, 5, 8);
        Some(first + ((last - first) as f64 * (1.0 - (1.0 - share) * (1.0 - share) * 0.9) * 0.995) as i64)
    } else {
        None
    };
    let end = finished.unwrap_or(now - 5 - random.below(60) as i64);
    let start_of_action = day(2022, 12, 21);
    let confirmed = start_of_action + ((end - start_of_action) as f64 * random.between(0.12, 0.42)) as i64;
    let approved = confirmed + ((end - confirmed) as f64 * random.between(0.25, 0.5)) as i64;
    let begun = approved + ((end - approved) as f64 * random.between(0.1, 0.4)) as i64;
    let mode = match status {
        "收储实施" => "政府收储",
        "改造实施" => random.pick(&[("工改工", 0.6), ("自主改造", 0.2), ("技改提容", 0.12), ("拓展合作", 0.08)]),
        _ => random.pick(&MODES),
    };
    let planned = match finished {
        Some(at) if random.chance(0.85) => super::calendar::year(at),
        Some(at) => (super::calendar::year(at) - 1).max(2023),
        None => random.pick(&[(2023, 0.05), (2024, 0.2), (2025, 0.75)]),
    };
    let (use_code, use_name) = random.pick(&[
        (("100102", "二类工业用地"), 0.62),
        (("100101", "一类工业用地"), 0.24),
        (("1001", "工业用地"), 0.11),
        (("100103", "三类工业用地"), 0.03),
    ]);
    let far = random.between(0.2, 0.95);
    let target_far = 1.2 + random.between(0.0, 1.6);
    let shown = |from: usize, at: i64| (stage >= from).then(|| super::calendar::text(at));
    json!({
        "code": code,
        "town": TOWNS[parcel.town].1,
        "status": status,
        "mode": (stage >= 4).then_some(mode),
        "use_code": use_code,
        "use_name": use_name,
        "confirmed_on": shown(2, confirmed),
        "approved_on": shown(5, approved),
        "started_on": shown(7, begun),
        "completed_on": finished.map(super::calendar::text),
        "year_planned": planned,
        "far": hundredth(far),
        "far_planned": (stage >= 4 && mode != "政府收储").then(|| hundredth(target_far)),
        "coverage": hundredth(random.between(18.0, 52.0)),
        "reason": random.pick(&REASONS),
        "note": match status { "暂缓" => Some("未到改造时序（示例）"), "撤销" => Some("权属有争议（示例）"), _ => None },
        "provenance": "synthetic",
    })
}

fn hundredth(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
