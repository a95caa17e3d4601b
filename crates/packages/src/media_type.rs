//! The media types of files that a browser may show.

/// Extensions and media types that cannot run script. HTML, SVG, XML and PDF are not among them: a browser runs the scripts
/// that such a file contains.
const INLINE_TYPES: &[(&str, &str)] = &[
    ("aac", "audio/aac"),
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("csv", "text/csv; charset=utf-8"),
    ("flac", "audio/flac"),
    ("gif", "image/gif"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("log", "text/plain; charset=utf-8"),
    ("m4a", "audio/mp4"),
    ("m4v", "video/mp4"),
    ("md", "text/plain; charset=utf-8"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("oga", "audio/ogg"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("opus", "audio/ogg"),
    ("png", "image/png"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("tsv", "text/tab-separated-values; charset=utf-8"),
    ("txt", "text/plain; charset=utf-8"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
];

/// The media type under which a browser may show a file with this name. `None` if the type could run script or is unknown.
#[must_use]
pub fn inline_media_type(file_name: &str) -> Option<&'static str> {
    let (_, extension) = file_name.rsplit_once('.')?;
    INLINE_TYPES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(extension))
        .map(|(_, media_type)| *media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_can_run_script_have_no_inline_type() {
        for name in [
            "a.html",
            "a.HTM",
            "a.svg",
            "a.svgz",
            "a.xml",
            "a.xhtml",
            "a.pdf",
            "a.js",
            "a.png.html",
            "a",
            "png",
            "",
        ] {
            assert_eq!(inline_media_type(name), None, "{name}");
        }
    }

    #[test]
    fn pictures_and_text_have_an_inline_type() {
        assert_eq!(inline_media_type("Scan 7.PNG"), Some("image/png"));
        assert_eq!(inline_media_type("a.html.txt"), Some("text/plain; charset=utf-8"));
        assert_eq!(inline_media_type("stack.ome.tiff"), Some("image/tiff"));
    }

    #[test]
    fn the_extensions_are_sorted() {
        assert!(INLINE_TYPES.is_sorted());
    }
}
