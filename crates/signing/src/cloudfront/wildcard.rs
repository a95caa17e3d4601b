//! Wildcards in a custom policy's resource. `*` matches zero or more characters, `?` exactly one ("Create a signed
//! URL using a custom policy", *Values that you specify in the policy statement*).

/// Whether the whole of `text` matches `pattern`.
///
/// Linear in practice, quadratic in the worst case: after a mismatch only the latest star takes one more character.
/// Retrying an earlier star cannot help.
pub(super) fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.as_bytes(), text.as_bytes());
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), text.split_first()) {
            (Some((b'*', after_star)), _) => {
                retry = Some((after_star, text));
                pattern = after_star;
            }
            (Some((expected, more_pattern)), Some((found, more_text)))
                if *expected == b'?' || expected == found =>
            {
                (pattern, text) = (more_pattern, more_text);
            }
            (None, None) => return true,
            _ => {
                let Some((after_star, [_, longer @ ..])) = retry else { return false };
                retry = Some((after_star, longer));
                (pattern, text) = (after_star, longer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn matches_stars_and_question_marks() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "https://a/b?c"),
            ("*://a/*", "http://a/"),
            ("https://*.example.com/*", "https://img7.example.com/x.png"),
            ("a?c", "abc"),
            ("a?b=1", "a?b=1"),
            ("a*b*c", "aXbYbZc"),
            ("**", "x"),
            ("", ""),
        ] {
            assert!(matches_pattern(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("a", "ab"),
            ("ab", "a"),
            ("a?", "a"),
            ("", "a"),
            ("*b", "abc"),
            ("https://h/P45/*", "https://h/P456/x"),
            ("https://h/P45/*", "https://h/P45"),
            ("https://h/P45/*", "xhttps://h/P45/x"),
        ] {
            assert!(!matches_pattern(pattern, text), "{pattern} {text}");
        }
    }

    /// The definition, by recursion.
    fn by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => (0..=text.len()).any(|skip| by_definition(rest, &text[skip..])),
            (Some((b'?', rest)), Some((_, text))) => by_definition(rest, text),
            (Some((a, rest)), Some((b, text))) => a == b && by_definition(rest, text),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?]{0,8}", text in "[ab?]{0,10}") {
            prop_assert_eq!(matches_pattern(&pattern, &text), by_definition(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
