//! Villages, projects and tasks: real names and figures of the documents on positions that are made up.

use serde_json::{Value, json};

use super::{
    calendar::{day, text},
    file::{collection, point_line},
    place::Place,
    plane::{Frame, Metre, nano},
    random::Random,
    setting::{GULAO, TOWNS, ZHISHAN, ZONES, Zone},
};

/// The official list with made-up positions.
pub fn villages(place: &Place) -> String {
    collection(
        "villages",
        place.villages.iter().map(|village| {
            let kind = match (village.town, village.name.contains("社区")) {
                (None, _) => "其他",
                (_, true) => "社区",
                (_, false) => "村",
            };
            let note = match village.town {
                Some(_) => "名称和代码真实，点位虚构（在近似镇域内随机）",
                None => "不属于任何镇街的统计单位，不给点位",
            };
            let properties = json!({
                "name": village.name,
                "code12": village.code,
                "town": village.town.map(|town| TOWNS[town].1),
                "unit": village.street_name,
                "kind": kind,
                "note": note,
                "provenance": "synthetic",
            });
            point_line(village.at.map(nano), &properties)
        }),
    )
}

struct Project {
    name: &'static str,
    alias: Option<&'static str>,
    builder: Option<&'static str>,
    town: Option<&'static str>,
    invest: Option<f64>,
    scope: Option<&'static str>,
    other_invest: Option<&'static str>,
    content: Option<&'static str>,
    stage: &'static str,
    due: Option<&'static str>,
    started: Option<(i64, i64, i64)>,
    source: &'static str,
    at: Metre,
    note: &'static str,
}

const UNPLACED: &str = "文件未载所在镇，点位系虚构";

const fn project(name: &'static str, stage: &'static str, source: &'static str, at: Metre) -> Project {
    Project {
        name,
        alias: None,
        builder: None,
        town: None,
        invest: None,
        scope: None,
        other_invest: None,
        content: None,
        stage,
        due: None,
        started: None,
        source,
        at,
        note: UNPLACED,
    }
}

const PROJECTS: [Project; 13] = [
    Project {
        builder: Some("隆基绿能科技股份有限公司"),
        town: Some(TOWNS[ZHISHAN].1),
        invest: Some(45.0),
        scope: Some("签约口径（2022年）"),
        other_invest: Some("超100亿元（意向总投资，2023年1月；J02）"),
        content: Some("年产 10 GW 单晶组件（照片说明，J03）；江门基地一期 30 GW（正文，J04）"),
        due: Some("2023-03-31 前供地"),
        started: Some((2023, 4, 21)),
        note: "投资和产能各有两个口径，并存而不相加；镇名出自文件，点位系虚构",
        ..project("隆基绿能单晶组件项目", "动工", "J01,J02,J03,J04,J05,J06,J07,J08,J09", [-2_700.0, -12_600.0])
    },
    Project {
        alias: Some("信义玻璃项目"),
        builder: Some("信义集团"),
        due: Some("2023 年内投产"),
        ..project("信义集团鹤山玻璃产业基地", "在建", "J10", [4_600.0, -9_400.0])
    },
    Project {
        due: Some("2023 年一季度动工"), ..project("中商人防二期", "计划动工", "J11", [8_500.0, -5_200.0])
    },
    Project {
        builder: Some("广东欣龙隧道装备股份有限公司"),
        invest: Some(20.0),
        scope: Some("计划总投资"),
        content: Some("隧道装备盾构制造园"),
        ..project("欣龙隧道装备盾构制造园", "前期", "J12,J13", [12_900.0, -8_100.0])
    },
    Project {
        alias: Some("联塑班晒（原文误）"), ..project("联塑班皓项目", "前期", "J13", [5_000.0, 400.0])
    },
    Project {
        due: Some("2023 年投入运营"),
        note: "珠西国际物流中心在江门北站周边；文件未载所在镇，点位系虚构",
        ..project("珠西国际陆港一期", "在建", "J40", [17_500.0, 5_300.0])
    },
    Project {
        due: Some("2023 年投入运营"),
        note: "珠西国际物流中心在江门北站周边；文件未载所在镇，点位系虚构",
        ..project("嘉民项目", "在建", "J40", [17_900.0, 5_600.0])
    },
    Project {
        due: Some("2023 年投入运营"),
        note: "珠西国际物流中心在江门北站周边；文件未载所在镇，点位系虚构",
        ..project("熙麦项目", "在建", "J40", [18_100.0, 5_100.0])
    },
    Project {
        alias: Some("博盈焊接（原文误）"), ..project("博盈特焊项目", "在建", "J41", [9_300.0, 4_800.0])
    },
    Project {
        town: Some(TOWNS[GULAO].1),
        due: Some("创建国家 4A 级景区"),
        note: "镇名出自文件，点位系虚构",
        ..project("华侨城古劳水乡", "在建", "B08", [12_900.0, 18_000.0])
    },
    Project {
        town: Some("宅梧镇"),
        content: Some("点状供地"),
        note: "镇名出自文件，点位系虚构",
        ..project("宅梧源林生态乐园", "点状供地", "L10", [-16_600.0, -700.0])
    },
    Project {
        town: Some("共和镇"),
        alias: Some("莱苏山水人家（原文误）"),
        content: Some("点状供地"),
        note: "镇名出自文件，点位系虚构",
        ..project("共和来苏山水人家", "点状供地", "L10", [10_200.0, -9_000.0])
    },
    Project { content: Some("点状供地"), ..project("香草地", "点状供地", "L10", [-18_600.0, -1_500.0]) },
];

/// The projects that the documents name.
pub fn projects() -> String {
    collection(
        "projects",
        PROJECTS.iter().map(|project| {
            let properties = json!({
                "name": project.name,
                "alias": project.alias,
                "builder": project.builder,
                "town": project.town,
                "invest_100m_yuan": project.invest,
                "invest_scope": project.scope,
                "invest_other": project.other_invest,
                "content": project.content,
                "stage": project.stage,
                "due": project.due,
                "started_on": project.started.map(|(year, month, dom)| text(day(year, month, dom))),
                "source": project.source,
                "note": project.note,
                "provenance": "synthetic",
            });
            point_line(Some(nano(project.at)), &properties)
        }),
    )
}

const COUNTY_THEMES: [(&str, &str); 12] = [
    ("低效工业用地整治提升", "自然资源部门"),
    ("产业有序转移主平台建设", "工业和信息化部门"),
    ("重点项目用地保障", "自然资源部门"),
    ("重点项目挂图督办", "发展改革部门"),
    ("产业园区基础设施建设", "住房城乡建设部门"),
    ("招商引资和项目落地", "商务部门"),
    ("小微工业企业上规模", "统计部门"),
    ("城区品质提升", "城市管理部门"),
    ("高标准农田建设", "农业农村部门"),
    ("绿美生态建设", "林业部门"),
    ("农村公路提档升级", "交通运输部门"),
    ("教育医疗补短板", "教育部门"),
];
const TOWN_THEMES: [(&str, &str); 9] = [
    ("镇级工业园改造升级", "镇街经济发展办公室"),
    ("低效用地摸底和整治", "镇街自然资源所"),
    ("圩镇人居环境整治", "镇街城镇建设办公室"),
    ("美丽圩镇建设", "镇街城镇建设办公室"),
    ("特色产业发展", "镇街农业农村办公室"),
    ("撂荒耕地复耕复种", "镇街农业农村办公室"),
    ("公共服务设施完善", "镇街公共服务办公室"),
    ("项目征地拆迁服务", "镇街项目服务办公室"),
    ("生活污水管网建设", "镇街生态环境办公室"),
];
const VILLAGE_THEMES: [(&str, &str); 8] = [
    ("农房风貌提升", "村（社区）"),
    ("村级工业集聚区整治", "村（社区）"),
    ("乡村绿化美化", "村（社区）"),
    ("集体经济发展", "村（社区）"),
    ("村道和路灯建设", "村（社区）"),
    ("农田水利设施修缮", "村（社区）"),
    ("生活垃圾分类", "村（社区）"),
    ("文化活动场所建设", "村（社区）"),
];

/// 366 tasks of 2023: 166 of the county, 84 of towns, 116 of villages.
pub fn tasks(place: &Place) -> String {
    let mut random = Random::new(101);
    let mut lines = Vec::new();
    for i in 0..166 {
        let (theme, unit) = COUNTY_THEMES[i % COUNTY_THEMES.len()];
        let zone = &ZONES[(i * 5) % ZONES.len()];
        let at = somewhere(place, zone, &mut random);
        let title = format!("{theme}（{}片区）", TOWNS[zone.town].1);
        lines.push(task(("县级", "X", i + 1), &title, zone.town, None, unit, at, &mut random));
    }
    for i in 0..84 {
        let town = i % TOWNS.len();
        let (theme, unit) = TOWN_THEMES[(i / TOWNS.len() + town) % TOWN_THEMES.len()];
        let zone = ZONES.iter().find(|zone| zone.town == town && !zone.industrial).unwrap_or(&ZONES[0]);
        let at = somewhere(place, zone, &mut random);
        let title = format!("{}{theme}", TOWNS[town].1);
        lines.push(task(("镇级", "Z", i + 1), &title, town, None, unit, at, &mut random));
    }
    let settled: Vec<_> = place.villages.iter().filter(|village| village.town.is_some()).collect();
    for i in 0..116 {
        let village = settled[i * settled.len() / 116];
        let (theme, unit) = VILLAGE_THEMES[i % VILLAGE_THEMES.len()];
        let (town, at) = (village.town.unwrap_or(0), village.at.unwrap_or([0.0, 0.0]));
        let at = [at[0] + random.between(-60.0, 60.0), at[1] + random.between(-60.0, 60.0)];
        let short = village.name.trim_end_matches("居民委员会").trim_end_matches("委会");
        let title = format!("{short}{theme}");
        lines.push(task(("村级", "C", i + 1), &title, town, Some(&village.name), unit, at, &mut random));
    }
    collection("tasks", lines.into_iter())
}

/// A position in a zone, well inside its town and the county.
fn somewhere(place: &Place, zone: &Zone, random: &mut Random) -> Metre {
    let frame = Frame { origin: zone.centre, slope: zone.slope };
    let (u, v) = (zone.half[0] * 0.75, zone.half[1] * 0.75);
    loop {
        let at = frame.place(random.between(-u, u), random.between(-v, v));
        let [first, second] = place.nearest_seats(at);
        let inside = place.in_county(at) && place.border_distance(at) > 50.0;
        if first.0 == zone.town && second.1 - first.1 > 300.0 && inside {
            return at;
        }
    }
}

fn task(
    (level, letter, number): (&str, &str, usize),
    title: &str,
    town: usize,
    village: Option<&str>,
    unit: &str,
    at: Metre,
    random: &mut Random,
) -> String {
    let due = day(2023, 6, 30) + [0, 92, 184][random.below(3)];
    let done = random.chance(0.62).then(|| due + random.below(70) as i64 - 50);
    let done = done.filter(|at| *at <= day(2023, 12, 31));
    let properties: Value = json!({
        "code": format!("RW-2023-{letter}{number:03}"),
        "level": level,
        "title": title,
        "town": TOWNS[town].1,
        "village": village,
        "leader": "责任领导（示例）",
        "lead_unit": format!("牵头单位（示例）：{unit}"),
        "year": 2023,
        "due_on": text(due),
        "done_on": done.map(text),
        "note": Value::Null,
        "provenance": "synthetic",
    });
    point_line(Some(nano(at)), &properties)
}
