//! Percent-encoding as `SigV4` wants it (RFC 3986, section 2.3): only unreserved characters stay as they are.

/// What stays literal besides the unreserved characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Nothing: a query name or value.
    Nothing,
    /// The slash: a path of several segments.
    Slash,
}

/// Appends `text` to `out`, encoded with upper-case hex.
pub(crate) fn encode_into(out: &mut String, text: &str, keep: Keep) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    // Almost every key and value is already safe: copy whole runs, not characters.
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !is_literal(byte, keep)) {
        let (safe, tail) = split_before(rest, at);
        out.push_str(safe);
        // A multi-byte character is encoded as a whole, so that `rest` stays on a character boundary.
        let Some(unsafe_char) = tail.chars().next() else { break };
        for byte in unsafe_char.encode_utf8(&mut [0; 4]).bytes() {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.extend(HEX.get(usize::from(digit)));
            }
        }
        (_, rest) = split_before(tail, unsafe_char.len_utf8());
    }
    out.push_str(rest);
}

/// An object's key as the path of a URL, without a slash in front: each segment encoded once.
#[must_use]
pub fn encode_key(key: &str) -> String {
    let mut out = String::with_capacity(key.len() + key.len() / 4);
    encode_into(&mut out, key, Keep::Slash);
    out
}

/// A query's name or value: everything encoded but unreserved characters.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    encode_into(&mut out, text, Keep::Nothing);
    out
}

/// Decodes `%XX` escapes. `None` for a broken escape or for bytes that are not UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    String::from_utf8(decode_bytes(text)?).ok()
}

/// Decodes `%XX` escapes (RFC 3986, section 2.1), which may stand for any bytes. `None` for a broken escape: a percent
/// sign without two hexadecimal digits.
#[must_use]
pub fn decode_bytes(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex_value(rest.next()?)? << 4 | hex_value(rest.next()?)?,
            other => other,
        });
    }
    Some(bytes)
}

/// RFC 3986's unreserved characters, and what `keep` adds.
fn is_literal(byte: u8, keep: Keep) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'_' | b'.' | b'~')
        || (byte == b'/' && keep == Keep::Slash)
}

fn split_before(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

pub(crate) fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_keeps_its_slashes_and_nothing_else_that_is_reserved() {
        let path = encode_key("naïve café/~a-b_c.d/100% +(1)*");
        assert_eq!(path, "na%C3%AFve%20caf%C3%A9/~a-b_c.d/100%25%20%2B%281%29%2A");
        assert_eq!(encode("a/b"), "a%2Fb");
    }

    #[test]
    fn broken_escapes_and_bytes_that_are_not_utf8_are_refused() {
        for text in ["%", "%2", "%zz", "%+1", "a%2", "%FF", "%C3"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(decode("%c3%A9%2f").as_deref(), Some("é/"));
    }

    proptest! {
        #[test]
        fn a_path_has_nothing_that_means_something_in_a_url(key in any::<String>()) {
            let path = encode_key(&key);
            prop_assert!(path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b)));
        }

        #[test]
        fn decoding_undoes_encoding(text in any::<String>()) {
            let encoded = encode(&text);
            prop_assert!(encoded.is_ascii());
            prop_assert_eq!(decode(&encoded), Some(text));
        }
    }
}
