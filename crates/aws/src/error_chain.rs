//! Errors as texts for the log. Many errors say why only in their sources.

use std::{error::Error, fmt::Write as _};

/// The texts of an error and its sources, from the outermost to the innermost, joined by colons. The caller must make
/// sure that none of them has a secret.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Writing to a string does not fail.
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_follow_their_error() {
        let wrapped = std::io::Error::other("inner");
        let error = std::io::Error::other(
            aws_credential_types::provider::error::CredentialsError::provider_error(wrapped),
        );
        assert!(error_chain(&error).ends_with(": inner"), "{}", error_chain(&error));
    }
}
