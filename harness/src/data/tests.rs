//! Sets made on the spot, damaged on purpose, and the two that come with the source.

use std::fs;
use std::path::Path;

use annvil::io::{write_bvecs, write_fvecs, write_ivecs};
use annvil::{AlignedRows, Metric};
use proptest::prelude::*;

use super::*;

fn pool() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap()
}

/// Rows of small whole numbers, so that ties are common.
fn rows(count: usize, dim: usize, salt: usize) -> Vec<Vec<f32>> {
    let value = |i: usize| (i.wrapping_mul(2_654_435_761).wrapping_add(salt * 97) >> 7) % 23;
    (0..count).map(|r| (0..dim).map(|c| value(r * dim + c) as f32).collect()).collect()
}

fn write_rows(path: &Path, rows: &[Vec<f32>]) {
    let mut out = Vec::new();
    write_fvecs(&mut out, rows.iter().map(|r| &r[..])).unwrap();
    fs::write(path, out).unwrap();
}

/// A sound set of 150 rows and 9 queries, 6-dimensional, named `set` in a fresh folder.
fn make_set() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let source = root.path().join("source");
    fs::create_dir(&source).unwrap();
    write_rows(&source.join("base.fvecs"), &rows(200, 6, 1));
    write_rows(&source.join("query.fvecs"), &rows(12, 6, 2));
    // Only the headers of the source's ground truth matter to a slice.
    write_rows(&source.join("groundtruth_dist.fvecs"), &vec![vec![0.0]; 12]);
    let mut ids = Vec::new();
    write_ivecs(&mut ids, vec![&[0][..]; 12]).unwrap();
    fs::write(source.join("groundtruth.ivecs"), ids).unwrap();
    slice(&source, &root.path().join("set"), 150, 9, &pool()).unwrap();
    root
}

/// Changes four bytes of a file of the set.
fn poke(set: &Path, file: &str, at: usize, bytes: [u8; 4]) {
    let mut all = fs::read(set.join(file)).unwrap();
    all[at..at + 4].copy_from_slice(&bytes);
    fs::write(set.join(file), all).unwrap();
}

#[test]
fn a_slice_is_sound_and_repeatable() {
    let root = make_set();
    let dir = root.path().join("set");
    let set = Dataset::open(&dir).unwrap();
    assert_eq!((set.name(), set.base().rows, set.base().dim), ("set", 150, 6));
    assert_eq!((set.query().rows, set.truth_k()), (9, 100));
    let report = verify(&dir, None, &pool()).unwrap();
    assert_eq!(report.problems, []);
    assert_eq!((report.queries_checked, report.files_hashed), (9, 4));

    let again = slice(&root.path().join("source"), &root.path().join("again"), 150, 9, &pool());
    let sums = |dir: &Path| fs::read_to_string(dir.join("SHA256SUMS")).unwrap();
    assert_eq!(sums(&again.unwrap().dir), sums(&dir));
}

#[test]
fn a_slice_of_bytes_stays_bytes() {
    let root = make_set();
    let source = root.path().join("source");
    let bytes: Vec<u8> = rows(200, 6, 1).concat().iter().map(|&v| v as u8).collect();
    let mut out = Vec::new();
    write_bvecs(&mut out, bytes.chunks(6)).unwrap();
    fs::remove_file(source.join("base.fvecs")).unwrap();
    fs::write(source.join("base.bvecs"), &out).unwrap();
    let dst = root.path().join("bytes");
    slice(&source, &dst, 50, 3, &pool()).unwrap();
    assert_eq!(fs::read(dst.join("base.bvecs")).unwrap(), out[..500]);
    assert!(verify(&dst, None, &pool()).unwrap().is_ok());
}

#[test]
fn a_slice_refuses_what_it_cannot_do() {
    let root = make_set();
    let (source, set) = (root.path().join("source"), root.path().join("set"));
    let cut = |dst: &str, rows, queries| {
        slice(&source, &root.path().join(dst), rows, queries, &pool()).unwrap_err()
    };
    assert!(matches!(cut("x", 201, 1), DataError::TooFew { wanted: 201, found: 200, .. }));
    assert!(matches!(cut("x", 1, 13), DataError::TooFew { wanted: 13, found: 12, .. }));
    assert!(matches!(cut("x", 0, 1), DataError::NothingWanted));
    assert!(!root.path().join("x").exists());
    let before = fs::read(set.join("base.fvecs")).unwrap();
    assert!(matches!(cut("set", 10, 1), DataError::Exists { .. }));
    assert_eq!(fs::read(set.join("base.fvecs")).unwrap(), before);
}

#[test]
fn verify_finds_each_kind_of_damage() {
    let damaged = |file: &str, at: usize, bytes: [u8; 4]| {
        let root = make_set();
        let set = root.path().join("set");
        fs::remove_file(set.join("SHA256SUMS")).unwrap();
        poke(&set, file, at, bytes);
        verify(&set, None, &pool()).unwrap().problems
    };
    // Row 3, position 2 of the base: records are 28 bytes.
    let problems = damaged("base.fvecs", 3 * 28 + 12, f32::NAN.to_le_bytes());
    assert!(matches!(problems[0], Problem::NotFinite { row: 3, position: 2, .. }), "{problems:?}");
    let problems = damaged("query.fvecs", 28 + 4, f32::INFINITY.to_le_bytes());
    assert!(matches!(problems[0], Problem::NotFinite { row: 1, position: 0, .. }), "{problems:?}");

    // Query 2's nearest is replaced by its farthest stored one: records are 404 bytes.
    let root = make_set();
    let truth = Dataset::open(&root.path().join("set")).unwrap().load_truth().unwrap();
    let last = truth.ids(2)[99].to_le_bytes();
    let problems = damaged("groundtruth.ivecs", 2 * 404 + 4, last);
    assert!(
        matches!(problems[0], Problem::WrongNeighbour { query: 2, place: 0, ood: false, .. }),
        "{problems:?}"
    );
    assert!(problems.iter().any(|p| matches!(p, Problem::Repeated { query: 2, place: 99, .. })));

    let problems = damaged("groundtruth_dist.fvecs", 404 + 4 + 4 * 50, 1e6f32.to_le_bytes());
    assert!(
        matches!(problems[..], [Problem::WrongDistance { query: 1, place: 50, .. }]),
        "{problems:?}"
    );
}

#[test]
fn verify_compares_checksums_here_and_one_folder_up() {
    let root = make_set();
    let set = root.path().join("set");
    let list = fs::read_to_string(set.join("SHA256SUMS")).unwrap();
    fs::remove_file(set.join("SHA256SUMS")).unwrap();
    let above: String = list.lines().map(|l| l.replacen("  ", "  set/", 1) + "\n").collect();
    fs::write(root.path().join("SHA256SUMS"), &above).unwrap();
    assert_eq!(verify(&set, Some(1), &pool()).unwrap().files_hashed, 4);

    // The last byte of the last query changes its value a little, and its checksum.
    let at = fs::metadata(set.join("query.fvecs")).unwrap().len() as usize - 4;
    poke(&set, "query.fvecs", at, 22.5f32.to_le_bytes());
    let problems = verify(&set, Some(1), &pool()).unwrap().problems;
    assert!(
        matches!(&problems[..], [Problem::Checksum { path, .. }] if path.ends_with("query.fvecs"))
    );

    fs::write(root.path().join("SHA256SUMS"), "no list\n").unwrap();
    let refused = verify(&set, Some(1), &pool());
    assert!(matches!(refused, Err(DataError::BadChecksumLine { line: 1, .. })));
}

#[test]
fn sets_that_do_not_fit_together_are_refused() {
    let root = make_set();
    let set = root.path().join("set");
    poke(&set, "groundtruth.ivecs", 404 + 4, 150i32.to_le_bytes());
    let refused = Dataset::open(&set).unwrap().load_truth();
    assert!(matches!(refused, Err(DataError::NoSuchRow { query: 1, id: 150, rows: 150, .. })));
    poke(&set, "groundtruth.ivecs", 404 + 4, (-1i32).to_le_bytes());
    let refused = Dataset::open(&set).unwrap().load_truth();
    assert!(matches!(refused, Err(DataError::NoSuchRow { query: 1, id: -1, .. })));

    write_rows(&set.join("query.fvecs"), &rows(9, 7, 2));
    let refused = Dataset::open(&set).unwrap_err();
    assert!(matches!(refused, DataError::Disagree { expected: 6, found: 7, .. }), "{refused}");
    write_rows(&set.join("query.fvecs"), &rows(8, 6, 2));
    let refused = Dataset::open(&set).unwrap_err();
    assert!(matches!(refused, DataError::Disagree { expected: 8, found: 9, .. }), "{refused}");

    fs::remove_file(set.join("groundtruth.ivecs")).unwrap();
    let refused = Dataset::open(&set).unwrap_err();
    assert!(matches!(refused, DataError::Missing { what: "groundtruth.ivecs", .. }), "{refused}");
    fs::write(set.join("base.npy"), "").unwrap();
    assert!(matches!(Dataset::open(&set), Err(DataError::Ambiguous { .. })));
    assert!(matches!(Dataset::open(&set.join("none")), Err(DataError::Io { .. })));
}

#[test]
fn discovery_reports_broken_sets_too() {
    let root = make_set();
    fs::create_dir(root.path().join("empty")).unwrap();
    fs::write(root.path().join("source/base.fvecs"), [1, 0, 0]).unwrap();
    fs::write(root.path().join("README.md"), "# t\n\n## set\n\nLicence: free\nto use.\n\n## b\n")
        .unwrap();
    let found = list(&[root.path().to_path_buf()]).unwrap();
    assert_eq!(found.len(), 2);
    let set = found[0].as_ref().unwrap();
    assert_eq!((&set.name[..], set.rows, set.dim, set.queries), ("set", 150, 6, 9));
    assert_eq!(set.licence.as_deref(), Some("free to use."));
    assert_eq!(set.bytes, 150 * 28 + 9 * 28 + 2 * 9 * 404);
    let broken = found[1].as_ref().unwrap_err().to_string();
    assert!(broken.contains("base.fvecs: byte 0: "), "{broken}");
}

#[test]
fn the_built_in_sets_are_sound_and_small() {
    let found = list(&[builtin_root()]).unwrap();
    let sets: Vec<_> = found.into_iter().map(Result::unwrap).collect();
    let names: Vec<_> = sets.iter().map(|s| (&s.name[..], s.rows, s.dim, s.queries)).collect();
    assert_eq!(names, [("digits", 1597, 64, 200), ("minilm-2k", 1900, 384, 100)]);
    for set in &sets {
        let origin = origin(&Dataset::open(&set.dir).unwrap());
        assert_eq!(set.licence, origin.licence);
        let words = |text: Option<String>| text.unwrap_or_default().split(' ').count();
        assert!(words(origin.source) > 5 && words(origin.licence) > 5, "{}", set.name);
    }
    assert!(sets.iter().map(|s| s.bytes).sum::<u64>() < 4_000_000);
    for set in sets {
        let parts = Dataset::open(&set.dir).unwrap();
        assert!(parts.parts().all(|p| p.bytes < 3_000_000));
        // Every query is checked by `data verify`; a few show here that it works.
        let report = verify(&set.dir, Some(8), &pool()).unwrap();
        assert_eq!(report.problems, [], "{}", set.name);
        assert_eq!(report.files_hashed, 4);
    }
}

/// The definition, one pair at a time, all rows sorted.
fn by_sorting(base: &AlignedRows, query: &[f32], metric: Metric, k: usize) -> Vec<(u32, f64)> {
    let wide = |v: &[f32]| v.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
    let q = wide(query);
    let mut all: Vec<(u32, f64)> = (0..base.len())
        .map(|i| {
            let r = wide(base.row(i));
            let pairs = || q.iter().zip(&r);
            let dot: f64 = pairs().map(|(x, y)| x * y).sum();
            let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
            let value = match metric {
                Metric::L2 => pairs().map(|(x, y)| (x - y) * (x - y)).sum(),
                Metric::Dot => 0.0 - dot,
                Metric::Cosine if norm(&q) * norm(&r) == 0.0 => 1.0,
                Metric::Cosine => 1.0 - dot / (norm(&q) * norm(&r)),
                Metric::L1 => pairs().map(|(x, y)| (x - y).abs()).sum(),
                Metric::Linf => pairs().map(|(x, y)| (x - y).abs()).fold(0.0, f64::max),
                Metric::Hamming => {
                    pairs().filter(|(x, y)| (**x > 0.0) != (**y > 0.0)).count() as f64
                }
            };
            (i as u32, value)
        })
        .collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    all.truncate(k);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn exact_answers_are_the_definition(
        dim in 1usize..20,
        values in prop::collection::vec(-3i8..4, 40..3000),
        k in 0usize..90,
    ) {
        let len = values.len() / dim * dim;
        let data: Vec<f32> = values[..len].iter().copied().map(f32::from).collect();
        let base = AlignedRows::from_packed(&data, dim).unwrap();
        let query = base.view().slice(0, base.len().min(5));
        for metric in Metric::DENSE {
            let truth = exact_f64(base.view(), query, metric, k, &pool());
            let mut answers = Vec::new();
            for i in 0..query.len() {
                let expected = by_sorting(&base, query.row(i), metric, k);
                let values: Vec<f64> = expected.iter().map(|e| e.1).collect();
                if metric == Metric::Cosine {
                    // Ties are not exact: the two divide in another order.
                    for (a, b) in truth.values(i).iter().zip(&values) {
                        prop_assert!((a - b).abs() < 1e-12);
                    }
                } else {
                    let ids: Vec<u32> = expected.iter().map(|e| e.0).collect();
                    prop_assert_eq!(truth.ids(i), &ids[..]);
                    prop_assert_eq!(truth.values(i), &values[..]);
                }
                answers.push(expected.into_iter().map(|e| e.0).collect());
            }
            let full = recall(base.view(), query, metric, &truth, k, &answers);
            prop_assert_eq!((full.value(), full.first_wrong), (1.0, None));
        }
    }
}

#[test]
fn recall_counts_distances_not_names() {
    // Rows 0 and 1 are as near, row 2 is far.
    let base = AlignedRows::from_packed(&[1.0, -1.0, 9.0], 1).unwrap();
    let query = AlignedRows::from_packed(&[0.0, 0.0], 1).unwrap();
    let truth = exact_f64(base.view(), query.view(), Metric::L2, 2, &pool());
    assert_eq!((truth.ids(1), truth.values(1)), (&[0, 1][..], &[1.0, 1.0][..]));
    let count = |k, answers: [&[u32]; 2]| {
        let answers: Vec<Vec<u32>> = answers.iter().map(|a| a.to_vec()).collect();
        let r = recall(base.view(), query.view(), Metric::L2, &truth, k, &answers);
        (r.expected, r.found, r.first_wrong)
    };
    assert_eq!(count(1, [&[1], &[0]]), (2, 2, None));
    assert_eq!(count(2, [&[1, 0], &[0, 2]]), (4, 3, Some(1)));
    assert_eq!(count(2, [&[0, 0], &[0]]), (4, 2, Some(0)));
    assert_eq!(count(1, [&[7], &[2]]), (2, 0, Some(0)));
}

#[test]
fn no_queries_and_no_neighbours() {
    let base = AlignedRows::from_packed(&[1.0, 2.0], 1).unwrap();
    let none = AlignedRows::zeroed(0, 1).unwrap();
    assert_eq!(exact_f64(base.view(), none.view(), Metric::L1, 3, &pool()).queries(), 0);
    assert_eq!(exact_f64(base.view(), base.view(), Metric::L1, 0, &pool()).ids, [0u32; 0]);
    assert_eq!(exact_f64(none.view(), base.view(), Metric::L1, 3, &pool()).k, 0);
}
