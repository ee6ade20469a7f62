//! Which row belongs where, from how often it was asked for.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

/// How a row is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    /// As it came.
    Hot,
    /// 8-bit codes.
    Warm,
    /// 4-bit codes.
    Cool,
    /// Product quantisation.
    Cold,
    /// Bits.
    Archive,
}

impl Tier {
    /// Every tier, the fullest first.
    pub const ALL: [Self; 5] = [Self::Hot, Self::Warm, Self::Cool, Self::Cold, Self::Archive];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Warm => "warm",
            Self::Cool => "cool",
            Self::Cold => "cold",
            Self::Archive => "archive",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// When rows move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TierOptions {
    /// The least rank for hot, warm, cool and cold: a row's rank is the share of all rows that were
    /// asked for less often than it. Falling.
    pub thresholds: [f64; 4],
    /// How far beyond a threshold a rank must be before the row moves.
    pub hysteresis: f64,
    /// Epochs that a row stays where it came before it may move on.
    pub residency: u32,
}

impl Default for TierOptions {
    /// 80, 40, 10 and 1 %; 2 % beyond; one epoch.
    fn default() -> Self {
        Self { thresholds: [0.80, 0.40, 0.10, 0.01], hysteresis: 0.02, residency: 1 }
    }
}

/// Thresholds that make no sense.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum PolicyError {
    /// They do not fall from at most 1 to at least 0.
    Thresholds {
        /// As given.
        thresholds: [f64; 4],
    },
    /// The hysteresis is no share, or wider than half the narrowest tier.
    Hysteresis {
        /// As given.
        hysteresis: f64,
    },
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thresholds { thresholds } => {
                write!(f, "thresholds {thresholds:?}; give four shares, each below the one before")
            }
            Self::Hysteresis { hysteresis } => write!(
                f,
                "a hysteresis of {hysteresis}; give a share below half the distance of two thresholds"
            ),
        }
    }
}

impl std::error::Error for PolicyError {}

/// Counts of accesses, and where rows belong.
#[derive(Debug)]
pub struct Policy {
    options: TierOptions,
    counts: Vec<AtomicU32>,
    tiers: Vec<Tier>,
    /// The epoch in which each row came to its tier.
    since: Vec<u32>,
    epoch: u32,
}

impl Policy {
    /// No rows yet.
    ///
    /// # Errors
    /// Thresholds that do not fall, or a hysteresis that would let no row rest.
    pub fn new(options: TierOptions) -> Result<Self, PolicyError> {
        let t = options.thresholds;
        let falling = t.windows(2).all(|w| w[0] > w[1]) && t[0] <= 1.0 && t[3] >= 0.0;
        if !falling {
            return Err(PolicyError::Thresholds { thresholds: t });
        }
        let narrowest = t.windows(2).map(|w| w[0] - w[1]).fold(f64::INFINITY, f64::min);
        if !(0.0..narrowest / 2.0).contains(&options.hysteresis) {
            return Err(PolicyError::Hysteresis { hysteresis: options.hysteresis });
        }
        Ok(Self { options, counts: Vec::new(), tiers: Vec::new(), since: Vec::new(), epoch: 0 })
    }

    /// One row more; it begins hot.
    pub fn push(&mut self) {
        self.counts.push(AtomicU32::new(0));
        self.tiers.push(Tier::Hot);
        self.since.push(self.epoch);
    }

    /// Rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tiers.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tiers.is_empty()
    }

    /// The row at `slot` was asked for. By any number of threads.
    ///
    /// # Panics
    /// If there is no such slot.
    pub fn touch(&self, slot: u32) {
        // Saturating: a count that wrapped would turn the hottest row cold.
        let add = |count: u32| count.checked_add(256);
        let _ = self.counts[slot as usize].fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Where a row is.
    ///
    /// # Panics
    /// If there is no such slot.
    #[must_use]
    pub fn tier(&self, slot: u32) -> Tier {
        self.tiers[slot as usize]
    }

    /// An epoch ends: what was counted before counts half.
    pub fn advance_epoch(&mut self) {
        self.epoch = self.epoch.saturating_add(1);
        for count in &mut self.counts {
            *count.get_mut() /= 2;
        }
    }

    /// The moves that are due, those that matter most first: rows that are asked for come before
    /// rows that are not. Nothing is moved.
    #[must_use]
    pub fn due(&self) -> Vec<(u32, Tier)> {
        let counts: Vec<u32> = self.counts.iter().map(|c| c.load(Ordering::Relaxed)).collect();
        let mut sorted = counts.clone();
        sorted.sort_unstable();
        let mut moves: Vec<(u32, Tier, u32)> = Vec::new();
        for (slot, (&count, &tier)) in counts.iter().zip(&self.tiers).enumerate() {
            if self.epoch.saturating_sub(self.since[slot]) < self.options.residency {
                continue;
            }
            // Never asked for is below everything, however many there are.
            let below = sorted.partition_point(|&c| c < count);
            let rank = if count == 0 { 0.0 } else { below as f64 / sorted.len() as f64 };
            if let Some(to) = self.target(tier, rank) {
                moves.push((slot as u32, to, count));
            }
        }
        moves.sort_by_key(|&(slot, _, count)| (std::cmp::Reverse(count), slot));
        moves.into_iter().map(|(slot, to, _)| (slot, to)).collect()
    }

    /// Where a row of this rank belongs, if it is not near enough to where it is.
    fn target(&self, tier: Tier, rank: f64) -> Option<Tier> {
        let at = |rank: f64| {
            let place = self.options.thresholds.iter().position(|&t| rank >= t);
            Tier::ALL[place.unwrap_or(4)]
        };
        let margin = self.options.hysteresis;
        let to = at(rank);
        let clear = match to.cmp(&tier) {
            std::cmp::Ordering::Equal => return None,
            // Towards hot: still beyond the threshold with less; towards the archive: with more.
            std::cmp::Ordering::Less => at(rank - margin) < tier,
            std::cmp::Ordering::Greater => at(rank + margin) > tier,
        };
        clear.then_some(to)
    }

    /// A row was moved.
    ///
    /// # Panics
    /// If there is no such slot.
    pub fn moved(&mut self, slot: u32, to: Tier) {
        self.tiers[slot as usize] = to;
        self.since[slot as usize] = self.epoch;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(counts: &[u32], options: TierOptions) -> Policy {
        let mut policy = Policy::new(options).unwrap();
        counts.iter().for_each(|_| policy.push());
        for (slot, &count) in counts.iter().enumerate() {
            (0..count).for_each(|_| policy.touch(slot as u32));
        }
        policy.epoch += 1;
        policy
    }

    fn settle(policy: &mut Policy) {
        for (slot, to) in policy.due() {
            policy.moved(slot, to);
        }
    }

    #[test]
    fn rows_go_where_their_rank_says() {
        let counts: Vec<u32> = (0..100).collect();
        let mut policy = with(&counts, TierOptions::default());
        settle(&mut policy);
        let of = |tier| (0..100).filter(|&s| policy.tier(s) == tier).count();
        assert_eq!(Tier::ALL.map(of), [22, 38, 30, 9, 1]);
        assert_eq!((policy.tier(99), policy.tier(0)), (Tier::Hot, Tier::Archive));
    }

    #[test]
    fn a_row_that_wavers_at_a_threshold_stays() {
        let counts: Vec<u32> = (1..=100).collect();
        let mut policy = with(&counts, TierOptions { residency: 0, ..TierOptions::default() });
        settle(&mut policy);
        // Ranks of neighbours swap around the threshold of 40 %, once a step.
        let mut moves = 0;
        for step in 0..50 {
            policy.touch(if step % 2 == 0 { 39 } else { 40 });
            moves += policy.due().len();
            settle(&mut policy);
        }
        assert!(moves <= 4, "{moves}");
    }

    #[test]
    fn a_row_that_has_just_come_rests() {
        let mut policy =
            with(&[0, 0, 0, 9], TierOptions { residency: 2, ..TierOptions::default() });
        assert!(policy.due().is_empty());
        policy.advance_epoch();
        assert_eq!(policy.due().len(), 4);
        settle(&mut policy);
        policy.touch(0);
        (0..99).for_each(|_| policy.touch(0));
        assert!(policy.due().is_empty());
        policy.advance_epoch();
        policy.advance_epoch();
        assert!(policy.due().iter().any(|m| m.0 == 0));
    }

    #[test]
    fn absurd_options_are_refused() {
        for thresholds in
            [[0.1, 0.4, 0.8, 0.9], [1.1, 0.4, 0.1, 0.0], [0.5, 0.5, 0.1, 0.0], [f64::NAN; 4]]
        {
            assert!(Policy::new(TierOptions { thresholds, ..TierOptions::default() }).is_err());
        }
        for hysteresis in [-0.1, 0.2, f64::NAN] {
            assert!(Policy::new(TierOptions { hysteresis, ..TierOptions::default() }).is_err());
        }
    }
}
