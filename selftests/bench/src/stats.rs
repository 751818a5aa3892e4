// SPDX-License-Identifier: GPL-2.0-only

//! Medians and spreads of a few rounds.

/// The middle of some values, and how far they go.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// The middle value, or the mean of both.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Summary {
    /// What `values` amount to: nothing if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();

        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { median, min, max })
    }

    /// The ratio of `values` to `base`, round by round: what changes over time is in both.
    pub fn of_ratio(values: &[f64], base: &[f64]) -> Option<Self> {
        let ratios: Vec<f64> = values
            .iter()
            .zip(base)
            .filter(|(_, base)| **base != 0.0)
            .map(|(value, base)| value / base)
            .collect();

        Self::of(&ratios)
    }
}

#[cfg(test)]
mod tests {
    use super::Summary;

    #[test]
    fn median_of_odd_and_even() {
        assert!(Summary::of(&[]).is_none());
        assert_eq!(Summary::of(&[3.0, 1.0, 2.0]).unwrap().median, 2.0);
        assert_eq!(Summary::of(&[4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
    }

    #[test]
    fn ratio_is_by_round() {
        let ratio = Summary::of_ratio(&[1.0, 4.0], &[2.0, 4.0]).unwrap();

        assert_eq!((ratio.min, ratio.max), (0.5, 1.0));
    }
}
