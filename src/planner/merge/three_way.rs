//! The merge of three states of one feature. The geometry is one field among the others.

use crate::domain::feature::Feature;

/// Which side wins where both changed a field in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// Neither: nothing is written.
    #[default]
    Stop,
    /// What the workspace holds.
    Ours,
    /// What the file holds.
    Theirs,
}

/// Where both sides changed a feature in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deviation {
    /// One side deleted it, the other changed it; or both made it anew, differently.
    Whole,
    /// The geometry.
    Geometry,
    /// A column, by its place in the schema.
    Column(usize),
}

/// Merges three states of a feature. Where both sides deviate, `theirs_wins` decides.
#[must_use]
pub fn three_way(
    base: Option<&Feature>,
    ours: Option<&Feature>,
    theirs: Option<&Feature>,
    theirs_wins: bool,
) -> (Option<Feature>, Vec<Deviation>) {
    if theirs == base || ours == theirs {
        return (ours.cloned(), Vec::new());
    }
    if ours == base {
        return (theirs.cloned(), Vec::new());
    }
    let (Some(base), Some(ours), Some(theirs)) = (base, ours, theirs) else {
        let winner = if theirs_wins { theirs } else { ours };
        return (winner.cloned(), vec![Deviation::Whole]);
    };
    let mut deviations = Vec::new();
    let mut merged = ours.clone();
    let mut field = |place: Deviation, same: [bool; 3]| {
        // Theirs is the base's; both are the same; ours is the base's.
        match same {
            [true, ..] | [_, true, _] => false,
            [_, _, true] => true,
            _ => {
                deviations.push(place);
                theirs_wins
            }
        }
    };
    let shapes = [theirs.shape == base.shape, theirs.shape == ours.shape, ours.shape == base.shape];
    if field(Deviation::Geometry, shapes) {
        merged.shape.clone_from(&theirs.shape);
    }
    for place in 0..merged.values.len() {
        let [b, o, t] = [base, ours, theirs].map(|feature| feature.values.get(place));
        if field(Deviation::Column(place), [t == b, t == o, o == b])
            && let Some(value) = t
        {
            merged.values[place] = value.clone();
        }
    }
    (Some(merged), deviations)
}
