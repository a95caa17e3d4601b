//! CloudFront's variant of base64: the standard alphabet with `+`, `=` and `/` replaced by `-`, `_` and `~`, which
//! are safe in a query string ("Create a signature for a signed URL that uses a canned policy").

use base64::Engine as _;
use base64::alphabet::Alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

// The engine can pad with `=` only, so the padding is added below.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &match Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~") {
        Ok(alphabet) => alphabet,
        Err(_) => base64::alphabet::URL_SAFE,
    },
    NO_PAD,
);

const PADDING: char = '_';

/// Encodes `bytes`, padded to a multiple of four characters.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    ENGINE.encode_string(bytes, &mut text);
    while !text.len().is_multiple_of(4) {
        text.push(PADDING);
    }
    text
}

/// Decodes the output of [`encode`]. Every other spelling is refused, so that a signature has exactly one.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = ENGINE.decode(text.trim_end_matches(PADDING)).ok()?;
    // The engine ignores how many padding characters were trimmed.
    (encoded_len(bytes.len()) == text.len()).then_some(bytes)
}

fn encoded_len(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn uses_cloudfronts_alphabet() {
        assert_eq!(encode(&[0xfb, 0xef, 0xff]), "--~~");
        assert_eq!(encode(b"a"), "YQ__");
        assert_eq!(encode(b"ab"), "YWI_");
        assert_eq!(encode(b""), "");
    }

    #[test]
    fn rejects_other_spellings() {
        for text in ["YQ", "YQ_", "YQ___", "YQ==", "YR__", "YWI", "++//", "Y Q__", "_", "____", "é"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn decode_inverts_encode(bytes in any::<Vec<u8>>()) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
    }
}
