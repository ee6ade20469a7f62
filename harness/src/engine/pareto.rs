//! Recall against time: which points count, and the time at a recall between two of them.

/// A setting of a contestant: what it finds, and the time of a query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Share of the true neighbours, 0 to 1.
    pub recall: f64,
    /// Nanoseconds of CPU for a query.
    pub ns: f64,
}

/// Places of the points that no other beats: from fast to slow, each with more recall than the one
/// before.
#[must_use]
pub fn front(points: &[Point]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).filter(|i| points[*i].ns.is_finite()).collect();
    // Of two equally fast, the one that finds more comes first.
    order.sort_by(|&a, &b| {
        points[a].ns.total_cmp(&points[b].ns).then(points[b].recall.total_cmp(&points[a].recall))
    });
    let mut best = f64::NEG_INFINITY;
    order.retain(|&i| {
        let more = points[i].recall > best;
        best = best.max(points[i].recall);
        more
    });
    order
}

/// Where a recall lies on a front.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reach {
    /// Between two points: `share` of the way from `below` to `above`, places of the whole list.
    Between {
        /// The faster point, with less recall.
        below: usize,
        /// The slower point, with at least the recall.
        above: usize,
        /// 0 to 1.
        share: f64,
    },
    /// The fastest setting there is already finds more: its time is an upper bound.
    Above {
        /// That setting.
        at: usize,
    },
}

impl Reach {
    /// The time at the recall, given the time of each point: logarithmic between two.
    #[must_use]
    pub fn ns(&self, ns: impl Fn(usize) -> f64) -> f64 {
        match *self {
            Self::Between { below, above, share } => {
                ((1.0 - share) * ns(below).ln() + share * ns(above).ln()).exp()
            }
            Self::Above { at } => ns(at),
        }
    }

    /// Whether two settings bracket the recall.
    #[must_use]
    pub fn is_bracketed(&self) -> bool {
        matches!(self, Self::Between { .. })
    }
}

/// Where `target` lies on the front of `points`; `None` if no setting finds as much.
#[must_use]
pub fn reach(points: &[Point], target: f64) -> Option<Reach> {
    let front = front(points);
    let place = front.iter().position(|&i| points[i].recall >= target)?;
    let above = front[place];
    let Some(below) = place.checked_sub(1).map(|i| front[i]) else {
        return Some(Reach::Above { at: above });
    };
    let (low, high) = (points[below].recall, points[above].recall);
    Some(Reach::Between { below, above, share: (target - low) / (high - low) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(list: &[(f64, f64)]) -> Vec<Point> {
        list.iter().map(|&(recall, ns)| Point { recall, ns }).collect()
    }

    #[test]
    fn beaten_points_are_left_out() {
        let all = points(&[(0.9, 10.0), (0.95, 30.0), (0.93, 20.0), (0.94, 40.0), (0.9, 12.0)]);
        assert_eq!(front(&all), [0, 2, 1]);
        // Equally fast: the one that finds more.
        assert_eq!(front(&points(&[(0.5, 1.0), (0.6, 1.0)])), [1]);
        assert!(front(&[]).is_empty());
        assert!(front(&points(&[(0.9, f64::NAN)])).is_empty());
    }

    #[test]
    fn times_between_two_settings_are_logarithmic() {
        let all = points(&[(0.90, 100.0), (0.96, 400.0), (0.80, 50.0)]);
        let reach = reach(&all, 0.93).unwrap();
        assert!(reach.is_bracketed());
        // Half of the way in recall is half of the way in the logarithm of time.
        assert!((reach.ns(|i| all[i].ns) - 200.0).abs() < 1e-6);
        // At a point it is that point.
        let at = super::reach(&all, 0.96).unwrap();
        assert!((at.ns(|i| all[i].ns) - 400.0).abs() < 1e-9);
    }

    #[test]
    fn a_recall_off_the_front_is_said_to_be_so() {
        let all = points(&[(0.92, 100.0), (0.96, 400.0)]);
        assert_eq!(reach(&all, 0.90), Some(Reach::Above { at: 0 }));
        assert_eq!(reach(&all, 0.97), None);
        assert_eq!(reach(&[], 0.5), None);
    }

    proptest! {
        #[test]
        fn a_front_rises_in_both_and_nothing_beats_it(
            list in prop::collection::vec((0.0_f64..=1.0, 1.0_f64..1e6), 1..40)
        ) {
            let all = points(&list);
            let front = front(&all);
            prop_assert!(!front.is_empty());
            for pair in front.windows(2) {
                let (a, b) = (all[pair[0]], all[pair[1]]);
                prop_assert!(a.ns < b.ns && a.recall < b.recall);
            }
            for p in &all {
                prop_assert!(front.iter().any(|&i| all[i].ns <= p.ns && all[i].recall >= p.recall));
            }
        }

        #[test]
        fn an_interpolated_time_lies_between_its_neighbours(
            list in prop::collection::vec((0.0_f64..=1.0, 1.0_f64..1e6), 2..20),
            target in 0.0_f64..=1.0,
        ) {
            let all = points(&list);
            if let Some(Reach::Between { below, above, share }) = reach(&all, target) {
                prop_assert!((0.0..=1.0).contains(&share));
                let ns = Reach::Between { below, above, share }.ns(|i| all[i].ns);
                prop_assert!(ns >= all[below].ns * (1.0 - 1e-9));
                prop_assert!(ns <= all[above].ns * (1.0 + 1e-9));
            }
        }
    }
}
