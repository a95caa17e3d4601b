//! How long to wait before asking again.

use std::time::Duration;

use uuid::Uuid;

/// The longest that the first pause may be; the bound doubles with each.
const FIRST: Duration = Duration::from_millis(100);

/// The longest that any pause may be.
const LONGEST: Duration = Duration::from_secs(2);

/// A pause after this many failures in a row, drawn evenly from a range that doubles with each, so that those who were
/// turned away together do not come back together (AWS Architecture Blog, "Exponential Backoff And Jitter").
#[must_use]
pub fn backoff(failures: u32) -> Duration {
    let bound = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
    let (random, _) = Uuid::new_v4().as_u64_pair();
    // Half of the bound is certain: a pause of nothing is no pause.
    let millis = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX) / 2;
    Duration::from_millis(millis + random % (millis + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound() {
        for (failures, least, most) in
            [(0, 50, 100), (1, 50, 100), (2, 100, 200), (4, 400, 800), (30, 1000, 2000)]
        {
            for _ in 0..50 {
                let pause = backoff(failures).as_millis();
                assert!((least..=most).contains(&pause), "{pause} ms after {failures}");
            }
        }
    }
}
