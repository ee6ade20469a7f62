//! A collection's options as the store remembers them, and back.

use std::str::FromStr;

#[cfg(feature = "hnsw")]
use crate::HnswOptions;
use crate::collection::{CollectionBuilder, CollectionError, IndexKind, Originals};
use crate::storage::StoreOptions;

/// Names and values, as the store keeps them.
type Params = [(String, String)];

impl CollectionBuilder {
    /// What a store is to remember, and what one that is opened has to have remembered.
    pub(super) fn to_params(&self, to: StoreOptions) -> Result<StoreOptions, CollectionError> {
        let to = to
            .param("dim", self.dim.to_string())
            .param("metric", self.metric.to_string())
            .param("encoding", self.encoding.to_string())
            .param("originals", originals_name(self.originals))
            .param("seed", self.seed.to_string())
            .param("train_at", self.train_at.to_string());
        match self.index {
            IndexKind::Flat => Ok(to.param("index", "flat")),
            #[cfg(feature = "hnsw")]
            IndexKind::Hnsw(HnswOptions { m, ef_construction, seed }) => Ok(to
                .param("index", "hnsw")
                .param("hnsw.m", m.to_string())
                .param("hnsw.ef_construction", ef_construction.to_string())
                .param("hnsw.seed", seed.to_string())),
            #[cfg(feature = "hnsw_rs")]
            IndexKind::HnswRs(_) => Err(CollectionError::HnswRsStored),
        }
    }

    /// These options, but for what a store remembers otherwise.
    pub(super) fn with_params(mut self, params: &Params) -> Result<Self, CollectionError> {
        self.dim = parsed(params, "dim")?;
        self.metric = parsed(params, "metric")?;
        self.encoding = parsed(params, "encoding")?;
        self.originals = get(params, "originals", |text| {
            [Originals::Drop, Originals::Keep].into_iter().find(|o| originals_name(*o) == text)
        })?;
        self.seed = parsed(params, "seed")?;
        self.train_at = parsed(params, "train_at")?;
        self.index = get(params, "index", |text| match text {
            "flat" => Some(IndexKind::Flat),
            #[cfg(feature = "hnsw")]
            "hnsw" => Some(IndexKind::Hnsw(HnswOptions::default())),
            _ => None,
        })?;
        #[cfg(feature = "hnsw")]
        if let IndexKind::Hnsw(options) = &mut self.index {
            options.m = parsed(params, "hnsw.m")?;
            options.ef_construction = parsed(params, "hnsw.ef_construction")?;
            options.seed = parsed(params, "hnsw.seed")?;
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

fn parsed<T: FromStr>(params: &Params, name: &'static str) -> Result<T, CollectionError> {
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
