//! Where the demo puts things: hand-placed centres in the towns that the founding documents name. Synthetic.
//!
//! Positions are metres in the generator's plane (`plane.rs`). Nothing here is surveyed or published.

use super::plane::Metre;

/// The towns: code, name, share of the low-efficiency land (synthetic), in the order of their codes.
pub const TOWNS: [(&str, &str, f64); 10] = [
    ("440784001", "沙坪街道", 0.07),
    ("440784101", "龙口镇", 0.09),
    ("440784102", "雅瑶镇", 0.13),
    ("440784103", "古劳镇", 0.06),
    ("440784104", "桃源镇", 0.08),
    ("440784105", "鹤城镇", 0.15),
    ("440784106", "共和镇", 0.22),
    ("440784107", "址山镇", 0.16),
    ("440784108", "宅梧镇", 0.03),
    ("440784112", "双合镇", 0.01),
];

pub const SHAPING: usize = 0;
pub const LONGKOU: usize = 1;
pub const YAYAO: usize = 2;
pub const GULAO: usize = 3;
pub const TAOYUAN: usize = 4;
pub const HECHENG: usize = 5;
pub const GONGHE: usize = 6;
pub const ZHISHAN: usize = 7;
pub const ZHAIWU: usize = 8;
pub const SHUANGHE: usize = 9;

/// 双合镇 has no published coordinate among our sources: this seat is assumed, for the approximate division only.
pub const ASSUMED_SHUANGHE: [i64; 2] = [112_532_000_000, 22_628_000_000];

/// A built-up area of rectangular blocks.
pub struct Zone {
    pub town: usize,
    pub centre: Metre,
    pub half: [f64; 2],
    pub slope: f64,
    pub industrial: bool,
    /// The fact of the park that it lies in, or an empty text.
    pub park: &'static str,
}

const fn zone(town: usize, centre: Metre, half: [f64; 2], slope: f64, park: &'static str) -> Zone {
    Zone { town, centre, half, slope, industrial: true, park }
}

const fn seat(town: usize, centre: Metre, half: [f64; 2], slope: f64) -> Zone {
    Zone { town, centre, half, slope, industrial: false, park: "" }
}

pub const ZONES: [Zone; 29] = [
    zone(GONGHE, [12_600.0, -8_000.0], [1_650.0, 1_150.0], 0.12, "P01"),
    zone(ZHISHAN, [-3_300.0, -18_300.0], [1_700.0, 1_200.0], -0.08, "P01"),
    zone(HECHENG, [4_800.0, 200.0], [1_700.0, 1_150.0], 0.22, "P01"),
    zone(TAOYUAN, [9_200.0, 4_700.0], [1_100.0, 900.0], -0.15, "P01"),
    zone(LONGKOU, [8_200.0, 11_000.0], [1_100.0, 850.0], 0.05, "P01"),
    zone(GONGHE, [4_300.0, -9_500.0], [1_700.0, 950.0], -0.18, "P07"),
    zone(HECHENG, [-900.0, -4_600.0], [1_150.0, 830.0], 0.3, "P07"),
    zone(ZHISHAN, [-2_700.0, -12_600.0], [1_050.0, 850.0], 0.1, "P10"),
    zone(GONGHE, [8_300.0, -5_300.0], [1_250.0, 900.0], 0.05, "P11"),
    zone(YAYAO, [17_700.0, 5_400.0], [950.0, 750.0], -0.25, "P12"),
    zone(HECHENG, [-2_600.0, -900.0], [900.0, 700.0], -0.1, "P13"),
    zone(YAYAO, [20_300.0, 8_300.0], [1_000.0, 850.0], 0.2, "P14"),
    zone(SHAPING, [15_000.0, 8_900.0], [1_100.0, 800.0], 0.08, ""),
    zone(GULAO, [11_000.0, 17_800.0], [1_000.0, 700.0], -0.3, ""),
    zone(ZHAIWU, [-15_000.0, -6_000.0], [750.0, 500.0], -0.12, ""),
    zone(SHUANGHE, [-26_000.0, -5_400.0], [600.0, 450.0], 0.15, ""),
    zone(LONGKOU, [8_100.0, 14_600.0], [900.0, 700.0], 0.18, ""),
    zone(TAOYUAN, [13_700.0, 4_500.0], [900.0, 700.0], 0.1, ""),
    zone(HECHENG, [400.0, 1_500.0], [900.0, 600.0], 0.0, ""),
    seat(SHAPING, [16_214.0, 12_202.0], [1_900.0, 1_400.0], 0.1),
    seat(LONGKOU, [11_005.0, 12_653.0], [600.0, 500.0], 0.0),
    seat(YAYAO, [21_174.0, 5_673.0], [750.0, 600.0], 0.2),
    seat(GULAO, [13_732.0, 19_395.0], [650.0, 500.0], -0.4),
    seat(TAOYUAN, [11_618.0, 7_075.0], [700.0, 500.0], 0.1),
    seat(HECHENG, [1_566.0, -2_230.0], [850.0, 600.0], 0.15),
    seat(GONGHE, [7_951.0, -8_706.0], [850.0, 700.0], 0.0),
    seat(ZHISHAN, [-1_930.0, -15_600.0], [700.0, 500.0], -0.1),
    seat(ZHAIWU, [-17_613.0, -4_700.0], [700.0, 450.0], 0.05),
    seat(SHUANGHE, [-27_544.0, -3_544.0], [450.0, 350.0], 0.0),
];

/// A river or a road: its course, half its width, its use code.
pub struct Course {
    pub path: &'static [Metre],
    pub half_width: f64,
    pub use_code: &'static str,
}

pub const COURSES: [Course; 6] = [
    Course {
        path: &[
            [10_500.0, 21_680.0],
            [12_189.0, 22_052.0],
            [16_180.0, 18_997.0],
            [18_335.0, 15_925.0],
            [22_903.0, 16_087.0],
            [25_083.0, 16_667.0],
        ],
        half_width: 420.0,
        use_code: "1701",
    },
    Course {
        path: &[
            [2_500.0, 7_700.0],
            [4_200.0, 8_100.0],
            [6_500.0, 7_900.0],
            [9_000.0, 8_600.0],
            [10_900.0, 8_700.0],
            [12_500.0, 9_200.0],
            [13_400.0, 10_250.0],
            [15_200.0, 10_300.0],
            [17_700.0, 10_350.0],
            [19_600.0, 11_500.0],
            [21_300.0, 12_600.0],
            [22_300.0, 14_400.0],
            [22_900.0, 15_700.0],
        ],
        half_width: 50.0,
        use_code: "1701",
    },
    Course {
        path: &[
            [-31_200.0, -1_500.0],
            [-29_000.0, -2_100.0],
            [-26_500.0, -1_700.0],
            [-23_800.0, -2_700.0],
            [-21_000.0, -2_300.0],
            [-18_000.0, -2_700.0],
            [-15_400.0, -3_000.0],
            [-13_600.0, -4_700.0],
            [-13_300.0, -6_400.0],
            [-12_400.0, -8_200.0],
        ],
        half_width: 40.0,
        use_code: "1701",
    },
    Course {
        path: &[
            [22_600.0, 11_000.0],
            [18_700.0, 9_000.0],
            [16_300.0, 6_700.0],
            [15_500.0, 3_300.0],
            [11_500.0, 1_700.0],
            [7_300.0, -1_700.0],
            [3_000.0, -4_400.0],
            [600.0, -6_400.0],
            [-2_500.0, -9_300.0],
            [-4_700.0, -11_300.0],
            [-5_900.0, -14_600.0],
        ],
        half_width: 32.0,
        use_code: "1202",
    },
    Course {
        path: &[
            [13_000.0, 10_000.0],
            [12_800.0, 8_600.0],
            [10_600.0, 6_300.0],
            [10_900.0, 3_300.0],
            [7_700.0, 2_100.0],
            [2_700.0, 1_100.0],
            [2_300.0, -1_000.0],
            [-700.0, -2_000.0],
            [-4_500.0, -2_300.0],
            [-9_000.0, -2_700.0],
            [-13_000.0, -3_600.0],
            [-16_500.0, -3_750.0],
            [-19_500.0, -3_750.0],
            [-23_000.0, -4_400.0],
            [-25_000.0, -4_400.0],
            [-27_300.0, -4_450.0],
            [-30_000.0, -4_000.0],
        ],
        half_width: 24.0,
        use_code: "1202",
    },
    Course {
        path: &[
            [17_500.0, -7_200.0],
            [15_000.0, -6_450.0],
            [10_300.0, -6_700.0],
            [6_800.0, -7_200.0],
            [2_200.0, -7_700.0],
            [-300.0, -11_000.0],
            [-900.0, -13_200.0],
            [-1_600.0, -14_700.0],
        ],
        half_width: 24.0,
        use_code: "1202",
    },
];

/// Hills: centre and radius.
pub const HILLS: [(Metre, f64); 8] = [
    ([-8_000.0, 500.0], 6_000.0),
    ([4_300.0, 15_000.0], 4_500.0),
    ([-22_500.0, -7_500.0], 3_600.0),
    ([-29_500.0, 3_500.0], 4_500.0),
    ([13_800.0, -1_500.0], 2_600.0),
    ([-4_500.0, 5_000.0], 4_000.0),
    ([-7_500.0, -8_000.0], 3_500.0),
    ([4_200.0, 5_600.0], 2_800.0),
];

/// Reservoirs: centre and radius.
pub const RESERVOIRS: [(Metre, f64); 6] = [
    ([-6_700.0, 1_800.0], 620.0),
    ([5_600.0, 16_600.0], 480.0),
    ([-20_600.0, -8_200.0], 520.0),
    ([-28_200.0, 1_600.0], 560.0),
    ([11_300.0, -1_900.0], 430.0),
    ([4_900.0, 6_900.0], 500.0),
];
