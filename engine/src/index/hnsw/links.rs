//! Who is linked with whom: fixed room for each node, free places behind the links.
//!
//! ```text
//! layer 0   |a b c - - - - -|d e - - - - - -| ...   m0 places a node, whole cache lines
//! upper     |  layer 1  |  layer 2  | ...           m places a layer, for the few nodes that have any
//! ```

use annvil_kernels::prefetch;

use super::options::HnswError;

/// A place without a link.
pub(super) const NONE: u32 = u32::MAX;
/// Places of a cache line.
const LINE: usize = 16;
/// Links grow by this part of themselves at least: rows that come in small batches must not move all
/// links each time.
const GROWTH: usize = 8;
/// Layers above 0 at most; by chance alone a graph of 2^32 rows and m = 2 would have more.
pub(super) const MAX_LAYER: u8 = 24;

/// A cache line of links.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([u32; LINE]);

/// The links of every node on every layer.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    m: usize,
    lines: Vec<Line>,
    /// The highest layer of each node.
    pub(super) layers: Vec<u8>,
    /// Where each node's upper links begin.
    upper_at: Vec<u32>,
    upper: Vec<u32>,
}

impl Links {
    pub(super) fn new(m: usize) -> Self {
        Self { m, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.layers.len()
    }

    pub(super) fn room(&self, layer: usize) -> usize {
        if layer == 0 { 2 * self.m } else { self.m }
    }

    fn lines_each(&self) -> usize {
        (2 * self.m).div_ceil(LINE)
    }

    /// Makes room for nodes of these layers.
    pub(super) fn reserve(
        &mut self,
        layers: impl ExactSizeIterator<Item = u8>,
    ) -> Result<(), HnswError> {
        let more = layers.len();
        let rows = self.len().saturating_add(more);
        let memory = |_| HnswError::Memory { rows };
        // The largest first: what fails, fails before layers are drawn.
        let lines = more.saturating_mul(self.lines_each());
        if lines > self.lines.capacity() - self.lines.len() {
            let lines = lines.max(self.lines.len() / GROWTH);
            self.lines.try_reserve_exact(lines).map_err(memory)?;
        }
        self.layers.try_reserve(more).map_err(memory)?;
        self.upper_at.try_reserve(more).map_err(memory)?;
        let places = layers.map(|layer| usize::from(layer) * self.m);
        let upper = places.fold(0usize, usize::saturating_add);
        if u32::try_from(self.upper.len().saturating_add(upper)).is_err() {
            return Err(HnswError::Memory { rows });
        }
        self.upper.try_reserve(upper).map_err(memory)
    }

    /// Adds nodes of these layers, without links.
    pub(super) fn extend(&mut self, layers: &[u8]) -> Result<(), HnswError> {
        self.reserve(layers.iter().copied())?;
        let lines = layers.len() * self.lines_each();
        self.lines.resize(self.lines.len() + lines, Line([NONE; LINE]));
        for &layer in layers {
            self.layers.push(layer);
            self.upper_at.push(self.upper.len() as u32);
            self.upper.resize(self.upper.len() + usize::from(layer) * self.m, NONE);
        }
        Ok(())
    }

    /// The links of a node on a layer.
    pub(super) fn of(&self, slot: u32, layer: usize) -> impl Iterator<Item = u32> + '_ {
        let each = self.lines_each();
        let (base, upper): (&[Line], &[u32]) = match layer {
            0 => (&self.lines[slot as usize * each..][..each], &[]),
            _ => (&[], &self.upper[self.upper_place(slot, layer)..][..self.m]),
        };
        let base = base.iter().flat_map(|line| line.0.iter());
        base.chain(upper).copied().take_while(|&to| to != NONE)
    }

    /// Asks for the links of a node on layer 0: it will be expanded soon.
    #[inline]
    pub(super) fn prefetch(&self, slot: u32) {
        let each = self.lines_each();
        for line in self.lines.iter().skip(slot as usize * each).take(each) {
            prefetch(line);
        }
    }

    fn upper_place(&self, slot: u32, layer: usize) -> usize {
        self.upper_at[slot as usize] as usize + (layer - 1) * self.m
    }

    /// Writes a node's links on a layer.
    pub(super) fn set(&mut self, slot: u32, layer: usize, links: &[u32]) {
        assert!(links.len() <= self.room(layer), "more links than a node has room for");
        if layer == 0 {
            let each = self.lines_each();
            let lines = &mut self.lines[slot as usize * each..][..each];
            let mut links = links.iter();
            for line in lines {
                for place in &mut line.0 {
                    *place = links.next().copied().unwrap_or(NONE);
                }
            }
            return;
        }
        let at = self.upper_place(slot, layer);
        let places = &mut self.upper[at..][..self.m];
        places.fill(NONE);
        places[..links.len()].copy_from_slice(links);
    }

    pub(super) fn bytes(&self) -> usize {
        self.lines.capacity() * size_of::<Line>()
            + self.layers.capacity()
            + (self.upper_at.capacity() + self.upper.capacity()) * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_where_they_were_put() {
        let mut links = Links::new(5);
        links.extend(&[0, 2, 1]).unwrap();
        links.set(1, 0, &[0, 2]);
        links.set(1, 2, &[7, 8, 9, 10, 11]);
        links.set(2, 1, &[1]);
        let of = |slot, layer| links.of(slot, layer).collect::<Vec<_>>();
        assert_eq!((of(0, 0), of(1, 0)), (vec![], vec![0, 2]));
        assert_eq!((of(1, 1), of(1, 2)), (vec![], vec![7, 8, 9, 10, 11]));
        assert_eq!(of(2, 1), [1]);
        links.set(1, 0, &[]);
        assert_eq!(links.of(1, 0).count(), 0);
        assert_eq!((links.room(0), links.room(1)), (10, 5));
    }

    #[test]
    #[should_panic(expected = "more links")]
    fn too_many_links_are_a_mistake() {
        let mut links = Links::new(2);
        links.extend(&[0]).unwrap();
        links.set(0, 0, &[1, 2, 3, 4, 5]);
    }
}
