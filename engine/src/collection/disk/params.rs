//! A collection's options as the store remembers them, and back.

use std::fmt::Display;
use std::str::FromStr;

#[cfg(feature = "hnsw")]
use crate::HnswOptions;
use crate::collection::{CollectionBuilder, CollectionError, IndexKind, Originals};
use crate::scorer::Encoding;
use crate::storage::StoreOptions;

/// Names and values, as the store keeps them.
type Params = [(String, String)];

impl CollectionBuilder {
    /// What a store is to remember, and what one that is opened has to have remembered.
    pub(super) fn to_params(&self, mut to: StoreOptions) -> Result<StoreOptions, CollectionError> {
        let encoding = match self.encoding {
            #[cfg(feature = "pq")]
            Encoding::Pq { m, nbits } => format!("pq{nbits}:{m}"),
            Encoding::Binary { rotation: Some(seed) } => format!("binary-rotated:{seed}"),
            other => other.to_string(),
        };
        let mut put = |name: &str, value: &dyn Display| {
            to = to.clone().param(name, value.to_string());
        };
        put("dim", &self.dim);
        put("metric", &self.metric);
        put("encoding", &encoding);
        put("originals", &originals_name(self.originals));
        put("seed", &self.seed);
        put("train_at", &self.train_at);
        match self.index {
            IndexKind::Flat => put("index", &"flat"),
            #[cfg(feature = "hnsw")]
            IndexKind::Hnsw(HnswOptions { m, ef_construction, seed }) => {
                put("index", &"hnsw");
                put("hnsw.m", &m);
                put("hnsw.ef_construction", &ef_construction);
                put("hnsw.seed", &seed);
            }
            #[cfg(feature = "hnsw_rs")]
            IndexKind::HnswRs(_) => return Err(CollectionError::HnswRsStored),
        }
        Ok(to)
    }

    /// These options, but for what a store remembers otherwise.
    pub(super) fn with_params(mut self, params: &Params) -> Result<Self, CollectionError> {
        self.dim = number(params, "dim")?;
        self.metric = number(params, "metric")?;
        self.encoding =
            get(params, "encoding", |text| match text.strip_prefix("binary-rotated:") {
                Some(seed) => Some(Encoding::Binary { rotation: Some(seed.parse().ok()?) }),
                None => text.parse().ok(),
            })?;
        self.originals = get(params, "originals", |text| {
            [Originals::Drop, Originals::Keep].into_iter().find(|o| originals_name(*o) == text)
        })?;
        self.seed = number(params, "seed")?;
        self.train_at = number(params, "train_at")?;
        self.index = get(params, "index", |text| match text {
            "flat" => Some(IndexKind::Flat),
            #[cfg(feature = "hnsw")]
            "hnsw" => Some(IndexKind::Hnsw(HnswOptions::default())),
            _ => None,
        })?;
        #[cfg(feature = "hnsw")]
        if let IndexKind::Hnsw(options) = &mut self.index {
            options.m = number(params, "hnsw.m")?;
            options.ef_construction = number(params, "hnsw.ef_construction")?;
            options.seed = number(params, "hnsw.seed")?;
        }
        Ok(self)
    }
}

fn originals_name(originals: Originals) -> &'static str {
    match originals {
        Originals::Drop => "drop",
        Originals::Keep => "keep",
    }
}

fn number<T: FromStr>(params: &Params, name: &'static str) -> Result<T, CollectionError> {
    get(params, name, |text| text.parse().ok())
}

fn get<T>(
    params: &Params,
    name: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, CollectionError> {
    let found = params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    found
        .and_then(parse)
        .ok_or_else(|| CollectionError::BadParam { name, value: found.map(str::to_owned) })
}
