//! From the path of a URL to the key of an object.

/// The key that a path names: everything after the first slash, percent-decoded. None if that is not UTF-8, or if a
/// percent sign is not followed by two hex digits.
pub(super) fn key(path: &str) -> Option<String> {
    let mut bytes = path.strip_prefix('/')?.bytes();
    let mut key = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        key.push(if byte == b'%' { digit(bytes.next()?)? << 4 | digit(bytes.next()?)? } else { byte });
    }
    String::from_utf8(key).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn paths() {
        let cases = [
            ("/a/b.parquet", Some("a/b.parquet")),
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
            assert_eq!(key(path).as_deref(), expected, "{path}");
        }
    }
}
