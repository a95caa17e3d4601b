//! Percent-encoding as `SigV4` requires it (RFC 3986, section 2.3): only unreserved characters stay literal.

use std::borrow::Cow;

/// The characters that stay literal besides the unreserved ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum EncodeSet {
    /// None: for a query name or value.
    Component,
    /// The slash: for a path of several segments.
    Path,
}

/// Appends `text` to `out`, encoded with upper-case hex digits.
pub(crate) fn encode_into(out: &mut String, text: &str, set: EncodeSet) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    // Almost every key and value is already safe, so whole runs are copied instead of single characters.
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !is_literal(byte, set)) {
        let (safe, tail) = split_before(rest, at);
        out.push_str(safe);
        // A multi-byte character is encoded as a whole, so that `rest` stays on a character boundary.
        let Some(unsafe_char) = tail.chars().next() else { break };
        for byte in unsafe_char.encode_utf8(&mut [0; 4]).bytes() {
            out.push('%');
            for digit in [byte / 16, byte % 16] {
                out.extend(HEX.get(usize::from(digit)));
            }
        }
        (_, rest) = split_before(tail, unsafe_char.len_utf8());
    }
    out.push_str(rest);
}

/// Encodes an object key as the path of a URL, without a leading slash. Slashes stay, each segment is encoded once.
#[must_use]
pub fn encode_path(key: &str) -> String {
    let mut out = String::with_capacity(key.len() + key.len() / 4);
    encode_into(&mut out, key, EncodeSet::Path);
    out
}

/// Encodes a query name or value. Only unreserved characters stay literal.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    encode_into(&mut out, text, EncodeSet::Component);
    out
}

/// Decodes `%XX` escapes. `None` if an escape is broken or the result is not UTF-8.
pub(crate) fn decode_utf8(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    String::from_utf8(decode(text)?).ok().map(Cow::Owned)
}

/// Decodes `%XX` escapes to bytes (RFC 3986, section 2.1), which need not be UTF-8. `None` if an escape is broken: a
/// percent sign without two hexadecimal digits. A plus sign stays a plus sign.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let [high, low, literal @ ..] = part.as_bytes() else { return None };
        bytes.push(parse_hex_digit(*high)? * 16 + parse_hex_digit(*low)?);
        bytes.extend_from_slice(literal);
    }
    Some(bytes)
}

/// Whether `byte` is one of RFC 3986's unreserved characters, or one that `set` adds.
fn is_literal(byte: u8, set: EncodeSet) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'_' | b'.' | b'~')
        || (byte == b'/' && set == EncodeSet::Path)
}

fn split_before(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

// `to_digit` takes no sign, unlike `u8::from_str_radix`, which would read `%+1`.
fn parse_hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn encodes_everything_reserved_but_slashes_of_a_path() {
        let path = encode_path("naïve café/~a-b_c.d/100% +(1)*");
        assert_eq!(path, "na%C3%AFve%20caf%C3%A9/~a-b_c.d/100%25%20%2B%281%29%2A");
        assert_eq!(encode("a/b"), "a%2Fb");
    }

    #[test]
    fn rejects_broken_escapes_and_invalid_utf8() {
        for text in ["%", "%2", "%zz", "%+1", "a%2", "%FF", "%C3"] {
            assert_eq!(decode_utf8(text), None, "{text}");
        }
        assert_eq!(decode_utf8("%c3%A9%2f").as_deref(), Some("é/"));
    }

    proptest! {
        #[test]
        fn an_encoded_path_has_no_reserved_characters(key in any::<String>()) {
            let path = encode_path(&key);
            prop_assert!(path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b)));
        }

        #[test]
        fn decode_inverts_encode(text in any::<String>()) {
            let encoded = encode(&text);
            prop_assert!(encoded.is_ascii());
            prop_assert_eq!(decode_utf8(&encoded).map(Cow::into_owned), Some(text));
        }
    }
}
