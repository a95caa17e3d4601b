//! The names of downloaded files, and the `Content-Disposition` header.
//!
//! A package's name is free text: it may have quotes, line breaks, slashes and bidirectional controls. A [`FileName`] is safe
//! in a header and in a directory.

use std::fmt;

/// The longest file name in bytes: the limit of ext4, XFS, APFS and, in UTF-16 units, of NTFS.
const MAX_BYTES: usize = 255;

/// The longest extension that is kept when a name is cut.
const MAX_EXTENSION_BYTES: usize = 32;

/// The name of a file whose own name is empty or only dots.
const UNNAMED: &str = "file";

/// Extensions of two parts. Readers choose the format by both (contract §5.1).
const DOUBLE_EXTENSIONS: [&str; 11] = [
    "brukertiff.gz",
    "mefd.gz",
    "mgh.gz",
    "nii.gz",
    "ome.btf",
    "ome.tf2",
    "ome.tf8",
    "ome.tif",
    "ome.tiff",
    "ome.xml",
    "tar.gz",
];

/// Two spellings of one extension. A name that has one of them does not get the other.
const SYNONYMS: [[&str; 2]; 5] =
    [["jpeg", "jpg"], ["tiff", "tif"], ["html", "htm"], ["yaml", "yml"], ["ome.tiff", "ome.tif"]];

/// What a browser does with a file (RFC 6266, section 4.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Disposition {
    /// Saves it.
    #[default]
    Attachment,
    /// Shows it if it can.
    Inline,
}

impl Disposition {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Attachment => "attachment",
            Self::Inline => "inline",
        }
    }
}

/// A file name without path separators, control characters and bidirectional controls, of 1 to 255 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// The name of a package. If it lacks the extension of its stored file, the extension is added.
    #[must_use]
    pub fn from_package(package_name: &str, stored_name: &str) -> Self {
        let name = sanitize_name(package_name);
        match extension(stored_name) {
            Some(extension) if !has_extension(&name, extension) => {
                Self(truncate_name(&format!("{name}.{}", sanitize_name(extension))))
            }
            _ => Self(truncate_name(&name)),
        }
    }

    /// The name of one file of a package that has several.
    #[must_use]
    pub fn from_file(stored_name: &str) -> Self {
        Self(truncate_name(&sanitize_name(stored_name)))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of a `Content-Disposition` header (RFC 6266, section 4). It is pure ASCII: S3 refuses a
    /// `response-content-disposition` that has no form in ISO 8859-1.
    ///
    /// `filename` is for old clients. If it cannot hold the exact name, `filename*` has it (RFC 8187, section 3.2), and
    /// takes precedence.
    #[must_use]
    pub fn content_disposition(&self, disposition: Disposition) -> String {
        let plain: String =
            self.0.chars().map(|letter| if is_quotable(letter) { letter } else { '_' }).collect();
        let header = format!("{}; filename=\"{plain}\"", disposition.as_str());
        if plain == self.0 {
            header
        } else {
            format!("{header}; filename*=UTF-8''{}", encode_extended_value(&self.0))
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The extension of a file's name or key, without its dot. It has two parts if readers need both: `ome.tiff`.
#[must_use]
pub fn extension(name: &str) -> Option<&str> {
    let name = name.rsplit('/').next().unwrap_or_default();
    let double =
        DOUBLE_EXTENSIONS.iter().find_map(|double| strip_extension(name, double).map(|_| double.len()));
    if let Some(length) = double {
        return name.get(name.len() - length..);
    }
    let (stem, extension) = name.rsplit_once('.')?;
    let is_extension = !stem.is_empty()
        && (1..=MAX_EXTENSION_BYTES).contains(&extension.len())
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_extension.then_some(extension)
}

/// The part of the name before `.extension`, which may be in any case. `None` if the name has another ending or nothing
/// before it.
fn strip_extension<'a>(name: &'a str, extension: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(extension.len() + 1)?;
    let (stem, end) = (name.get(..at)?, name.get(at..)?);
    let matches = end.strip_prefix('.').is_some_and(|end| end.eq_ignore_ascii_case(extension));
    (matches && !stem.is_empty()).then_some(stem)
}

fn has_extension(name: &str, extension: &str) -> bool {
    let spellings = SYNONYMS.iter().find(|pair| pair.iter().any(|one| one.eq_ignore_ascii_case(extension)));
    strip_extension(name, extension).is_some()
        || spellings.is_some_and(|pair| pair.iter().any(|one| strip_extension(name, one).is_some()))
}

fn sanitize_name(name: &str) -> String {
    let safe: String = name.chars().map(|letter| if is_safe(letter) { letter } else { '_' }).collect();
    match safe.trim() {
        "" | "." | ".." => UNNAMED.to_owned(),
        safe => safe.to_owned(),
    }
}

/// Bidirectional controls are unsafe: they can disguise an extension (Unicode Technical Report 36, section 2.9).
fn is_safe(letter: char) -> bool {
    let is_bidirectional = matches!(letter,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_line_break = matches!(letter, '\u{2028}' | '\u{2029}');
    !(letter.is_control() || is_bidirectional || is_line_break || matches!(letter, '/' | '\\'))
}

/// Whether every client reads this character in `filename="…"` in the same way. Quotes and `%` are not (RFC 6266, appendix
/// D), and some clients stop at `;`.
fn is_quotable(letter: char) -> bool {
    (letter.is_ascii_graphic() || letter == ' ') && !matches!(letter, '"' | '\\' | '%' | ';')
}

/// Percent-encodes all but `attr-char` (RFC 8187, section 3.2.1).
fn encode_extended_value(name: &str) -> String {
    use fmt::Write as _;
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Cuts a name to [`MAX_BYTES`], before its extension.
fn truncate_name(name: &str) -> String {
    if name.len() <= MAX_BYTES {
        return name.to_owned();
    }
    let end = extension(name).map_or("", |extension| &name[name.len() - extension.len() - 1..]);
    let stem = &name[..name.len() - end.len()];
    let kept = stem.floor_char_boundary(MAX_BYTES - end.len());
    format!("{}{end}", &stem[..kept])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attachment(name: &str) -> String {
        FileName::from_file(name).content_disposition(Disposition::Attachment)
    }

    #[test]
    fn a_plain_name_is_given_once() {
        assert_eq!(attachment("scan 7 (final).nii.gz"), r#"attachment; filename="scan 7 (final).nii.gz""#);
        let inline = FileName::from_file("a.png").content_disposition(Disposition::Inline);
        assert_eq!(inline, r#"inline; filename="a.png""#);
    }

    #[test]
    fn other_names_are_given_in_full_too() {
        for (name, header) in [
            (
                "Übersicht (final), v2.h5",
                "attachment; filename=\"_bersicht (final), v2.h5\"; \
                 filename*=UTF-8''%C3%9Cbersicht%20%28final%29%2C%20v2.h5",
            ),
            (r#"a"b.csv"#, "attachment; filename=\"a_b.csv\"; filename*=UTF-8''a%22b.csv"),
            ("50%;x", "attachment; filename=\"50__x\"; filename*=UTF-8''50%25%3Bx"),
        ] {
            assert_eq!(attachment(name), header);
        }
    }

    #[test]
    fn unsafe_characters_are_replaced() {
        for (name, safe) in [
            ("a\r\nSet-Cookie: x", "a__Set-Cookie: x"),
            ("../../etc/passwd", ".._.._etc_passwd"),
            (r"..\x", ".._x"),
            ("gpj.\u{202e}exe", "gpj._exe"),
            ("a\u{0}b\u{7f}c\u{85}d", "a_b_c_d"),
            ("a\u{2028}b", "a_b"),
            ("  a  ", "a"),
            ("", "file"),
            (" ", "file"),
            (".", "file"),
            ("..", "file"),
            (".bashrc", ".bashrc"),
        ] {
            assert_eq!(FileName::from_file(name).as_str(), safe, "{name:?}");
        }
    }

    #[test]
    fn a_package_gets_the_extension_of_its_file() {
        for (package, stored, name) in [
            ("recording", "O1/D2/recording.edf", "recording.edf"),
            ("recording.edf", "recording.edf", "recording.edf"),
            ("recording.EDF", "recording.edf", "recording.EDF"),
            ("scan", "1234.nii.gz", "scan.nii.gz"),
            ("scan.nii.gz", "1234.nii.gz", "scan.nii.gz"),
            ("v2.final", "v2.csv", "v2.final.csv"),
            ("photo.jpeg", "photo.jpg", "photo.jpeg"),
            ("README", "O1/D2/3e9d95b6-0157", "README"),
            ("README", "O1/v1.0/README", "README"),
            ("a", ".hidden", "a"),
            ("", "x.csv", "file.csv"),
        ] {
            assert_eq!(FileName::from_package(package, stored).as_str(), name, "{package:?} {stored:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_and_keeps_its_extension() {
        let name = |stem: &str| FileName::from_file(&format!("{stem}.ome.tiff")).as_str().to_owned();
        assert_eq!(name(&"x".repeat(246)).len(), 255, "it fits");
        assert_eq!(name(&"x".repeat(247)), format!("{}.ome.tiff", "x".repeat(246)));
        assert_eq!(
            name(&"漢".repeat(255)),
            format!("{}.ome.tiff", "漢".repeat(82)),
            "246 bytes are 82 of these"
        );
        assert_eq!(FileName::from_file(&"y".repeat(300)).as_str(), "y".repeat(255));
        assert_eq!(
            FileName::from_package(&"z".repeat(255), "a.csv").as_str(),
            format!("{}.csv", "z".repeat(251))
        );
    }

    proptest! {
        #[test]
        fn no_name_leaves_its_header_or_its_directory(package in any::<String>(), stored in any::<String>()) {
            let name = FileName::from_package(&package, &stored);
            prop_assert!((1..=MAX_BYTES).contains(&name.as_str().len()));
            prop_assert!(!name.as_str().contains(['/', '\\', '\r', '\n', '\0']));
            prop_assert!(name.as_str() != "." && name.as_str() != "..");
            let header = name.content_disposition(Disposition::Attachment);
            prop_assert!(header.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
            prop_assert_eq!(header.matches('"').count(), 2);
        }
    }
}
