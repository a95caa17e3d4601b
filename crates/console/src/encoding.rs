//! Which copy of a file a client can read.

use bytes::Bytes;
use http::{HeaderMap, header::ACCEPT_ENCODING};

use crate::files::AppFile;

/// A content coding (RFC 9110, section 8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Brotli,
}

impl Encoding {
    /// Its name in `Content-Encoding`.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
        }
    }
}

/// The copy to send: the smallest that the client accepts. The file itself is sent also to a client that refuses it
/// (`identity;q=0`): a page is better than a 406.
pub(crate) fn choose_copy(file: &AppFile, headers: &HeaderMap) -> (Encoding, Bytes) {
    let copies = [(Encoding::Brotli, &file.brotli), (Encoding::Gzip, &file.gzip)];
    let accepted = copies.into_iter().find_map(|(encoding, copy)| {
        let copy = copy.as_ref()?;
        accepts(headers, encoding.name()?).then(|| (encoding, copy.clone()))
    });
    accepted.unwrap_or_else(|| (Encoding::Identity, file.identity.clone()))
}

/// Whether `Accept-Encoding` has a coding with a weight above 0 (RFC 9110, section 12.5.3).
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    let (mut named, mut any) = (None, None);
    for element in values.flat_map(|value| value.split(',')) {
        let (name, weight) = element.split_once(';').unwrap_or((element, ""));
        let is_accepted = !is_zero_weight(weight);
        match name.trim() {
            "*" => any = Some(is_accepted),
            name if name.eq_ignore_ascii_case(coding) => named = Some(is_accepted),
            _ => {}
        }
    }
    named.or(any).unwrap_or(false)
}

/// `q=0`, with up to three zeros after the point.
fn is_zero_weight(parameter: &str) -> bool {
    let weight =
        parameter.trim().strip_prefix(['q', 'Q']).and_then(|rest| rest.trim_start().strip_prefix('='));
    weight.is_some_and(|weight| weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_smallest_accepted_copy_is_sent() {
        let copy = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
        let file = AppFile::new(Bytes::from_static(b"a"), (copy("b"), copy("g")));
        for (accept, expected) in [
            ("gzip, deflate, br, zstd", Encoding::Brotli),
            ("gzip, deflate", Encoding::Gzip),
            ("br;q=0, gzip", Encoding::Gzip),
            ("BR;q=0.1", Encoding::Brotli),
            ("*", Encoding::Brotli),
            ("br;q=0.000, *", Encoding::Gzip),
            ("*;q=0", Encoding::Identity),
            ("identity", Encoding::Identity),
            ("brotli", Encoding::Identity),
            ("", Encoding::Identity),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(accept))]);
            assert_eq!(choose_copy(&file, &headers).0, expected, "{accept}");
        }
        let plain = AppFile::new(Bytes::from_static(b"a"), (None, None));
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("br"))]);
        assert_eq!(choose_copy(&plain, &headers), (Encoding::Identity, Bytes::from_static(b"a")));
    }
}
