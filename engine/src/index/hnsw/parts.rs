//! A graph as plain numbers, and back: what a file holds. Nothing that comes in is trusted.

use super::MAX_ROWS;
use super::graph::{Entry, Graph};
use super::links::{Links, MAX_LAYER};
use super::options::{HnswError, HnswOptions, PartsError};
use super::scratch::Scratch;

/// A graph as plain numbers. Links are row after row; a row of layer 0 has `2 * m` places, one of an
/// upper layer `m`, and a free place, behind all links, is `u32::MAX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphParts {
    /// How it was built, and shall be continued.
    pub options: HnswOptions,
    /// The node where searches begin; any number for an empty graph.
    pub entry_point: u32,
    /// The highest layer of each node.
    pub layers: Vec<u8>,
    /// Layer 0 of each node.
    pub base: Vec<u32>,
    /// The upper layers of each node that has any, lowest first.
    pub upper: Vec<u32>,
}

impl Graph {
    /// Copies the graph out.
    #[must_use]
    pub fn to_parts(&self) -> GraphParts {
        let mut parts = GraphParts {
            options: self.options,
            entry_point: self.entry.map_or(0, |entry| entry.slot),
            layers: self.links.layers.clone(),
            base: Vec::with_capacity(self.len() * self.links.room(0)),
            upper: Vec::new(),
        };
        for slot in 0..self.len() as u32 {
            for layer in 0..=usize::from(self.layer(slot)) {
                let to = if layer == 0 { &mut parts.base } else { &mut parts.upper };
                let end = to.len() + self.links.room(layer);
                to.extend(self.links.of(slot, layer));
                to.resize(end, super::links::NONE);
            }
        }
        parts
    }

    /// Takes parts in and looks at every link. That all nodes can be reached is not looked at; see
    /// [`Graph::check`].
    ///
    /// # Errors
    /// Options out of range, or [`HnswError::Parts`] with the place of what cannot be.
    pub fn from_parts(parts: &GraphParts) -> Result<Self, HnswError> {
        parts.options.check()?;
        let rows = parts.layers.len();
        if rows > MAX_ROWS {
            return Err(HnswError::TooManyRows { rows });
        }
        check(parts).map_err(HnswError::Parts)?;
        let m = parts.options.m;
        let mut links = Links::new(m);
        links.extend(&parts.layers)?;
        let mut referred = vec![0u32; rows];
        let mut upper = parts.upper.chunks_exact(m);
        for (slot, base) in (0u32..).zip(parts.base.chunks_exact(2 * m)) {
            let of = |places: &[u32]| places.partition_point(|&to| to != super::links::NONE);
            for &to in &base[..of(base)] {
                referred[to as usize] += 1;
            }
            links.set(slot, 0, &base[..of(base)]);
            for layer in 1..=usize::from(parts.layers[slot as usize]) {
                if let Some(places) = upper.next() {
                    links.set(slot, layer, &places[..of(places)]);
                }
            }
        }
        let slot = parts.entry_point;
        let entry = parts.layers.get(slot as usize).map(|&layer| Entry { slot, layer });
        Ok(Self { options: parts.options, links, entry, referred, spare: Scratch::default() })
    }
}

fn check(parts: &GraphParts) -> Result<(), PartsError> {
    let (m, rows) = (parts.options.m, parts.layers.len());
    if let Some(slot) = parts.layers.iter().position(|&layer| layer > MAX_LAYER) {
        return Err(PartsError::Layer { slot: slot as u32 });
    }
    // Saturating: with 32-bit sizes the claim of many layers may exceed any array.
    let places = parts.layers.iter().map(|&layer| usize::from(layer) * m);
    let upper = places.fold(0usize, usize::saturating_add);
    let base = rows.saturating_mul(2 * m);
    for (array, found, expected) in
        [("base", parts.base.len(), base), ("upper", parts.upper.len(), upper)]
    {
        if found != expected {
            return Err(PartsError::Length { array, found, expected });
        }
    }
    let top = parts.layers.iter().copied().max();
    if top != parts.layers.get(parts.entry_point as usize).copied() {
        return Err(PartsError::Layer { slot: parts.entry_point });
    }
    let mut upper = parts.upper.chunks_exact(m);
    for (slot, base) in (0u32..).zip(parts.base.chunks_exact(2 * m)) {
        row(parts, slot, 0, base)?;
        for layer in 1..=usize::from(parts.layers[slot as usize]) {
            if let Some(places) = upper.next() {
                row(parts, slot, layer, places)?;
            }
        }
    }
    Ok(())
}

/// One node's places on one layer.
fn row(parts: &GraphParts, slot: u32, layer: usize, places: &[u32]) -> Result<(), PartsError> {
    let count = places.partition_point(|&to| to != super::links::NONE);
    let links = match places.iter().position(|&to| to == super::links::NONE) {
        Some(free) if places[free..].iter().any(|&to| to != super::links::NONE) => {
            return Err(PartsError::Gap { slot, layer });
        }
        _ => &places[..count],
    };
    for (i, &to) in links.iter().enumerate() {
        let there = parts.layers.get(to as usize).is_some_and(|&l| usize::from(l) >= layer);
        if !there || to == slot || links[..i].contains(&to) {
            return Err(PartsError::Link { slot, layer, to });
        }
    }
    Ok(())
}
