//! Whether a graph is one: for tests, for `verify`, for whoever wonders.

use super::graph::Graph;

/// What a look at every link found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphReport {
    /// Nodes.
    pub nodes: usize,
    /// Nodes that have each layer, layer 0 first.
    pub on_layer: Vec<usize>,
    /// Links of layer 0.
    pub links: usize,
    /// Most links of a node on layer 0.
    pub most_links: usize,
    /// Links to a node that is not on the layer, to the node itself, or twice to the same.
    pub bad_links: usize,
    /// Nodes that no search can find: no path of links leads to them on layer 0.
    pub unreachable: usize,
    /// Whether searches begin at a node of the highest layer.
    pub entry_is_on_top: bool,
}

impl GraphReport {
    /// Whether every node can be found and every link leads somewhere.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.bad_links == 0 && self.unreachable == 0 && self.entry_is_on_top
    }
}

impl Graph {
    /// Looks at every link. Takes time and memory in proportion to the graph.
    #[must_use]
    pub fn check(&self) -> GraphReport {
        let top = self.links.layers.iter().copied().max();
        let mut report = GraphReport {
            nodes: self.len(),
            on_layer: vec![0; top.map_or(0, |t| usize::from(t) + 1)],
            entry_is_on_top: match (self.entry, top) {
                (None, None) => true,
                (Some(entry), Some(top)) => {
                    entry.layer == top && self.layer(entry.slot) == entry.layer
                }
                _ => false,
            },
            ..GraphReport::default()
        };
        for slot in 0..self.len() as u32 {
            for layer in 0..=usize::from(self.layer(slot)) {
                report.on_layer[layer] += 1;
                let links: Vec<u32> = self.links.of(slot, layer).collect();
                if layer == 0 {
                    report.links += links.len();
                    report.most_links = report.most_links.max(links.len());
                }
                let bad = |i: usize| {
                    let to = links[i];
                    to == slot
                        || to as usize >= self.len()
                        || usize::from(self.layer(to)) < layer
                        || links[..i].contains(&to)
                };
                report.bad_links += (0..links.len()).filter(|&i| bad(i)).count();
            }
        }
        if let Some(entry) = self.entry {
            let mut reached = vec![false; self.len()];
            report.unreachable = self.len() - self.spread(entry.slot, &mut reached);
        }
        report
    }
}
