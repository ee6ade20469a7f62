//! A run of realistic size and shape. Every figure in it is invented.

use annvil_reports::schema::{
    Cache, Cell, Dataset, Engine, EngineAt, EngineBuild, EngineFiltered, EngineLatency,
    EnginePoint, EngineRatio, Host, Limit, Mode, NotRun, Rule, Run, Selftest, Source, Standing,
    Toolchain, Verdict, Workload,
};

/// (variant, technique, level claimed, level that ran, overhead in ns, ns per dimension)
const VARIANTS: [(&str, &str, &str, &str, f64, f64); 9] = [
    ("avx512-x4", "hand", "avx512", "avx512", 1.9, 0.0255),
    ("avx512-x8", "hand", "avx512", "avx512", 2.6, 0.0252),
    ("avx2-x4", "hand", "avx2", "avx2", 1.8, 0.0440),
    ("sse42-x4", "hand", "sse42", "sse42", 1.7, 0.0830),
    ("simsimd", "simsimd", "scalar", "avx512", 3.4, 0.0420),
    ("pulp-v4", "pulp", "avx512", "avx512", 2.5, 0.0290),
    ("wide-f32x8", "wide", "scalar", "sse42", 2.2, 0.0520),
    ("autovec", "autovec", "scalar", "sse42", 2.1, 0.0610),
    ("scalar", "scalar", "scalar", "scalar", 0.8, 0.3100),
];
const DIMS: [usize; 6] = [8, 31, 96, 128, 768, 1536];
/// (residence, factor on the time, ns per value of 4 bytes that the limit allows)
const PLACES: [(&str, f64, f64); 4] =
    [("L1", 1.0, 0.0240), ("L2", 1.25, 0.031), ("L3", 1.9, 0.050), ("DRAM", 4.1, 0.110)];

/// Invented jitter in -1 ..= 1, the same on every call.
fn jitter(seed: usize) -> f64 {
    let mut x =
        (seed as u64).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 29;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    (x >> 40) as f64 / (1u64 << 23) as f64 - 1.0
}

/// The run.
pub(crate) fn sample() -> Run {
    let mut cells = Vec::new();
    for metric in ["l2sq", "dot", "cosine", "l1", "linf"] {
        for (shape, places) in [("pair", 0..2), ("scan", 1..4), ("gather", 1..4)] {
            for place in places {
                for dim in DIMS {
                    cell(&mut cells, metric, shape, place, dim);
                }
            }
        }
    }
    Run {
        created: "2001-02-03T04:05:06Z".into(),
        command: "cargo xtask bench --quick".into(),
        mode: Mode::Quick,
        rule: Rule::default(),
        host: host(),
        toolchain: Toolchain {
            rustc: "rustc 1.95.0".into(),
            llvm: "22.1.2".into(),
            target: "x86_64-unknown-linux-gnu".into(),
            flags: String::new(),
            profile: "release: opt-level 3, fat LTO, 1 codegen unit".into(),
        },
        source: Source { revision: "0123456789abcdef0123456789abcdef01234567".into(), dirty: true },
        limits: limits(),
        datasets: datasets(),
        cells,
        workloads: workloads(),
        not_run: vec![NotRun {
            what: "data set glove".into(),
            why: "not found; give its folder with --data DIR".into(),
        }],
        notes: vec!["Every figure of this page is invented: it shows the layout only.".into()],
        engine: Some(engine()),
        selftest: Some(Selftest {
            aa_trials: 200,
            aa_false_winners: 7,
            aa_false_winners_margin: 0,
            injected_pct: 2.0,
            injected_trials: 200,
            injected_found: 198,
            passed: true,
            notes: Vec::new(),
        }),
        ..Run::default()
    }
}

/// Adds the entries of one cell.
fn cell(cells: &mut Vec<Cell>, metric: &str, shape: &str, place: usize, dim: usize) {
    let (residence, slow, limit) = PLACES[place];
    let first = cells.len();
    let bare = Cell {
        op: format!("f32/{metric}/{shape}"),
        dim,
        residence: residence.into(),
        alignment: "64".into(),
        build: "base".into(),
        ..Cell::default()
    };
    let lacks = |technique: &str| technique == "simsimd" && matches!(metric, "l1" | "linf");
    let time = |i: usize, base: f64, per_dim: f64| {
        let own = base * (1.0 + 0.05 * jitter(first + i)) + per_dim * dim as f64;
        (own + 0.002 * own * jitter(first * 31 + i)).max(limit * slow.sqrt() * dim as f64)
            * slow.sqrt()
    };
    let times: Vec<f64> = VARIANTS
        .iter()
        .enumerate()
        .map(|(i, v)| if lacks(v.1) { f64::INFINITY } else { time(i, v.4, v.5) })
        .collect();
    let best = times.iter().copied().fold(f64::INFINITY, f64::min);
    let close = times.iter().filter(|t| **t < best * 1.01).count();
    let verdict = match (first / 9) % 23 {
        7 => Verdict::Noisy,
        3 | 15 => Verdict::Undecided,
        _ if close > 1 => Verdict::Tie,
        _ => Verdict::Winner,
    };
    for (i, time) in times.into_iter().enumerate().filter(|(_, t)| t.is_finite()) {
        let limit_ns = limit * dim as f64 * 0.9;
        cells.push(timed(&bare, (i, time, time / best), first, verdict, limit_ns));
    }
    for (variant, level) in [("neon-x4", "neon"), ("simd128-x4", "simd128")] {
        cells.push(Cell {
            variant: variant.into(),
            technique: "hand".into(),
            level: level.into(),
            not_run: Some(format!("the CPU has no {level}: compiled only")),
            ..bare.clone()
        });
    }
}

/// Variant `i` of a cell, its time in ns and its ratio to the fastest; `seed` is the cell's.
fn timed(
    bare: &Cell,
    (i, ns, ratio): (usize, f64, f64),
    seed: usize,
    verdict: Verdict,
    limit_ns: f64,
) -> Cell {
    let (variant, technique, level, ran, ..) = VARIANTS[i];
    let half = 0.002
        + 0.003 * (1.0 + jitter(seed + 7 * i))
        + if verdict == Verdict::Noisy { 0.08 } else { 0.0 };
    let fastest = ratio == 1.0;
    let standing = match verdict {
        Verdict::Noisy => Standing::Undecided,
        Verdict::Winner if fastest => Standing::Winner,
        Verdict::Tie if ratio < 1.01 => Standing::Tied,
        Verdict::Undecided if ratio < 1.05 => Standing::Undecided,
        _ => Standing::Behind,
    };
    let (op, dim, residence) = (&bare.op, bare.dim, &bare.residence);
    Cell {
        variant: variant.into(),
        technique: technique.into(),
        level: level.into(),
        ns_p50: Some(ns),
        ns_p5: Some(ns * 0.985),
        ratio_to_best: Some(ratio),
        ratio_lo: Some(if fastest { 1.0 } else { ratio * (1.0 - half) }),
        ratio_hi: Some(if fastest { 1.0 } else { ratio * (1.0 + half) }),
        verdict: Some(verdict),
        standing: Some(standing),
        mde: Some(0.01 + half),
        gb_per_s: Some(4.0 * dim as f64 / ns),
        pct_of_limit: Some(100.0 * limit_ns / ns),
        limit: Some(if residence == "L1" { "L1 loads, 64 B/cycle" } else { "plain read" }.into()),
        limit_ns: Some(limit_ns),
        max_error_ulp: Some(0.5 + (dim as f64).log2() * 0.1 * (1.0 + i as f64 / 4.0)),
        verified: true,
        ran_level: Some(ran.into()),
        processes: Some(3),
        rounds: Some(40),
        discarded_pct: Some(6.0 + 4.0 * jitter(seed)),
        command: format!(
            "cargo xtask bench {op} --dim {dim} --residence {residence} --variant {variant}"
        ),
        ..bare.clone()
    }
}

fn host() -> Host {
    let cache = |level, kind: &str, kib: u64, shared_by| Cache {
        level,
        kind: kind.into(),
        size_bytes: kib << 10,
        shared_by,
    };
    Host {
        cpu: "Sample CPU with invented figures".into(),
        vendor: "SampleVendor".into(),
        family: Some(25),
        model: Some(17),
        flags: ["sse4_2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"]
            .map(str::to_owned)
            .to_vec(),
        caches: vec![
            cache(1, "data", 32, 1),
            cache(1, "instruction", 32, 1),
            cache(2, "unified", 1024, 1),
            cache(3, "unified", 32 << 10, 8),
        ],
        memory_bytes: Some(8 << 30),
        cores: Some(2),
        hypervisor: Some("KVM".into()),
        os: "Debian GNU/Linux 12".into(),
        kernel: "6.1.0".into(),
        microcode: None,
        governor: None,
        steal_pct: Some(0.4),
        load_avg: vec![1.2, 1.1, 0.9],
    }
}

fn limits() -> Vec<Limit> {
    let limit = |name: &str, value, unit: &str, level: &str, how: &str| Limit {
        name: name.into(),
        value,
        unit: unit.into(),
        level: level.into(),
        how: how.into(),
    };
    let mut limits = vec![
        limit("clock_ghz", 3.7, "GHz", "", "a chain of dependent additions"),
        limit("load_bytes_per_cycle", 64.0, "B/cycle", "L1", "plain read over the clock"),
    ];
    for (level, value) in [("L1", 230.0), ("L2", 118.0), ("L3", 61.0), ("DRAM", 24.0)] {
        limits.push(limit(
            "read_gb_s",
            value,
            "GB/s",
            level,
            "plain read of rows of that residence",
        ));
    }
    limits
}

fn datasets() -> Vec<Dataset> {
    let set = |name: &str, rows, dim, queries| Dataset {
        name: name.into(),
        rows,
        dim,
        queries,
        dtype: "f32".into(),
        source: "invented".into(),
        licence: "CC0".into(),
        sha256: Some("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff".into()),
    };
    vec![set("digits", 1_697, 64, 100), set("sentences", 1_900, 384, 100)]
}

fn workloads() -> Vec<Workload> {
    let mut all = Vec::new();
    for (dataset, rows, dim) in [("digits", 1_697, 64), ("sentences", 1_900, 384)] {
        for metric in ["l2sq", "dot", "cosine"] {
            let us = rows as f64 * dim as f64 / 20_000.0;
            all.push(Workload {
                dataset: dataset.into(),
                index: "flat".into(),
                metric: metric.into(),
                k: 10,
                qps: Some(2e6 / us),
                recall: Some(1.0),
                p50_us: Some(us),
                p99_us: Some(us * 1.6),
                threads: 2,
                kernel: format!("f32/{metric}/scan#avx512-x4"),
                rows,
                dim,
                queries: 100,
                command: format!("cargo xtask bench workload/{dataset}/{metric}"),
                not_run: None,
            });
        }
    }
    all
}

/// Two contestants over one set.
pub(crate) fn engine() -> Engine {
    let mut all = Engine {
        k: 10,
        m: 16,
        ef_construction: 200,
        builds: 2,
        rounds: 5,
        clock: "thread CPU".into(),
        ..Engine::default()
    };
    contestant(&mut all, "annvil f32", 1.0);
    contestant(&mut all, "other f32", 2.5);
    all.ratios.push(EngineRatio {
        dataset: "digits".into(),
        contestant: "annvil f32".into(),
        rival: "other f32".into(),
        target: 0.95,
        qps_ratio: 2.5,
        qps_ratio_lo: Some(2.4),
        qps_ratio_hi: Some(2.6),
        builds: 2,
        spread_over: "builds".into(),
        bracketed: true,
    });
    all
}

/// The rows of one that takes `factor` times as long.
fn contestant(all: &mut Engine, name: &str, factor: f64) {
    let (dataset, contestant) = ("digits".to_owned(), name.to_owned());
    for (i, ef) in [10, 20, 40, 80].into_iter().enumerate() {
        all.points.push(EnginePoint {
            dataset: dataset.clone(),
            contestant: contestant.clone(),
            build: 0,
            ef,
            rerank: 0,
            recall: 1.0 - 0.1 / (1 << (2 * i)) as f64,
            us: factor * ef as f64,
            hops: (factor == 1.0).then_some(1.2 * ef as f64),
            scored: (factor == 1.0).then_some(11.0 * ef as f64),
        });
    }
    for target in [0.9, 0.95, 0.99] {
        all.at_recall.push(EngineAt {
            dataset: dataset.clone(),
            contestant: contestant.clone(),
            target,
            qps: Some(1e6 / factor / 15.0),
            bracketed: target > 0.9,
        });
    }
    all.build.push(EngineBuild {
        dataset: dataset.clone(),
        contestant: contestant.clone(),
        build: 0,
        rows: 1_697,
        cpu_s: Some(0.2 * factor),
        wall_2_s: Some(0.11 * factor),
        cpu_2_s: Some(0.21 * factor),
        resident_per_row: Some(420.0 * factor),
        held_per_row: Some(400.0),
    });
    all.filtered.push(EngineFiltered {
        dataset: dataset.clone(),
        contestant: contestant.clone(),
        match_pct: 10.0,
        matches: 170,
        ef: 20,
        rerank: 0,
        recall: 0.97,
        us: 12.0 * factor,
        to_scan: 1.1 * factor,
        to_scan_lo: Some(factor),
        to_scan_hi: Some(1.2 * factor),
    });
    all.latency.push(EngineLatency {
        dataset,
        contestant,
        ef: 20,
        rerank: 0,
        recall: 0.97,
        p50_us: 20.0 * factor,
        p99_us: 31.0 * factor,
        samples: 300,
    });
}
