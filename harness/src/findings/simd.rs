//! OPT-SIMD-1 to 6.

use std::hint::black_box;

use annvil::{Flat, Forced, Metric};
use annvil_kernels::{
    AlignedBlocks, Block, F32Kernels, Level, Metric as Kernel, Pair, Residence, Scan, resolve,
    winners,
};
use annvil_reports::findings::Check;
use annvil_reports::schema::Run;

use super::check::{at_least, count, missing, shown};
use super::interval::Interval;
use super::{Lab, Race};
use crate::asm::{Listing, listing, listing_of};
use crate::baseline::{nested_iterators, nibble_by_nibble, scan, zip_map_sum};
use crate::env;
use crate::rng::Rng;
use crate::rounds::Contestant;

/// Rows of one iteration: they stay in the L1 cache.
const ROWS: usize = 8;

/// Values by a function of a row, one output each.
fn each<'a, V: 'a>(out: &'a mut [V], one: impl Fn(usize) -> V + 'a) -> Contestant<'a> {
    Contestant {
        values_per_iter: out.len() as u64,
        run: Box::new(move |iters| {
            for _ in 0..iters {
                for (i, o) in out.iter_mut().enumerate() {
                    *o = one(i);
                }
                black_box(&mut *out);
            }
        }),
    }
}

fn pairs(
    lab: &Lab<'_>,
    dim: usize,
    found: impl Fn(&[f32], &[f32]) -> f32,
    ours: impl Fn(&[f32], &[f32]) -> f32,
) -> Result<Interval, String> {
    let rows = lab.rows(ROWS + 1, dim)?;
    let query = rows.row(ROWS);
    let (mut a, mut b) = ([0.0; ROWS], [0.0; ROWS]);
    let race = lab.race(&mut [
        each(&mut a, |i| found(query, rows.row(i))),
        each(&mut b, |i| ours(query, rows.row(i))),
    ]);
    for i in 0..ROWS {
        let (a, b) = (found(query, rows.row(i)), ours(query, rows.row(i)));
        if (a - b).abs() > 1e-3 * dim as f32 {
            return Err(format!("dim {dim}: {a} as found, {b} ours"));
        }
    }
    Ok(race.ratio(0, 1))
}

pub(super) fn l1(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let mut checks = Vec::new();
    for dim in [128, 384, 768, 1536] {
        let ours = F32Kernels::new(Kernel::L1, dim).map_err(text)?.pair;
        let ratio = pairs(lab, dim, zip_map_sum, |a, b| ours.call(a, b))?;
        checks.push(at_least(format!("{dim} dims, {}", ours.name()), ratio, "x", 4.0));
    }
    let index = Flat::new(lab.rows(4, 768)?, Metric::L1).map_err(text)?;
    let mut variant = shown("a search by L1 reports its kernel", Interval::exact(1.0), "");
    variant.note = index.kernel(false);
    checks.push(variant);
    Ok(checks)
}

pub(super) fn nested(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let mut checks = Vec::new();
    let mut name = "";
    for dim in [32, 64, 128, 384, 768, 1536] {
        let ours = F32Kernels::new(Kernel::Dot, dim).map_err(text)?.pair;
        name = ours.name();
        let ratio = pairs(lab, dim, nested_iterators, |a, b| ours.call(a, b))?;
        checks.push(at_least(format!("{dim} dims, {name}"), ratio, "x", 1.0 / 1.02));
    }
    let op = annvil_kernels::find("f32/dot/pair").map_err(text)?;
    match listing(op, name, 1536) {
        Ok(code) => {
            let sums = Interval::exact(code.accumulators() as f64);
            checks.push(at_least(format!("accumulators of {name}"), sums, "", 4.0));
            checks.push(count("calls in its loop", code.calls() as f64, "", 0.0));
        }
        Err(e) => checks.push(missing(format!("code of {name}"), e)),
    }
    Ok(checks)
}

/// How often instructions ran whose name contains one of `words`.
fn ran(code: &Listing, words: &[&str]) -> f64 {
    let is = |name: &str| words.iter().any(|w| name.contains(w));
    code.mix().iter().filter(|(name, _)| is(name)).map(|(_, n)| *n as f64).sum()
}

/// Square roots of one exact search for 10 of 512 rows.
pub(super) fn roots_of_a_search(lab: &Lab<'_>) -> Result<Check, String> {
    let what = "roots in a search for 10 of 512 rows";
    let rows = lab.rows(513, 8)?;
    let query = rows.row(512).to_vec();
    let index = Flat::new(rows, Metric::L2).map_err(text)?;
    let mut found = Vec::new();
    Ok(match listing_of(&mut || found = index.search(&query, 10).unwrap_or_default()) {
        Ok(code) => count(what, ran(&code, &["sqrt"]), "", 10.0),
        Err(e) => missing(what, e),
    })
}

pub(super) fn roots(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let squared: Vec<f32> = lab.rows(1, 8192)?.row(0).iter().map(|x| x.abs()).collect();
    let (mut a, mut b) = (vec![0.0; squared.len()], vec![0.0; squared.len()]);
    let pass = |out: &mut Vec<f32>, all: fn(&[f32], &mut [f32]), iters| {
        for _ in 0..iters {
            all(black_box(&squared), out);
            black_box(&mut *out);
        }
    };
    let values = squared.len() as u64;
    let race = lab.race(&mut [
        Contestant {
            values_per_iter: values,
            run: Box::new(|n| pass(&mut a, scan::roots_one_by_one, n)),
        },
        Contestant { values_per_iter: values, run: Box::new(|n| pass(&mut b, scan::roots, n)) },
    ]);
    let mut checks = vec![
        shown("one by one over the plain loop", race.ratio(0, 1), "x"),
        shown("the plain loop", race.time(1), "ns a value"),
    ];
    let mut out = vec![0.0; 64];
    checks.push(match listing_of(&mut || scan::roots(black_box(&squared[..64]), &mut out)) {
        Ok(code) => {
            let packed = Interval::exact(ran(&code, &["sqrtps"]));
            at_least("packed roots in the plain loop over 64 values", packed, "", 1.0)
        }
        Err(e) => missing("packed roots in the plain loop", e),
    });
    checks.push(roots_of_a_search(lab)?);
    Ok(checks)
}

pub(super) fn columns(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let dim = 128;
    let ours = resolve::<Block>("f32/l2sq/block", dim, Residence::Cache, &Forced::default());
    let ours = ours.map_err(text)?;
    let sweep = Forced::parse("f32/l2sq/block=sweep").map_err(text)?;
    let sweep = resolve::<Block>("f32/l2sq/block", dim, Residence::Cache, &sweep).map_err(text)?;
    let mut checks = Vec::new();
    for (n, blocked) in [(1024, 1.25), (8192, 1.8), (65_536, 1.8)] {
        let rows = lab.rows(n, dim)?;
        let query = rows.row(n / 2).to_vec();
        let found = scan::Columns::new(n, dim, |i| rows.row(i));
        let mut blocks = AlignedBlocks::new(dim).map_err(text)?;
        for i in 0..n {
            blocks.push(rows.row(i)).map_err(text)?;
        }
        drop(rows);
        let mut outs = vec![vec![0.0; n]; 3];
        let [a, b, c] = &mut outs[..] else { return Err("three outputs".to_owned()) };
        let view = blocks.view();
        let race = lab.race(&mut [
            many(a, |out| found.squared(&query, out)),
            many(b, |out| sweep.call(&query, view, out)),
            many(c, |out| ours.call(&query, view, out)),
        ]);
        let fused = race.ratio(0, 1);
        checks.push(at_least(format!("{n} rows: as found over fused columns"), fused, "x", 0.99));
        let what = format!("{n} rows: fused columns over blocks");
        checks.push(at_least(what, race.ratio(1, 2), "x", blocked));
        checks.push(shown(format!("{n} rows: as found over blocks"), race.ratio(0, 2), "x"));
    }
    let op = annvil_kernels::find("f32/l2sq/block").map_err(text)?;
    match listing(op, ours.name(), dim) {
        Ok(code) => {
            let fused = Interval::exact(ran(&code, &["fmadd"]));
            checks.push(at_least(format!("fused operations in {}", ours.name()), fused, "", 1.0));
            let apart = |l: &&crate::asm::Line| {
                let name = format!("{:?}", l.instruction.mnemonic()).to_lowercase();
                name.contains("mulps")
            };
            let apart = code.body().iter().filter(apart).count();
            checks.push(count("separate multiplications in its loop", apart as f64, "", 0.0));
        }
        Err(e) => checks.push(missing("code of the blocked kernel", e)),
    }
    Ok(checks)
}

/// One call for all values.
pub(super) fn many<'a>(out: &'a mut Vec<f32>, all: impl Fn(&mut [f32]) + 'a) -> Contestant<'a> {
    Contestant {
        values_per_iter: out.len() as u64,
        run: Box::new(move |iters| {
            for _ in 0..iters {
                all(out);
                black_box(&mut *out);
            }
        }),
    }
}

pub(super) fn int4(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let path = "int4/l2sq/pair";
    let bind = |dim| {
        resolve::<Pair<u8, u8, u32>>(path, dim, Residence::Cache, &Forced::default()).map_err(text)
    };
    let mut rng = Rng::new(lab.seed);
    let mut checks = Vec::new();
    for dim in [127, 128, 384, 768, 1536] {
        let ours = bind(dim)?;
        let codes: Vec<Vec<u8>> = (0..=ROWS).map(|_| packed(&mut rng, dim)).collect();
        let query = &codes[ROWS];
        let (mut a, mut b, mut c) = ([0; ROWS], [0; ROWS], [0; ROWS]);
        let race: Race = lab.race(&mut [
            each(&mut a, |i| nibble_by_nibble(query, &codes[i], dim)),
            each(&mut b, |i| scan::byte_by_byte(query, &codes[i])),
            each(&mut c, |i| ours.call(query, &codes[i])),
        ]);
        let name = ours.name();
        let what = format!("{dim} dims, {name}: nibble by nibble");
        checks.push(at_least(what, race.ratio(0, 2), "x", 8.0));
        let what = format!("{dim} dims, {name}: byte by byte");
        checks.push(at_least(what, race.ratio(1, 2), "x", 6.0));
    }
    let dims = [1, 2, 3, 31, 63, 64, 127, 128, 255, 384, 768, 1536];
    let kernels = dims.iter().map(|&d| bind(d)).collect::<Result<Vec<_>, _>>()?;
    let cases = lab.size(20_000, 100_000);
    let mut wrong = 0;
    for case in 0..cases {
        let at = rng.below(dims.len());
        let (a, b) = match case {
            // All ones against all zeros first: the largest sums.
            0..12 => (full(dims[case]), vec![0; dims[case].div_ceil(2)]),
            _ => (packed(&mut rng, dims[at]), packed(&mut rng, dims[at])),
        };
        let at = if case < 12 { case } else { at };
        wrong += usize::from(kernels[at].call(&a, &b) != nibble_by_nibble(&a, &b, dims[at]));
    }
    let what = format!("sums that differ, {cases} cases of {} lengths", dims.len());
    checks.push(count(what, wrong as f64, "", 0.0));
    Ok(checks)
}

fn packed(rng: &mut Rng, dim: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..dim.div_ceil(2)).map(|_| rng.next_u64() as u8).collect();
    clear_pad(&mut bytes, dim);
    bytes
}

fn full(dim: usize) -> Vec<u8> {
    let mut bytes = vec![0xff; dim.div_ceil(2)];
    clear_pad(&mut bytes, dim);
    bytes
}

/// An odd number of codes leaves half a byte, which is zero.
fn clear_pad(bytes: &mut [u8], dim: usize) {
    if let Some(last) = bytes.last_mut().filter(|_| dim % 2 == 1) {
        *last &= 15;
    }
}

/// The winners table against the newest record of this CPU.
pub(super) fn chosen(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let Some(run) = newest_record(lab) else {
        return Err("no record of this CPU below reports/record".to_owned());
    };
    let level = Level::best();
    let (mut cells, mut worse, mut far) = (0usize, Vec::new(), 0.0f64);
    for group in run.groups() {
        let residence = match group.key.residence {
            "DRAM" => Residence::Dram,
            _ => Residence::Cache,
        };
        // The table is of the base build and aligned rows.
        if group.key.build != "base" || group.key.alignment != "64" {
            continue;
        }
        let Some(winner) = winners::find(group.key.op, level, group.key.dim, residence) else {
            continue;
        };
        let row = group.timed().find(|c| c.variant == winner.variant);
        let Some(ratio) = row.and_then(|c| c.ratio_to_best) else { continue };
        cells += 1;
        far = far.max(ratio);
        if ratio > 1.05 {
            worse.push(format!("{} {} {}", group.key.op, group.key.dim, group.key.residence));
        }
    }
    let mut near = count(
        format!("of {cells} cells, those whose chosen variant is over 5 % behind"),
        worse.len() as f64,
        "",
        0.0,
    );
    near.note = worse.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
    let mut unmeasured = Vec::new();
    for op in annvil_kernels::ops() {
        for v in op.variants().iter().filter(|v| v.not_run.is_none()) {
            let seen = |c: &annvil_reports::schema::Cell| {
                c.op == op.path() && c.variant == v.name && c.has_run() && c.verified
            };
            if !run.cells.iter().any(seen) {
                unmeasured.push(format!("{}#{}", op.path(), v.name));
            }
        }
    }
    let what = "kernels that run here without a verified time in the record";
    let mut bench = count(what, unmeasured.len() as f64, "", 0.0);
    bench.note = unmeasured.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
    let mut checks = vec![near, shown("farthest behind", Interval::exact(far), "x"), bench];
    checks.push(super::engine::distance_loops(lab));
    Ok(checks)
}

fn newest_record(lab: &Lab<'_>) -> Option<Run> {
    let host = env::host();
    let here = (&host.cpu, host.family, host.model);
    let folders = std::fs::read_dir(lab.root.as_ref()?.join("reports/record")).ok()?;
    let files = folders.flatten().filter_map(|d| std::fs::read_dir(d.path()).ok()).flatten();
    let records = files.flatten().filter_map(|f| Run::load(f.path()).ok());
    records
        .filter(|r| (&r.host.cpu, r.host.family, r.host.model) == here)
        .max_by(|a, b| a.created.cmp(&b.created))
}

/// Roots of all rows or of the results only, in a scan from the cache.
pub(super) fn deferred(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let n = 1000;
    let mut checks = Vec::new();
    for dim in [128, 768] {
        let rows = lab.rows(n + 100, dim)?;
        let view = rows.view();
        let (rows, queries) = (view.slice(0, n), view.slice(n, n + 100));
        let ours = F32Kernels::new(Kernel::L2Sq, dim).map_err(text)?.scan_cached;
        let query = queries.row(0);
        let (mut a, mut b) = (vec![0.0; n], vec![0.0; n]);
        let mut rooted = vec![0.0; n];
        let race = lab.race(&mut [
            Contestant {
                values_per_iter: n as u64,
                run: Box::new(|iters| {
                    for _ in 0..iters {
                        ours.call(query, rows, &mut a);
                        scan::roots(&a, &mut rooted);
                        black_box(&mut rooted);
                    }
                }),
            },
            many(&mut b, |out| ours.call(query, rows, out)),
        ]);
        let what = format!("{dim} dims, 1000 rows: with a pass of roots over without");
        checks.push(shown(what, race.ratio(0, 1), "x"));
        let differ = (0..100).filter(|&q| order_differs(&ours, queries.row(q), rows)).count();
        let what = format!("{dim} dims: of 100 queries, those with other nearest 10");
        checks.push(count(what, differ as f64, "", 0.0));
    }
    checks.push(roots_of_a_search(lab)?);
    Ok(checks)
}

fn order_differs(
    scan: &annvil_kernels::Bound<Scan<f32>>,
    query: &[f32],
    rows: annvil::RowsRef<'_, f32>,
) -> bool {
    let mut squared = vec![0.0; rows.len()];
    scan.call(query, rows, &mut squared);
    let nearest = |values: &[f32]| {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
        order.truncate(10);
        order
    };
    let roots: Vec<f32> = squared.iter().map(|x| x.sqrt()).collect();
    nearest(&squared) != nearest(&roots)
}

fn text(e: impl std::fmt::Display) -> String {
    e.to_string()
}
