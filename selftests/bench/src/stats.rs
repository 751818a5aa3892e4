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

/// The value that `permille` thousandths of `values` do not exceed: nothing if there are
/// none.
pub fn quantile(values: &[f64], permille: usize) -> Option<f64> {
    let mut sorted = values.to_vec();

    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * permille).div_ceil(1000);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::quantile;
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

    #[test]
    fn quantile_is_a_value() {
        let values: Vec<f64> = (1..=1000).map(f64::from).collect();

        assert!(quantile(&[], 500).is_none());
        assert_eq!(quantile(&[7.0], 999), Some(7.0));
        assert_eq!(quantile(&values, 500), Some(500.0));
        assert_eq!(quantile(&values, 999), Some(999.0));
    }
}
