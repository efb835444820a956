//! Towns, land use and control lines as files: all of whole triangles, so edges are shared and parts sum up.

use serde_json::json;

use super::{
    cover::{Cover, Patch},
    file::{Row, collection},
    place::height,
    random::noise,
    setting::{SHUANGHE, TOWNS},
};

/// The approximate towns.
pub fn towns(cover: &Cover) -> String {
    collection(
        "towns",
        TOWNS.iter().enumerate().map(|(i, town)| {
            let note = if i == SHUANGHE {
                "近似划分，示意：驻地位置系假定，代码按国家统计局口径（另有 440784110）"
            } else {
                "近似划分，示意：由驻地点位推算，不是法定界线"
            };
            let properties = json!({ "name": town.1, "code": town.0, "note": note, "provenance": "approximate" });
            Row { surfaces: &cover.town_outline(i), properties }.line()
        }),
    )
}

const USES: [(&str, &str); 39] = [
    ("0101", "水田"),
    ("0102", "水浇地"),
    ("0103", "旱地"),
    ("0201", "果园"),
    ("0202", "茶园"),
    ("0205", "其他园地"),
    ("0301", "乔木林地"),
    ("0302", "竹林地"),
    ("0303", "灌木林地"),
    ("0304", "其他林地"),
    ("0403", "其他草地"),
    ("0506", "内陆滩涂"),
    ("0602", "设施农用地"),
    ("0701", "城镇住宅用地"),
    ("0702", "城镇社区服务设施用地"),
    ("0703", "农村宅基地"),
    ("0801", "机关团体用地"),
    ("0802", "科研用地"),
    ("0803", "文化用地"),
    ("0804", "教育用地"),
    ("0805", "体育用地"),
    ("0806", "医疗卫生用地"),
    ("0901", "商业用地"),
    ("0902", "商务金融用地"),
    ("1001", "工业用地"),
    ("1101", "物流仓储用地"),
    ("1202", "公路用地"),
    ("1208", "交通场站用地"),
    ("1301", "供水用地"),
    ("1303", "供电用地"),
    ("1309", "环卫用地"),
    ("1401", "公园绿地"),
    ("1402", "防护绿地"),
    ("1403", "广场用地"),
    ("16", "留白用地"),
    ("1701", "河流水面"),
    ("1702", "湖泊水面"),
    ("1703", "水库水面"),
    ("1704", "坑塘水面"),
];
const IDLE: (&str, &str) = ("2301", "空闲地");

/// Plan land use: a partition of the county.
pub fn landuse(cover: &Cover) -> String {
    let name = |code: &str| USES.iter().chain([&IDLE]).find(|(c, _)| *c == code).map_or("", |(_, name)| *name);
    collection(
        "landuse",
        cover.patches.iter().map(|patch| {
            let properties = json!({
                "use_code": patch.use_code,
                "use_name": name(patch.use_code),
                "town": TOWNS[patch.town].1,
                "note": null,
                "provenance": "synthetic",
            });
            Row { surfaces: &cover.patch_outline(patch), properties }.line()
        }),
    )
}

const FARMLAND: &str = "永久基本农田";
const ECOLOGY: &str = "生态保护红线";
const URBAN: &str = "城镇开发边界";

/// Control lines that share edges but no land.
pub fn constraints(cover: &Cover) -> String {
    let farmland =
        |patch: &Patch| patch.use_code.starts_with("01") && noise(cover.position_in(patch), 1_800.0, 62) > -0.45;
    let ecology = |patch: &Patch| {
        let at = cover.position_in(patch);
        let wild = ["0301", "0302", "0303", "0304", "0403", "1703"].contains(&patch.use_code);
        wild && height(at) > 0.85
    };
    let sets = [
        (FARMLAND, cover.groups(farmland, 120_000.0)),
        (ECOLOGY, cover.groups(ecology, 600_000.0)),
        (URBAN, cover.groups(|patch| patch.built, 100_000.0)),
    ];
    let rows = sets.iter().flat_map(|(kind, groups)| {
        let mut number = [0; TOWNS.len()];
        groups.iter().map(move |(town, surfaces)| {
            number[*town] += 1;
            let properties = json!({
                "kind": kind,
                "name": format!("{}{kind}（虚构）{:02}", TOWNS[*town].1, number[*town]),
                "town": TOWNS[*town].1,
                "version": "示例",
                "note": null,
                "provenance": "synthetic",
            });
            Row { surfaces, properties }.line()
        })
    });
    collection("constraints", rows)
}
