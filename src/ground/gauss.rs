//! The Gauss–Krüger projection on the CGCS2000 ellipsoid: exact in both directions, and the survey rule's
//! own inverse.
//!
//! [`GaussGrid::forward`] and [`GaussGrid::inverse`] are Krüger's series in the third flattening to order 6
//! (Engsager and Poder, ICC 2007; the same that PROJ computes): good to 1e-8 m where
//! [`GaussGrid::reaches`] says so. [`GaussGrid::rule_inverse`] is the shorter series that 国土调查办发〔2008〕32号
//! prescribes; it differs from the exact one by a constant 2.45e-6″ in latitude, which an official figure of
//! two decimals must reproduce. It is never used to move stored coordinates.

use geo::Coord;

/// Semi-major axis of CGCS2000 in metres.
pub const SEMI_MAJOR_M: f64 = 6_378_137.0;
/// Flattening of CGCS2000.
pub const FLATTENING: f64 = 1.0 / 298.257_222_101;
/// Seconds of arc in a radian, as the rule prints it.
pub const RULE_RHO: f64 = 206_264.806_247_1;
/// π as the rule prints it, to the last of its digits: not the constant of the language.
#[expect(clippy::approx_constant, reason = "the rule fixes the digits")]
const RULE_PI: f64 = 3.141_592_653_589_79;

/// Third flattening.
const N: f64 = FLATTENING / (2.0 - FLATTENING);
/// Rectifying radius: metres of meridian in a radian of rectifying latitude.
const RECTIFYING_M: f64 = SEMI_MAJOR_M / (1.0 + N) * (1.0 + N * N * (1.0 / 4.0 + N * N * (1.0 / 64.0 + N * N / 256.0)));

/// Geodetic to conformal latitude.
const TO_CONFORMAL: [f64; 6] = [
    poly(1, &[-2.0, 2.0 / 3.0, 4.0 / 3.0, -82.0 / 45.0, 32.0 / 45.0, 4642.0 / 4725.0]),
    poly(2, &[5.0 / 3.0, -16.0 / 15.0, -13.0 / 9.0, 904.0 / 315.0, -1522.0 / 945.0]),
    poly(3, &[-26.0 / 15.0, 34.0 / 21.0, 8.0 / 5.0, -12686.0 / 2835.0]),
    poly(4, &[1237.0 / 630.0, -12.0 / 5.0, -24832.0 / 14175.0]),
    poly(5, &[-734.0 / 315.0, 109_598.0 / 31185.0]),
    poly(6, &[444_337.0 / 155_925.0]),
];
/// Conformal to geodetic latitude.
const TO_GEODETIC: [f64; 6] = [
    poly(1, &[2.0, -2.0 / 3.0, -2.0, 116.0 / 45.0, 26.0 / 45.0, -2854.0 / 675.0]),
    poly(2, &[7.0 / 3.0, -8.0 / 5.0, -227.0 / 45.0, 2704.0 / 315.0, 2323.0 / 945.0]),
    poly(3, &[56.0 / 15.0, -136.0 / 35.0, -1262.0 / 105.0, 73814.0 / 2835.0]),
    poly(4, &[4279.0 / 630.0, -332.0 / 35.0, -399_572.0 / 14175.0]),
    poly(5, &[4174.0 / 315.0, -144_838.0 / 6237.0]),
    poly(6, &[601_676.0 / 22275.0]),
];
/// Spherical to ellipsoidal transverse Mercator.
const TO_PLANE: [f64; 6] = [
    poly(1, &[0.5, -2.0 / 3.0, 5.0 / 16.0, 41.0 / 180.0, -127.0 / 288.0, 7891.0 / 37800.0]),
    poly(2, &[13.0 / 48.0, -3.0 / 5.0, 557.0 / 1440.0, 281.0 / 630.0, -1_983_433.0 / 1_935_360.0]),
    poly(3, &[61.0 / 240.0, -103.0 / 140.0, 15061.0 / 26880.0, 167_603.0 / 181_440.0]),
    poly(4, &[49561.0 / 161_280.0, -179.0 / 168.0, 6_601_661.0 / 7_257_600.0]),
    poly(5, &[34729.0 / 80640.0, -3_418_889.0 / 1_995_840.0]),
    poly(6, &[212_378_941.0 / 319_334_400.0]),
];
/// Ellipsoidal to spherical transverse Mercator.
const TO_SPHERE: [f64; 6] = [
    poly(1, &[-0.5, 2.0 / 3.0, -37.0 / 96.0, 1.0 / 360.0, 81.0 / 512.0, -96199.0 / 604_800.0]),
    poly(2, &[-1.0 / 48.0, -1.0 / 15.0, 437.0 / 1440.0, -46.0 / 105.0, 1_118_711.0 / 3_870_720.0]),
    poly(3, &[-17.0 / 480.0, 37.0 / 840.0, 209.0 / 4480.0, -5569.0 / 90720.0]),
    poly(4, &[-4397.0 / 161_280.0, 11.0 / 504.0, 830_251.0 / 7_257_600.0]),
    poly(5, &[-4583.0 / 161_280.0, 108_847.0 / 3_991_680.0]),
    poly(6, &[-20_648_693.0 / 638_668_800.0]),
];

/// `n^first * (terms[0] + terms[1] n + …)`.
const fn poly(first: usize, terms: &[f64]) -> f64 {
    let mut sum = 0.0;
    let mut i = terms.len();
    while i > 0 {
        i -= 1;
        sum = sum * N + terms[i];
    }
    let mut power = 0;
    while power < first {
        sum *= N;
        power += 1;
    }
    sum
}

/// A Gauss–Krüger grid on CGCS2000: scale 1 on its meridian, northing 0 at the equator, metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaussGrid {
    /// Central meridian, degrees east.
    pub meridian: f64,
    /// Easting of the central meridian in metres, with the zone's number in front where the grid has it.
    pub false_easting: f64,
}

impl GaussGrid {
    /// Whether a longitude is near enough to the central meridian (10°) for the series to be exact.
    #[must_use]
    pub fn reaches(&self, longitude: f64) -> bool {
        (longitude - self.meridian).abs() <= 10.0
    }

    /// Whether plane coordinates come from a longitude that [`Self::reaches`] and from the Earth.
    ///
    /// 10° of longitude are 1,120 km on the equator and fewer elsewhere; the box is a little smaller.
    #[must_use]
    pub fn reaches_plane(&self, at: Coord) -> bool {
        (at.x - self.false_easting).abs() <= 500_000.0 && at.y.abs() <= 7_500_000.0
    }

    /// Longitude and latitude in degrees to easting (`x`) and northing (`y`) in metres.
    #[must_use]
    pub fn forward(&self, at: Coord) -> Coord {
        let plane = self.forward_from_meridian(at);
        Coord { x: plane.x + self.false_easting, y: plane.y }
    }

    /// As [`Self::forward`], with eastings counted from the central meridian.
    #[must_use]
    pub fn forward_from_meridian(&self, at: Coord) -> Coord {
        let latitude = at.y.to_radians();
        let (sin, cos) = latitude.sin_cos();
        let less = sine_series(&TO_CONFORMAL, 2.0 * sin * cos, (cos + sin) * (cos - sin));
        // The conformal latitude differs by 0.0034 at most, so its sine and cosine need no new functions.
        let l2 = less * less;
        let (sin_less, cos_less) = (less * (1.0 - l2 / 6.0 * (1.0 - l2 / 20.0)), 1.0 - l2 / 2.0 * (1.0 - l2 / 12.0));
        let (sin_lat, cos_lat) = (sin * cos_less + cos * sin_less, cos * cos_less - sin * sin_less);
        let (sin_lon, cos_lon) = (at.x - self.meridian).to_radians().sin_cos();
        let across = cos_lat * cos_lon;
        let inverse_norm = 1.0 / (sin_lat * sin_lat + across * across).sqrt();
        let sinh_east = sin_lon * cos_lat * inverse_norm;
        let (north, east) = (sin_lat.atan2(across), inverse_sinh(sinh_east));
        // Double angles without further trigonometry: cosh(east) = inverse_norm, sinh(east) as above.
        let square = inverse_norm * inverse_norm;
        let circular = (2.0 * sin_lat * across * square, 2.0 * across * across * square - 1.0);
        let hyperbolic = (2.0 * sinh_east * inverse_norm, 2.0 * square - 1.0);
        let (d_north, d_east) = complex_sine_series(&TO_PLANE, circular, hyperbolic);
        Coord { x: (east + d_east) * RECTIFYING_M, y: (north + d_north) * RECTIFYING_M }
    }

    /// Easting (`x`) and northing (`y`) in metres to longitude and latitude in degrees.
    #[must_use]
    pub fn inverse(&self, at: Coord) -> Coord {
        self.inverse_from_meridian(Coord { x: at.x - self.false_easting, y: at.y })
    }

    /// As [`Self::inverse`], with eastings counted from the central meridian.
    #[must_use]
    pub fn inverse_from_meridian(&self, at: Coord) -> Coord {
        let (north, east) = (at.y / RECTIFYING_M, at.x / RECTIFYING_M);
        let (sin, cos) = (2.0 * north).sin_cos();
        let grown = (2.0 * east).exp();
        let hyperbolic = (0.5 * grown - 0.5 / grown, 0.5 * grown + 0.5 / grown);
        let (d_north, d_east) = complex_sine_series(&TO_SPHERE, (sin, cos), hyperbolic);
        let (sin_north, cos_north) = (north + d_north).sin_cos();
        let sinh_east = (east + d_east).sinh();
        let longitude = sinh_east.atan2(cos_north);
        let conformal = sin_north.atan2((sinh_east * sinh_east + cos_north * cos_north).sqrt());
        let (sin, cos) = conformal.sin_cos();
        let latitude = conformal + sine_series(&TO_GEODETIC, 2.0 * sin * cos, (cos + sin) * (cos - sin));
        Coord { x: self.meridian + longitude.to_degrees(), y: latitude.to_degrees() }
    }

    /// The survey rule's inverse: easting counted from the central meridian and northing, in metres, to
    /// (latitude, longitude) in seconds of arc.
    ///
    /// # Source
    /// 国土调查办发〔2008〕32号, with the constants for CGCS2000.
    #[must_use]
    pub fn rule_inverse(&self, from_meridian: Coord) -> (f64, f64) {
        const SECOND_ECCENTRICITY_SQUARED: f64 = 6.739_496_775_48e-3;
        const POLAR_RADIUS_M: f64 = 6_399_593.625_86;
        const K0: f64 = 1.570_487_611_441_59e-7;
        const K1: f64 = 5.052_501_788_205_67e-3;
        const K2: f64 = 2.984_729_009_565_87e-5;
        const K3: f64 = 2.416_266_692_300_84e-7;
        const K4: f64 = 2.222_412_389_385_34e-9;
        let e = K0 * from_meridian.y;
        let (sin, cos) = e.sin_cos();
        let s2 = sin * sin;
        let foot = e + cos * sin * (K1 - s2 * (K2 - s2 * (K3 - s2 * K4)));
        let (sin, cos) = foot.sin_cos();
        let t = sin / cos;
        let (t2, n2) = (t * t, SECOND_ECCENTRICITY_SQUARED * cos * cos);
        let v2 = 1.0 + n2;
        let y = from_meridian.x * v2.sqrt() / POLAR_RADIUS_M;
        let (y2, v2t) = (y * y, v2 * t);
        let latitude = foot - 0.5 * v2t * y2 + (5.0 + 3.0 * t2 + n2 - 9.0 * n2 * t2) * v2t * y2 * y2 / 24.0
            - (61.0 + 90.0 * t2 + 45.0 * t2 * t2) * v2t * y2 * y2 * y2 / 720.0;
        let longitude = (y - (1.0 + 2.0 * t2 + n2) * y * y2 / 6.0
            + (5.0 + 28.0 * t2 + 24.0 * t2 * t2 + 6.0 * n2 + 8.0 * n2 * t2) * y * y2 * y2 / 120.0)
            / cos
            + self.meridian * RULE_PI / 180.0;
        (latitude * RULE_RHO, longitude * RULE_RHO)
    }
}

/// As the standard library's, which is slower by a square root and a division.
fn inverse_sinh(x: f64) -> f64 {
    let size = x.abs();
    (size + size * size / (1.0 + (1.0 + size * size).sqrt())).ln_1p().copysign(x)
}

/// `Σ c[j] sin(2(j+1)x)` from sin 2x and cos 2x (Clenshaw).
fn sine_series(c: &[f64; 6], sin2: f64, cos2: f64) -> f64 {
    let double = 2.0 * cos2;
    let (mut a, mut b) = (0.0, 0.0);
    for &term in c.iter().rev() {
        (a, b) = (double * a + term - b, a);
    }
    a * sin2
}

/// `Σ c[j] sin(2(j+1)z)` for complex z = x + iy, from (sin 2x, cos 2x) and (sinh 2y, cosh 2y): (real, imaginary).
fn complex_sine_series(c: &[f64; 6], (sin, cos): (f64, f64), (sinh, cosh): (f64, f64)) -> (f64, f64) {
    let (re, im) = (2.0 * cos * cosh, -2.0 * sin * sinh);
    let (mut a, mut b) = ((0.0, 0.0), (0.0, 0.0));
    for &term in c.iter().rev() {
        let next = (re * a.0 - im * a.1 - b.0 + term, im * a.0 + re * a.1 - b.1);
        (a, b) = (next, a);
    }
    let (sin_re, sin_im) = (sin * cosh, cos * sinh);
    (sin_re * a.0 - sin_im * a.1, sin_im * a.0 + sin_re * a.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CM114: GaussGrid = GaussGrid { meridian: 114.0, false_easting: 500_000.0 };

    #[test]
    fn the_published_point_of_heshan_comes_out_both_ways() {
        let plane = CM114.forward(Coord { x: 112.96, y: 22.77 });
        assert!((plane.x - 393_192.634_013_277_94).abs() < 1e-8, "{plane:?}");
        assert!((plane.y - 2_519_442.024_753_304).abs() < 2e-8, "{plane:?}");
        let back = CM114.inverse(plane);
        assert!((back.x - 112.96).abs() < 1e-13 && (back.y - 22.77).abs() < 1e-13, "{back:?}");
    }

    #[test]
    fn inverse_undoes_forward_everywhere_within_reach() {
        for (i, j) in (-20..=20).flat_map(|i| (-16..=16).map(move |j| (i, j))) {
            let at = Coord { x: 114.0 + f64::from(i) * 0.5, y: f64::from(j) * 5.0 };
            let back = CM114.inverse(CM114.forward(at));
            assert!((back.x - at.x).abs() < 1e-12 && (back.y - at.y).abs() < 1e-13, "{at:?} came back as {back:?}");
        }
    }

    #[test]
    fn the_rule_differs_from_the_exact_inverse_by_its_known_constant() {
        let plane = CM114.forward_from_meridian(Coord { x: 112.96, y: 22.77 });
        let (latitude, longitude) = CM114.rule_inverse(plane);
        assert!((latitude - 22.77 * 3600.0 + 2.45e-6).abs() < 0.1e-6, "{}", latitude - 22.77 * 3600.0);
        assert!((longitude - 112.96 * 3600.0).abs() < 1e-6, "{}", longitude - 112.96 * 3600.0);
    }
}
