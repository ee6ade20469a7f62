//! Which row belongs where, from how often it was asked for.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

/// What an access counts: it is halved eight times before it counts nothing.
const ACCESS: u32 = 256;

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
    /// The least rank for hot, warm, cool and cold, falling. A row's rank is the share of all rows
    /// that were asked for less often than it, and half of those that were asked for as often: so rows
    /// that are all asked for alike are in the middle. One that was never asked for has rank 0.
    pub thresholds: [f64; 4],
    /// How far beyond a threshold a rank must be before the row moves over it; less where there is less
    /// room: half of what lies beyond.
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
        let add = |count: u32| Some(count.saturating_add(ACCESS));
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
            let below = sorted.partition_point(|&c| c < count);
            let alike = sorted[below..].partition_point(|&c| c == count);
            // Never asked for is below everything, however many there are.
            let middle = (below as f64 + alike as f64 / 2.0) / sorted.len() as f64;
            let rank = if count == 0 { 0.0 } else { middle };
            if let Some(to) = self.target(tier, rank) {
                moves.push((slot as u32, to, count));
            }
        }
        moves.sort_by_key(|&(slot, _, count)| (std::cmp::Reverse(count), slot));
        moves.into_iter().map(|(slot, to, _)| (slot, to)).collect()
    }

    /// Where a row of this rank belongs, if it is far enough beyond the tier where it is.
    fn target(&self, tier: Tier, rank: f64) -> Option<Tier> {
        let TierOptions { thresholds, hysteresis, .. } = &self.options;
        let place = thresholds.iter().position(|&t| rank >= t).unwrap_or(thresholds.len());
        let is = tier as usize;
        let clear = match place.cmp(&is) {
            std::cmp::Ordering::Equal => false,
            // Over the threshold above it, or under its own. Where little lies beyond, as below one
            // percent, the whole margin would be more than there is.
            std::cmp::Ordering::Less => {
                let t = thresholds[is - 1];
                rank >= t + hysteresis.min((1.0 - t) / 2.0)
            }
            std::cmp::Ordering::Greater => {
                let t = thresholds[is];
                rank < t - hysteresis.min(t / 2.0)
            }
        };
        clear.then(|| Tier::ALL[place])
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
    fn rows_that_are_asked_for_alike_stay_together_in_the_middle() {
        let mut policy = with(&[3; 50], TierOptions::default());
        settle(&mut policy);
        assert!((0..50).all(|slot| policy.tier(slot) == Tier::Warm));
        // A few that are asked for more are hot; nobody else has to leave for them.
        for slot in 0..5 {
            (0..9).for_each(|_| policy.touch(slot));
        }
        policy.advance_epoch();
        settle(&mut policy);
        assert!(
            (0..50).all(|slot| policy.tier(slot) == if slot < 5 { Tier::Hot } else { Tier::Warm })
        );
    }

    #[test]
    fn what_is_forgotten_sinks_to_the_archive_from_any_tier() {
        for tier in Tier::ALL {
            let mut policy = with(&[0; 10], TierOptions::default());
            policy.moved(0, tier);
            policy.advance_epoch();
            settle(&mut policy);
            assert_eq!(policy.tier(0), Tier::Archive, "from {tier}");
        }
        // And rises from there.
        let mut policy = with(&[0; 10], TierOptions { residency: 0, ..TierOptions::default() });
        settle(&mut policy);
        policy.touch(7);
        settle(&mut policy);
        assert_eq!(policy.tier(7), Tier::Hot);
    }

    #[test]
    fn counts_halve_and_never_wrap() {
        let mut policy = with(&[1], TierOptions::default());
        for expected in [128, 64, 32, 16, 8, 4, 2, 1, 0] {
            policy.advance_epoch();
            assert_eq!(*policy.counts[0].get_mut(), expected);
        }
        *policy.counts[0].get_mut() = u32::MAX - 100;
        policy.touch(0);
        assert_eq!(*policy.counts[0].get_mut(), u32::MAX);
    }

    #[test]
    fn a_row_that_has_just_come_rests() {
        let mut policy =
            with(&[0, 0, 0, 9], TierOptions { residency: 2, ..TierOptions::default() });
        assert!(policy.due().is_empty());
        policy.advance_epoch();
        assert_eq!(policy.due().len(), 3);
        settle(&mut policy);
        policy.touch(0);
        (0..99).for_each(|_| policy.touch(0));
        // The one that has not moved may.
        assert!(policy.due().iter().all(|m| m.0 == 3));
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
