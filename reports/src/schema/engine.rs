//! The optional section `engine` of a record: the engine against others on real sets.

use serde::{Deserialize, Serialize};

use super::digits;

/// What `bench --suite engine` measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Engine {
    /// Neighbours asked for.
    pub k: usize,
    /// Links of a node on each upper layer; twice as many on layer 0.
    pub m: usize,
    /// Candidates while building.
    pub ef_construction: usize,
    /// Builds of each contestant: the level of replication.
    pub builds: usize,
    /// Rounds over each build; every contestant once a round, in a fresh order.
    pub rounds: usize,
    /// What times of queries and builds are: `thread CPU`, or `wall` where the system does not say.
    pub clock: String,
    /// Every setting that was timed.
    pub points: Vec<EnginePoint>,
    /// Queries per second at a recall, between settings.
    pub at_recall: Vec<EngineAt>,
    /// Ours against others at a recall, from paired rounds.
    pub ratios: Vec<EngineRatio>,
    /// What building took.
    pub build: Vec<EngineBuild>,
    /// Searches among rows that match a filter.
    pub filtered: Vec<EngineFiltered>,
    /// Waiting time of single queries.
    pub latency: Vec<EngineLatency>,
}

/// A setting of a contestant over one build.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EnginePoint {
    /// Name of the data set.
    pub dataset: String,
    /// Library and encoding.
    pub contestant: String,
    /// Number of the build, from 0.
    pub build: usize,
    /// Candidates of the search.
    pub ef: usize,
    /// Of those, how many were compared again exactly; 0 where distances are exact.
    pub rerank: usize,
    /// Share of the true neighbours found, 0 to 1.
    #[serde(serialize_with = "digits::figure")]
    pub recall: f64,
    /// Median over rounds of the time of a query, microseconds of CPU.
    #[serde(serialize_with = "digits::figure")]
    pub us: f64,
    /// Nodes whose links were followed, a query, where the index counts them.
    #[serde(serialize_with = "digits::maybe")]
    pub hops: Option<f64>,
    /// Rows compared with the query, a query, where the index counts them.
    #[serde(serialize_with = "digits::maybe")]
    pub scored: Option<f64>,
}

/// The rate of a contestant at a recall: the geometric mean over builds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EngineAt {
    /// Name of the data set.
    pub dataset: String,
    /// Library and encoding.
    pub contestant: String,
    /// The recall.
    #[serde(serialize_with = "digits::figure")]
    pub target: f64,
    /// Queries per second of CPU of one thread; none where no setting finds as much.
    #[serde(serialize_with = "digits::maybe")]
    pub qps: Option<f64>,
    /// Whether two settings bracket the recall in every build; if not, the cheapest setting finds
    /// more and the rate is a lower bound.
    pub bracketed: bool,
}

/// One of ours against another contestant at the same recall.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EngineRatio {
    /// Name of the data set.
    pub dataset: String,
    /// Ours.
    pub contestant: String,
    /// The other.
    pub rival: String,
    /// The recall.
    #[serde(serialize_with = "digits::figure")]
    pub target: f64,
    /// Queries per second of ours over the other's; above 1, ours is faster.
    #[serde(serialize_with = "digits::figure")]
    pub qps_ratio: f64,
    /// Lower end of the interval.
    #[serde(serialize_with = "digits::maybe")]
    pub qps_ratio_lo: Option<f64>,
    /// Upper end of the interval.
    #[serde(serialize_with = "digits::maybe")]
    pub qps_ratio_hi: Option<f64>,
    /// Builds that took part.
    pub builds: usize,
    /// What the interval spans: `builds`, or `rounds` of the only one.
    pub spread_over: String,
    /// Whether the recall is bracketed for both in every build.
    pub bracketed: bool,
}

/// A build.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EngineBuild {
    /// Name of the data set.
    pub dataset: String,
    /// Library and encoding.
    pub contestant: String,
    /// Number of the build, from 0.
    pub build: usize,
    /// Rows.
    pub rows: u64,
    /// Seconds of CPU on one thread.
    #[serde(serialize_with = "digits::maybe")]
    pub cpu_s: Option<f64>,
    /// Seconds on the wall on two threads, in a process of its own.
    #[serde(serialize_with = "digits::maybe")]
    pub wall_2_s: Option<f64>,
    /// Seconds of CPU on two threads.
    #[serde(serialize_with = "digits::maybe")]
    pub cpu_2_s: Option<f64>,
    /// Growth of resident memory while building in a process of its own, bytes a row.
    #[serde(serialize_with = "digits::maybe")]
    pub resident_per_row: Option<f64>,
    /// Bytes a row that the index says it holds: rows, codes and links.
    #[serde(serialize_with = "digits::maybe")]
    pub held_per_row: Option<f64>,
}

/// Searches among the rows that match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EngineFiltered {
    /// Name of the data set.
    pub dataset: String,
    /// Library and encoding; `exact scan` compares every row that matches.
    pub contestant: String,
    /// Share of the rows that match, percent.
    #[serde(serialize_with = "digits::figure")]
    pub match_pct: f64,
    /// Rows that match.
    pub matches: u64,
    /// Candidates of the search; 0 for the scan.
    pub ef: usize,
    /// Of those, how many were compared again exactly.
    pub rerank: usize,
    /// Share of the true neighbours among those that match, 0 to 1.
    #[serde(serialize_with = "digits::figure")]
    pub recall: f64,
    /// Median over rounds of the time of a query, microseconds of CPU.
    #[serde(serialize_with = "digits::figure")]
    pub us: f64,
    /// Its time over the exact scan's; above 1, the scan is faster.
    #[serde(serialize_with = "digits::figure")]
    pub to_scan: f64,
    /// Lower end of that ratio's interval, over rounds.
    #[serde(serialize_with = "digits::maybe")]
    pub to_scan_lo: Option<f64>,
    /// Upper end.
    #[serde(serialize_with = "digits::maybe")]
    pub to_scan_hi: Option<f64>,
}

/// How long a single query waits, on the wall.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EngineLatency {
    /// Name of the data set.
    pub dataset: String,
    /// Library and encoding.
    pub contestant: String,
    /// Candidates of the search.
    pub ef: usize,
    /// Of those, how many were compared again exactly.
    pub rerank: usize,
    /// Share of the true neighbours found at that setting.
    #[serde(serialize_with = "digits::figure")]
    pub recall: f64,
    /// Median, microseconds.
    #[serde(serialize_with = "digits::figure")]
    pub p50_us: f64,
    /// 99th percentile, microseconds.
    #[serde(serialize_with = "digits::figure")]
    pub p99_us: f64,
    /// Queries timed.
    pub samples: u64,
}
