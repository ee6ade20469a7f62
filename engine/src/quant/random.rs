//! Numbers that look random and are the same for the same seed.

/// SplitMix64 (Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The stream `stream` of `seed`: sub-spaces draw apart from each other.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut first = Self(seed);
        Self(first.next().wrapping_add(stream.wrapping_mul(0xd1b5_4a32_d192_ed03)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 if `end` is 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// A number in 0..1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `count` different numbers below `end`, ascending; all of them if there are fewer (selection
    /// sampling: Knuth, The Art of Computer Programming 2, 3.4.2 S).
    pub(super) fn choose(&mut self, count: usize, end: usize) -> Vec<usize> {
        let mut left = count.min(end);
        let mut chosen = Vec::with_capacity(left);
        for i in 0..end {
            if left == 0 {
                break;
            }
            if self.below(end - i) < left {
                chosen.push(i);
                left -= 1;
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_are_different_and_ascending() {
        for (count, end) in [(0, 5), (5, 5), (9, 5), (10, 1000), (1, 1)] {
            let chosen = Random::new(7, 0).choose(count, end);
            assert_eq!(chosen.len(), count.min(end));
            assert!(chosen.windows(2).all(|w| w[0] < w[1]) && chosen.iter().all(|&i| i < end));
        }
        assert_ne!(Random::new(7, 0).choose(10, 1000), Random::new(7, 1).choose(10, 1000));
        assert_ne!(Random::new(7, 0).choose(10, 1000), Random::new(8, 0).choose(10, 1000));
    }
}
