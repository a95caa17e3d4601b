//! Numbers that look like chance and are the same each time.

/// A `SplitMix64` generator (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub(super) struct Noise(u64);

impl Noise {
    /// Different seeds give unrelated streams.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, without, 1.
    pub(super) fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number of a range, each as likely.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.fraction()
    }

    /// A whole number below `end`, each as likely; 0 if `end` is 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.fraction() * end as f64) as usize
    }

    /// A bell curve around 0 with a standard deviation of 4: how many more heads than 32 in 64 tosses.
    pub(super) fn bell(&mut self) -> i32 {
        self.bits().count_ones() as i32 - 32
    }

    /// One of a list, each as likely; nothing of an empty one.
    pub(super) fn choose<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list.get(self.below(list.len())).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Noise;

    #[test]
    fn known_answers() {
        // The first outputs of the authors' reference code for seed 1234567.
        let mut noise = Noise::new(1_234_567);
        assert_eq!([noise.bits(), noise.bits()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn the_bell_is_a_bell() {
        let mut noise = Noise::new(1);
        let draws: Vec<i32> = (0..10_000).map(|_| noise.bell()).collect();
        let mean = f64::from(draws.iter().sum::<i32>()) / 10_000.0;
        let variance = f64::from(draws.iter().map(|draw| draw * draw).sum::<i32>()) / 10_000.0;
        assert!(mean.abs() < 0.2 && (15.0..17.0).contains(&variance), "{mean} {variance}");
    }
}
