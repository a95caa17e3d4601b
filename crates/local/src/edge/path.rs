//! Parses the path of a URL into an object key.

/// The key in a path: everything after the first slash, percent-decoded. `None` if the result is not UTF-8, or if a
/// percent sign is not followed by two hex digits.
pub(super) fn parse_key(path: &str) -> Option<String> {
    let mut bytes = path.strip_prefix('/')?.bytes();
    let mut key = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        key.push(if byte == b'%' {
            hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?
        } else {
            byte
        });
    }
    String::from_utf8(key).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::parse_key;

    #[test]
    fn decodes_paths() {
        let cases = [
            ("/a/b.parquet", Some("a/b.parquet")),
            // A plus sign is a plus sign: only query strings use it for a space.
            ("/a%20b+c%2F%C3%BC", Some("a b+c/ü")),
            ("/%zz", None),
            ("/%+1", None),
            ("/%4", None),
            ("/%", None),
            ("/%FF", None),
            ("//a", Some("/a")),
            ("/", Some("")),
            ("*", None),
        ];
        for (path, expected) in cases {
            assert_eq!(parse_key(path).as_deref(), expected, "{path}");
        }
    }
}
