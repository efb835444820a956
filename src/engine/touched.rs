//! Where an edit has changed something: few boxes, however many features it changed.

use crate::ground::shape::Bounds;

use super::order::numbers_along_curve;

/// An edit's boxes are joined, neighbours with neighbours, until there are so few.
const MOST_BOXES: usize = 64;

/// The places that an edit touched, in degrees.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Touched {
    boxes: Vec<Bounds>,
}

impl Touched {
    /// The places of features, as they were and as they became.
    #[must_use]
    pub fn of(boxes: Vec<Bounds>) -> Self {
        if boxes.len() <= MOST_BOXES {
            return Self { boxes };
        }
        let ordered: Vec<Bounds> = numbers_along_curve(&boxes).iter().map(|at| boxes[*at as usize]).collect();
        let together = |near: &[Bounds]| near.iter().copied().reduce(Bounds::union);
        Self { boxes: ordered.chunks(ordered.len().div_ceil(MOST_BOXES)).filter_map(together).collect() }
    }

    /// Whether one of the places shares a point with a box or lies beside it, nearer than twice its own longer side: what
    /// looks for features by their middles and sizes may have come across it. True may be said where none does.
    #[must_use]
    pub fn reaches(&self, bounds: &Bounds) -> bool {
        self.boxes.iter().any(|touched| {
            let side = (touched.max.x - touched.min.x).max(touched.max.y - touched.min.y);
            touched.widened(2.0 * side).intersects(bounds)
        })
    }
}

#[cfg(test)]
mod tests {
    use geo::Coord;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_place_is_in_a_box_and_boxes_are_few(
            places in prop::collection::vec((-180.0..180.0_f64, -90.0..90.0_f64, 0.0..0.1_f64), 0..300),
        ) {
            let boxes: Vec<Bounds> = places
                .iter()
                .map(|(x, y, side)| Bounds::of_corners(Coord { x: *x, y: *y }, Coord { x: x + side, y: y + side }))
                .collect();
            let touched = Touched::of(boxes.clone());
            prop_assert!(touched.boxes.len() <= MOST_BOXES);
            prop_assert!(boxes.iter().all(|held| touched.boxes.iter().any(|around| around.contains(held))));
        }
    }
}
