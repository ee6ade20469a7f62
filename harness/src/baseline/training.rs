//! k-means and product quantisation as found: clusters of cloned vectors, sub-spaces of copies.

use crate::rng::Rng;

/// OPT-MEM-2 and OPT-PAR-4: serial, and each vector cloned into its cluster in each iteration.
pub(crate) fn kmeans(
    vectors: &[Vec<f32>],
    k: usize,
    iterations: usize,
    seed: u64,
) -> Vec<Vec<f32>> {
    let mut order: Vec<usize> = (0..vectors.len()).collect();
    Rng::new(seed).shuffle(&mut order);
    let mut centroids: Vec<Vec<f32>> = order.iter().take(k).map(|&i| vectors[i].clone()).collect();
    for _ in 0..iterations {
        let mut assignments: Vec<Vec<Vec<f32>>> = vec![Vec::new(); k];
        for vector in vectors {
            assignments[nearest(vector, &centroids)].push(vector.clone());
        }
        for (centroid, cluster) in centroids.iter_mut().zip(&assignments) {
            if cluster.is_empty() {
                continue;
            }
            let mut mean = vec![0.0; centroid.len()];
            for vector in cluster {
                for (m, x) in mean.iter_mut().zip(vector) {
                    *m += x;
                }
            }
            mean.iter_mut().for_each(|m| *m /= cluster.len() as f32);
            *centroid = mean;
        }
    }
    centroids
}

fn nearest(vector: &[f32], centroids: &[Vec<f32>]) -> usize {
    let mut best = (f32::INFINITY, 0);
    for (i, centroid) in centroids.iter().enumerate() {
        let distance = squared(vector, centroid).sqrt();
        if distance < best.0 {
            best = (distance, i);
        }
    }
    best.1
}

fn squared(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// OPT-MEM-3: a copy of each part of each vector before each sub-space is trained.
pub(crate) fn pq(
    vectors: &[Vec<f32>],
    m: usize,
    k: usize,
    iterations: usize,
    seed: u64,
) -> Vec<Vec<Vec<f32>>> {
    let dsub = vectors[0].len() / m;
    (0..m)
        .map(|s| {
            let part = |v: &Vec<f32>| v[s * dsub..(s + 1) * dsub].to_vec();
            let parts: Vec<Vec<f32>> = vectors.iter().map(part).collect();
            kmeans(&parts, k, iterations, seed + s as u64)
        })
        .collect()
}

/// The mean squared distance of vectors to what their codes stand for.
pub(crate) fn distortion(vectors: &[Vec<f32>], books: &[Vec<Vec<f32>>]) -> f64 {
    let dsub = vectors[0].len() / books.len();
    let error = |v: &Vec<f32>| -> f64 {
        let parts = v.chunks(dsub).zip(books);
        parts.map(|(p, book)| f64::from(squared(p, &book[nearest(p, book)]))).sum()
    };
    vectors.iter().map(error).sum::<f64>() / vectors.len() as f64
}
