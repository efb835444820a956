//! Areas as the trade counts them: a figure in hundredths of a square metre together with its basis.
//!
//! Invariant: an [`Area`] is an integer, so sums are exact and do not depend on order. Every unit the
//! product prints (m², 公顷, 亩, km²) is an exact decimal multiple of 0.01 m², so conversion is exact and
//! rounding happens once, at output, half away from zero (四舍五入) on the decimal value.
//!
//! Source: 1 亩 = 2000/3 m², 1 公顷 = 15 亩 exactly (国务院《关于在我国统一实行法定计量单位的命令》, 1984).

use std::{fmt, str::FromStr};

use rust_decimal::{Decimal, RoundingStrategy};

/// How an area was measured. Areas of different basis are never added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// 椭球面积: the survey rule of 国土调查办发〔2008〕32号 on the CGCS2000 ellipsoid.
    Ellipsoidal,
    /// 平面面积: the shoelace formula in the layer's survey grid.
    Planar,
}

impl Basis {
    /// The word used in requests and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ellipsoidal => "ellipsoidal",
            Self::Planar => "planar",
        }
    }
}

impl FromStr for Basis {
    type Err = UnitError;

    fn from_str(word: &str) -> Result<Self, UnitError> {
        match word {
            "ellipsoidal" => Ok(Self::Ellipsoidal),
            "planar" => Ok(Self::Planar),
            _ => Err(UnitError::UnknownBasis { given: word.to_owned() }),
        }
    }
}

/// A unit of area that the product prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AreaUnit {
    /// Square metre, 平方米.
    M2,
    /// Hectare, 公顷: 10,000 m².
    Ha,
    /// 亩: 2000/3 m².
    Mu,
    /// Square kilometre, 平方公里: 1,000,000 m².
    Km2,
}

impl AreaUnit {
    /// The word used in requests and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::M2 => "m2",
            Self::Ha => "ha",
            Self::Mu => "mu",
            Self::Km2 => "km2",
        }
    }

    /// The number of decimals printed where the reader does not ask for another.
    #[must_use]
    pub const fn usual_decimals(self) -> u32 {
        match self {
            Self::M2 | Self::Mu | Self::Km2 => 2,
            Self::Ha => 4,
        }
    }

    /// The exact value of 0.01 m² in this unit.
    fn hundredth_m2(self) -> Decimal {
        match self {
            Self::M2 => Decimal::new(1, 2),
            Self::Ha => Decimal::new(1, 6),
            Self::Mu => Decimal::new(15, 6),
            Self::Km2 => Decimal::new(1, 8),
        }
    }
}

impl FromStr for AreaUnit {
    type Err = UnitError;

    fn from_str(word: &str) -> Result<Self, UnitError> {
        match word {
            "m2" => Ok(Self::M2),
            "ha" => Ok(Self::Ha),
            "mu" => Ok(Self::Mu),
            "km2" => Ok(Self::Km2),
            _ => Err(UnitError::UnknownUnit { given: word.to_owned() }),
        }
    }
}

/// What can be wrong with a unit, a basis or a figure of area.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UnitError {
    /// The word names no unit of area.
    #[error("unknown area unit {given:?}: use m2, ha, mu or km2")]
    UnknownUnit {
        /// The word as given.
        given: String,
    },
    /// The word names no basis.
    #[error("unknown area basis {given:?}: use ellipsoidal or planar")]
    UnknownBasis {
        /// The word as given.
        given: String,
    },
    /// The figure is not a finite number, or larger than any land.
    #[error("area of {given} m² is not a finite figure below 9e16 m²")]
    NotAFigure {
        /// The figure as given.
        given: f64,
    },
    /// Two areas of different basis would have been mixed.
    #[error("an ellipsoidal and a planar area cannot be added or compared")]
    MixedBasis,
    /// A sum left the range of the type.
    #[error("area sum overflows")]
    Overflow,
}

/// An area with its basis.
///
/// # Units
/// Stored in hundredths of a square metre; see the module's head for why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Area {
    basis: Basis,
    hundredths_m2: i64,
}

impl Area {
    /// No area, on a basis.
    #[must_use]
    pub const fn zero(basis: Basis) -> Self {
        Self { basis, hundredths_m2: 0 }
    }

    /// An area of a whole number of hundredths of a square metre.
    #[must_use]
    pub const fn from_hundredths_m2(basis: Basis, hundredths_m2: i64) -> Self {
        Self { basis, hundredths_m2 }
    }

    /// A measured area, rounded to 0.01 m² half away from zero on its decimal value.
    ///
    /// # Errors
    /// [`UnitError::NotAFigure`] where `m2` is not finite or does not fit.
    pub fn from_m2(basis: Basis, m2: f64) -> Result<Self, UnitError> {
        Ok(Self { basis, hundredths_m2: hundredths_of(m2)? })
    }

    /// How the area was measured.
    #[must_use]
    pub const fn basis(self) -> Basis {
        self.basis
    }

    /// The area in hundredths of a square metre.
    #[must_use]
    pub const fn hundredths_m2(self) -> i64 {
        self.hundredths_m2
    }

    /// The sum of two areas of one basis.
    ///
    /// # Errors
    /// [`UnitError::MixedBasis`] or [`UnitError::Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, UnitError> {
        if self.basis != other.basis {
            return Err(UnitError::MixedBasis);
        }
        let hundredths_m2 = self.hundredths_m2.checked_add(other.hundredths_m2).ok_or(UnitError::Overflow)?;
        Ok(Self { hundredths_m2, ..self })
    }

    /// The exact value in a unit, unrounded.
    #[must_use]
    pub fn exact(self, unit: AreaUnit) -> Decimal {
        Decimal::from(self.hundredths_m2) * unit.hundredth_m2()
    }

    /// The value in a unit, rounded once to `decimals` places, half away from zero.
    #[must_use]
    pub fn rounded(self, unit: AreaUnit, decimals: u32) -> Decimal {
        let mut value = self.exact(unit).round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
        value.rescale(decimals);
        value
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} m² ({})", self.rounded(AreaUnit::M2, 2), self.basis.as_str())
    }
}

/// Square metres to hundredths, half away from zero on the decimal value of the figure.
fn hundredths_of(m2: f64) -> Result<i64, UnitError> {
    let scaled = m2 * 100.0;
    if scaled.is_nan() || scaled.abs() >= 9e18 {
        return Err(UnitError::NotAFigure { given: m2 });
    }
    let distance_from_tie = (scaled.abs().fract() - 0.5).abs();
    if distance_from_tie > 1e-3 || scaled.abs() > 1e15 {
        // Far from a tie the product's own rounding error cannot change the outcome.
        return Ok(scaled.round() as i64);
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(m2);
    let decimal = Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text));
    let decimal = decimal.map_err(|_error| UnitError::NotAFigure { given: m2 })?;
    let rounded = (decimal * Decimal::ONE_HUNDRED).round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    i64::try_from(rounded).map_err(|_error| UnitError::NotAFigure { given: m2 })
}

/// Prints `parts` with `decimals` places so that the printed parts sum to the printed total (平差).
///
/// Every part is first rounded toward zero; the units of the last place that are then missing from the
/// rounded total go one by one to the parts with the largest remainder, ties to the earlier part. No part
/// moves by more than one unit of its last place from its exact value. Returns the parts and the total.
///
/// # Errors
/// [`UnitError::MixedBasis`] or [`UnitError::Overflow`] from the sum.
pub fn printed_to_sum(
    parts: &[Area],
    basis: Basis,
    unit: AreaUnit,
    decimals: u32,
) -> Result<(Vec<Decimal>, Decimal), UnitError> {
    let mut sum = Area::zero(basis);
    for part in parts {
        sum = sum.plus(*part)?;
    }
    let total = sum.rounded(unit, decimals);
    let mut printed = Vec::with_capacity(parts.len());
    let mut remainders = Vec::with_capacity(parts.len());
    for part in parts {
        let exact = part.exact(unit);
        let mut low = exact.round_dp_with_strategy(decimals, RoundingStrategy::ToNegativeInfinity);
        low.rescale(decimals);
        remainders.push(exact - low);
        printed.push(low);
    }
    let unit_of_last_place = Decimal::new(1, decimals);
    let missing = (total - printed.iter().sum::<Decimal>()) / unit_of_last_place;
    let missing = usize::try_from(missing.round()).unwrap_or(0);
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|a, b| remainders[*b].cmp(&remainders[*a]).then(a.cmp(b)));
    for index in order.into_iter().take(missing) {
        printed[index] += unit_of_last_place;
    }
    Ok((printed, total))
}

/// Serialises a decimal as a JSON number (for `serialize_with`).
///
/// # Errors
/// The serialiser's.
pub fn json_number<S: serde::Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    // The nearest double prints back the decimal's own digits up to the fifteenth.
    serializer.serialize_f64(value.to_string().parse().map_err(serde::ser::Error::custom)?)
}

/// Serialises a decimal as a JSON number, or null (for `serialize_with`).
///
/// # Errors
/// The serialiser's.
pub fn json_number_or_null<S: serde::Serializer>(value: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => json_number(value, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(m2: f64) -> Area {
        Area::from_m2(Basis::Planar, m2).unwrap()
    }

    #[test]
    fn twenty_thousand_mu_is_the_area_of_the_founding_document() {
        let target = area(13_333_333.33);
        assert_eq!(target.rounded(AreaUnit::Mu, 2).to_string(), "20000.00");
        assert_eq!(target.rounded(AreaUnit::Ha, 2).to_string(), "1333.33");
        assert_eq!(target.rounded(AreaUnit::Km2, 2).to_string(), "13.33");
    }

    #[test]
    fn a_hectare_is_fifteen_mu_exactly() {
        assert_eq!(area(10_000.0).exact(AreaUnit::Mu), Decimal::from(15));
        assert_eq!(area(833_333.0).rounded(AreaUnit::Mu, 4).to_string(), "1249.9995");
    }

    #[test]
    fn rounding_is_half_away_from_zero_on_the_decimal_value() {
        assert_eq!(area(1.005).hundredths_m2(), 101); // 1.005 is below the tie in binary
        assert_eq!(area(-1.005).hundredths_m2(), -101);
        assert_eq!(area(2.675).hundredths_m2(), 268);
        assert_eq!(area(0.004_999_999_999_999).hundredths_m2(), 0);
    }

    #[test]
    fn a_figure_that_is_no_area_is_an_error() {
        assert!(Area::from_m2(Basis::Planar, f64::NAN).is_err());
        assert!(Area::from_m2(Basis::Planar, f64::INFINITY).is_err());
        assert!(Area::from_m2(Basis::Planar, 1e300).is_err());
    }

    #[test]
    fn areas_of_different_basis_are_not_added() {
        assert_eq!(area(1.0).plus(Area::zero(Basis::Ellipsoidal)), Err(UnitError::MixedBasis));
    }

    #[test]
    fn printed_parts_sum_to_the_printed_total() {
        let parts = [area(333.33), area(333.33), area(333.34)];
        let (printed, total) = printed_to_sum(&parts, Basis::Planar, AreaUnit::Mu, 2).unwrap();
        assert_eq!(total.to_string(), "1.50");
        assert_eq!(printed.iter().sum::<Decimal>(), total);
    }
}
