//! Pseudorandom numbers that are the same each time.

/// The `SplitMix64` generator (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub(super) struct SplitMix64(u64);

impl SplitMix64 {
    /// Different seeds give independent streams.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub(super) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A uniform number in `0.0..1.0`.
    pub(super) fn next_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A uniform number in `low..high`.
    pub(super) fn in_range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next_f64()
    }

    /// A uniform integer in `0..end`. 0 if `end` is 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next_f64() * end as f64) as usize
    }

    /// A number from an approximate normal distribution with mean 0 and standard deviation 4: the number of ones in 64 random
    /// bits, minus 32.
    pub(super) fn next_normal(&mut self) -> i32 {
        self.next_u64().count_ones() as i32 - 32
    }

    /// A random element of a list. Empty if the list is empty.
    pub(super) fn choose<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list.get(self.below(list.len())).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::SplitMix64;

    #[test]
    fn matches_the_reference_code() {
        // The first outputs of the authors' reference code for seed 1234567.
        let mut random = SplitMix64::new(1_234_567);
        assert_eq!(
            [random.next_u64(), random.next_u64()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }

    #[test]
    fn numbers_are_approximately_normal() {
        let mut random = SplitMix64::new(1);
        let draws: Vec<i32> = (0..10_000).map(|_| random.next_normal()).collect();
        let mean = f64::from(draws.iter().sum::<i32>()) / 10_000.0;
        let variance = f64::from(draws.iter().map(|draw| draw * draw).sum::<i32>()) / 10_000.0;
        assert!(mean.abs() < 0.2 && (15.0..17.0).contains(&variance), "{mean} {variance}");
    }
}
