//! The part of PEM (RFC 7468) that keys need: find one block by its label, write one block.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Returns the bytes of the first block whose label is one of `labels`, and that label.
///
/// Text before, between and after the blocks is ignored.
pub(super) fn find_block<'l>(text: &str, labels: &[&'l str]) -> Option<(&'l str, Zeroizing<Vec<u8>>)> {
    // `openssl ecparam -genkey` writes an `EC PARAMETERS` block before the key, so the label is searched for.
    let (start, label) = labels
        .iter()
        .filter_map(|&label| Some((text.find(&format!("-----BEGIN {label}-----"))?, label)))
        .min()?;
    let (_, block) = text.split_at_checked(start)?;
    let (_, body) = block.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = body.split_once(&format!("-----END {label}-----"))?;
    Some((label, decode_base64(body)?))
}

/// Decodes standard base64. White space may appear anywhere.
pub(super) fn decode_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut packed = Zeroizing::new(String::with_capacity(text.len()));
    packed.extend(text.chars().filter(|character| !character.is_ascii_whitespace()));
    let mut bytes = Zeroizing::new(Vec::with_capacity(packed.len()));
    STANDARD.decode_vec(packed.as_bytes(), &mut bytes).ok()?;
    Some(bytes)
}

/// Writes one block, in lines of 64 characters, ending with a line feed.
pub(super) fn write_block(label: &str, der: &[u8]) -> Zeroizing<String> {
    // Enough for base64, line feeds and labels: a string that grows would leave a copy of the key in freed memory.
    let mut text = Zeroizing::new(String::with_capacity(2 * der.len() + 2 * label.len() + 64));
    text.extend(["-----BEGIN ", label, "-----\n"]);
    // 48 bytes fill a line, so only the last line can have padding.
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
    fn finds_the_block_that_it_wrote() {
        let der: Vec<u8> = (0..=200).collect();
        let text = write_block("PRIVATE KEY", &der);
        assert!(text.lines().all(|line| line.len() <= 64));
        let (label, found) = find_block(&text, &["EC PRIVATE KEY", "PRIVATE KEY"]).unwrap();
        assert_eq!((label, found.as_slice()), ("PRIVATE KEY", der.as_slice()));
    }

    #[test]
    fn skips_other_blocks() {
        let text = format!(
            "# note\r\n{}{}",
            *write_block("EC PARAMETERS", b"x"),
            *write_block("EC PRIVATE KEY", b"key")
        );
        let text = text.replace('\n', "\r\n");
        let (label, found) = find_block(&text, &["PRIVATE KEY", "EC PRIVATE KEY"]).unwrap();
        assert_eq!((label, found.as_slice()), ("EC PRIVATE KEY", b"key".as_slice()));
    }

    #[test]
    fn rejects_incomplete_blocks() {
        assert!(find_block("-----BEGIN PRIVATE KEY-----\nAAAA", &["PRIVATE KEY"]).is_none());
        assert!(
            find_block("-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----", &["PRIVATE KEY"])
                .is_none()
        );
    }
}
