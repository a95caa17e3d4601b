//! The size of a body in the response of a function.

/// The length of a text in a JSON string, without its quotes: a function's response has the body as such a string.
pub(crate) fn json_string_length(text: &[u8]) -> usize {
    text.len() + text.iter().filter(|byte| matches!(byte, b'"' | b'\\' | b'\n')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_a_json_string_escapes() {
        for text in [r#"{"a": "b"}"#, "a\nb", r"a\b", "", "é漢"] {
            assert_eq!(
                json_string_length(text.as_bytes()) + 2,
                serde_json::to_string(text).unwrap().len(),
                "{text}"
            );
        }
    }
}
