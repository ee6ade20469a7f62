//! Made sets whose nearest neighbours are known because they were put there.
//!
//! Each query has a family of rows at chosen distances; the families of other queries are far away.
//! So the truth needs no distance to be computed:
//!
//! | metric | member j of the family of query c | its distance |
//! |---|---|---|
//! | l2, l1, linf | c moved by t along one axis | t |
//! | cosine | c + t p with p a unit vector square to c | 1 - 1 / sqrt(1 + t^2) |
//! | dot | c (1 - t), with c of length 1 | t - 1 |
//!
//! where t = (j + 1) STEP.

use annvil::{AlignedRows, LayoutError, Metric};

use crate::workload::Set;

/// Fewer in tests, whose kernels are not optimised.
const QUERIES: usize = if cfg!(test) { 24 } else { 128 };
const FAMILY: usize = 24;
const K: usize = 10;
const STEP: f64 = 0.0125;
const SEED: u64 = 0x0061_6e6e_7669_6c21;

/// One set a metric, of dimensions that exercise short rows, tails and long rows.
pub(crate) fn sets() -> Result<Vec<Set>, LayoutError> {
    [
        (Metric::L2, 128),
        (Metric::Dot, 100),
        (Metric::Cosine, 384),
        (Metric::L1, 48),
        (Metric::Linf, 75),
    ]
    .into_iter()
    .map(|(metric, dim)| plant(metric, dim))
    .collect()
}

fn plant(metric: Metric, dim: usize) -> Result<Set, LayoutError> {
    let mut random = Random(SEED ^ dim as u64);
    // Families are scattered over the rows, so that row numbers say nothing.
    let mut places: Vec<usize> = (0..QUERIES * FAMILY).collect();
    for i in (1..places.len()).rev() {
        places.swap(i, random.below(i + 1));
    }
    let mut base = AlignedRows::zeroed(QUERIES * FAMILY, dim)?;
    let mut query = AlignedRows::with_capacity(QUERIES, dim)?;
    let (mut ids, mut distances) = (Vec::new(), Vec::new());
    for family in places.chunks_exact(FAMILY) {
        let centre = centre(metric, dim, &mut random);
        query.push(&centre.iter().map(|&v| v as f32).collect::<Vec<_>>())?;
        for (j, &place) in family.iter().enumerate() {
            let (member, distance) = member(metric, &centre, (j + 1) as f64 * STEP, &mut random);
            for (slot, value) in base.row_mut(place).iter_mut().zip(member) {
                *slot = value as f32;
            }
            if j < K {
                ids.push(place as u32);
                distances.push(distance as f32);
            }
        }
    }
    let name = format!("planted-{dim}");
    Ok(Set { name, metric, base, query, k: K, distances, ids: Some(ids) })
}

/// A query: uniform in the cube, of length 1 where the metric looks at angles.
fn centre(metric: Metric, dim: usize, random: &mut Random) -> Vec<f64> {
    let mut c: Vec<f64> = (0..dim).map(|_| random.unit() * 2.0 - 1.0).collect();
    if matches!(metric, Metric::Dot | Metric::Cosine) {
        let norm = c.iter().map(|v| v.powi(2)).sum::<f64>().sqrt();
        c.iter_mut().for_each(|v| *v /= norm);
    }
    c
}

/// A row at the distance that belongs to `t`, and that distance.
fn member(metric: Metric, centre: &[f64], t: f64, random: &mut Random) -> (Vec<f64>, f64) {
    let mut row = centre.to_vec();
    let axis = random.below(row.len());
    match metric {
        Metric::L2 | Metric::L1 | Metric::Linf | Metric::Hamming => {
            row[axis] += if random.below(2) == 0 { t } else { -t };
            (row, t)
        }
        Metric::Dot => {
            row.iter_mut().for_each(|v| *v *= 1.0 - t);
            (row, t - 1.0)
        }
        Metric::Cosine => {
            // Square to the centre: turn its part in one plane by a right angle.
            let other = (axis + 1) % row.len();
            let (x, y) = (centre[axis], centre[other]);
            let length = x.hypot(y);
            row[axis] -= t * y / length;
            row[other] += t * x / length;
            (row, 1.0 - 1.0 / (1.0 + t * t).sqrt())
        }
    }
}

/// SplitMix64: a counter through a mixing function (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In 0..1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// In 0..n.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}
