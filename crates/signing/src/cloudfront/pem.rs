//! Just enough of PEM (RFC 7468) to find one block by its label and to write one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The bytes of the first block whose label is one of `labels`, with that label.
///
/// Text before, between and after the blocks is ignored: `openssl ecparam -genkey` puts the curve's parameters
/// in a block of their own before the key.
pub(super) fn find<'l>(text: &str, labels: &[&'l str]) -> Option<(&'l str, Zeroizing<Vec<u8>>)> {
    let (start, label) = labels
        .iter()
        .filter_map(|&label| Some((text.find(&format!("-----BEGIN {label}-----"))?, label)))
        .min()?;
    let (_, block) = text.split_at_checked(start)?;
    let (_, body) = block.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = body.split_once(&format!("-----END {label}-----"))?;
    Some((label, decode(body)?))
}

/// Base64 with white space anywhere.
pub(super) fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut packed = Zeroizing::new(String::with_capacity(text.len()));
    packed.extend(text.chars().filter(|character| !character.is_ascii_whitespace()));
    let mut bytes = Zeroizing::new(Vec::with_capacity(packed.len()));
    STANDARD.decode_vec(packed.as_bytes(), &mut bytes).ok()?;
    Some(bytes)
}

/// One block, in lines of 64 characters, ending in a line feed.
pub(super) fn write(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body_len = der.len().div_ceil(3) * 4;
    let mut text = Zeroizing::new(String::with_capacity(body_len + body_len / 64 + 2 * label.len() + 64));
    text.extend(["-----BEGIN ", label, "-----\n"]);
    // 48 bytes fill a line, so padding can only come at the very end.
    for line in der.chunks(48) {
        STANDARD.encode_string(line, &mut text);
        text.push('\n');
    }
    text.extend(["-----END ", label, "-----\n"]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found() {
        let der: Vec<u8> = (0..=200).collect();
        let text = write("PRIVATE KEY", &der);
        assert!(text.lines().all(|line| line.len() <= 64));
        let (label, found) = find(&text, &["EC PRIVATE KEY", "PRIVATE KEY"]).unwrap();
        assert_eq!((label, found.as_slice()), ("PRIVATE KEY", der.as_slice()));
    }

    #[test]
    fn other_blocks_are_passed_over() {
        let text = format!("# note\r\n{}{}", *write("EC PARAMETERS", b"x"), *write("EC PRIVATE KEY", b"key"));
        let text = text.replace('\n', "\r\n");
        let (label, found) = find(&text, &["PRIVATE KEY", "EC PRIVATE KEY"]).unwrap();
        assert_eq!((label, found.as_slice()), ("EC PRIVATE KEY", b"key".as_slice()));
    }

    #[test]
    fn unfinished_blocks_are_refused() {
        assert!(find("-----BEGIN PRIVATE KEY-----\nAAAA", &["PRIVATE KEY"]).is_none());
        assert!(
            find("-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----", &["PRIVATE KEY"]).is_none()
        );
    }
}
