//! Errors as texts for the log. Many say why only in their causes.

use std::{error::Error, fmt::Write as _};

/// An error and what it came from, from the outermost to the innermost. The caller answers for it that none of them
/// repeats what must not be logged.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a text does not fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_follows_what_it_caused() {
        let wrapped = std::io::Error::other("inner");
        let error = std::io::Error::other(
            aws_credential_types::provider::error::CredentialsError::provider_error(wrapped),
        );
        assert!(error_chain(&error).ends_with(": inner"), "{}", error_chain(&error));
    }
}
