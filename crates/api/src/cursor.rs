//! The cursors of lists: text that a client passes on and does not read.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use packages::name::MAX_NAME_CHARS;

use crate::Problem;

/// The longest text in a cursor: the path of a directory of viewer assets, and a continuation token of S3.
const MAX_CURSOR_BYTES: usize = 4096;

/// Writes a cursor. The `form` names its version and the list that it belongs to, so that it is refused anywhere else.
pub(crate) fn encode_cursor(form: &str, text: &str) -> String {
    // URL-safe and without padding: a client can put the cursor into a query as it is.
    BASE64_URL_SAFE_NO_PAD.encode(format!("{form}{text}"))
}

/// Reads a cursor of this form. The text is not empty, and has no NUL, which Postgres's text type has not.
pub(crate) fn decode_cursor(form: &str, cursor: &str) -> Result<String, Problem> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.as_deref().and_then(|text| text.strip_prefix(form));
    text.filter(|text| !text.is_empty() && !text.contains('\0') && text.len() <= MAX_CURSOR_BYTES)
        .map(str::to_owned)
        .ok_or_else(invalid_cursor)
}

/// Reads a cursor whose text is the name after which a page begins.
pub(crate) fn decode_name_cursor(form: &str, cursor: &str) -> Result<String, Problem> {
    let name = decode_cursor(form, cursor)?;
    if name.chars().count() > MAX_NAME_CHARS { Err(invalid_cursor()) } else { Ok(name) }
}

/// 400: the cursor is not one that this list returned.
pub(crate) fn invalid_cursor() -> Problem {
    Problem::invalid("query parameter 'cursor' must be the 'next' value of another page")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rejects_foreign_cursors() {
        assert_eq!(decode_cursor("1", &encode_cursor("1", "a/ü")).unwrap(), "a/ü");
        let encoded = |text: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(text);
        let long = format!("1{}", "ü".repeat(MAX_CURSOR_BYTES / 2 + 1));
        for cursor in [
            "!",
            "=",
            "MWE=",
            &encoded(b"1"),
            &encoded(b"2a"),
            &encoded(b"1\0"),
            &encoded(b"1\xff"),
            &encoded(long.as_bytes()),
        ] {
            assert_eq!(decode_cursor("1", cursor).unwrap_err().status(), 400, "{cursor}");
        }
    }

    #[test]
    fn a_name_has_the_length_of_a_package_name() {
        let longest = "ü".repeat(MAX_NAME_CHARS);
        assert_eq!(decode_name_cursor("1", &encode_cursor("1", &longest)).unwrap(), longest);
        let cursor = encode_cursor("1", &format!("{longest}a"));
        assert_eq!(decode_name_cursor("1", &cursor).unwrap_err().status(), 400);
    }

    proptest! {
        #[test]
        fn no_cursor_panics(cursor in "\\PC{0,40}") {
            let _ = decode_cursor("1", &cursor);
        }

        #[test]
        fn decodes_encoded_cursors(name in "[^\\x00]{1,255}") {
            prop_assert_eq!(decode_cursor("1", &encode_cursor("1", &name)).unwrap(), name);
        }
    }
}
