//! Reading the few elements that are of interest in AWS's XML.

/// The text of the first element with this name, which has no attributes and no elements in it. Nothing that is read this way
/// has characters that XML encodes.
#[must_use]
pub fn find_xml_element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}
