//! Who may see the operators' page.

use std::fmt;

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{Digest, SHA256, digest},
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, header::AUTHORIZATION},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{loopback::check_own_page, problem::ConsoleProblem};

const TOKEN_REQUIRED: &str =
    "exactly one Authorization header with the operators' token (CONSOLE_OPERATOR_TOKEN) is required";

/// Who may see the operators' page.
#[derive(Debug, Clone)]
pub enum OperatorGuard {
    /// Whoever uses this machine: `dev`.
    Loopback,
    /// Whoever has the token: `serve`. The peer's address says nothing there, since a proxy may be on the same machine.
    Token(OperatorToken),
}

/// The operators' token. Only its hash is kept.
#[derive(Clone, Copy)]
pub struct OperatorToken(Digest);

impl OperatorToken {
    /// Keeps the hash of a token.
    #[must_use]
    pub fn new(token: &str) -> Self {
        Self(digest(&SHA256, token.as_bytes()))
    }

    /// Compares hashes, which have one length, and in a time that does not depend on where they differ.
    fn is(&self, presented: &str) -> bool {
        let presented = digest(&SHA256, presented.as_bytes());
        verify_slices_are_equal(self.0.as_ref(), presented.as_ref()).is_ok()
    }
}

impl fmt::Debug for OperatorToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorToken")
    }
}

/// Middleware that lets only operators through.
pub(super) async fn require_operator(
    State(guard): State<OperatorGuard>,
    request: Request,
    next: Next,
) -> Response {
    let checked = match &guard {
        OperatorGuard::Loopback => check_own_page(&request),
        OperatorGuard::Token(token) => check_token(token, request.headers()),
    };
    match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            tracing::warn!("a request for the operators' page was refused");
            problem.into_response()
        }
    }
}

fn check_token(token: &OperatorToken, headers: &HeaderMap) -> Result<(), ConsoleProblem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let presented = values.next().and_then(|value| value.to_str().ok()?.split_once(' '));
    // A second header makes the credential ambiguous.
    match presented.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
        Some((_, presented)) if values.next().is_none() && token.is(presented.trim()) => Ok(()),
        Some(_) => Err(ConsoleProblem::unauthorized("this is not the operators' token")),
        None => Err(ConsoleProblem::unauthorized(TOKEN_REQUIRED)),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn only_the_whole_token_passes() {
        let token = OperatorToken::new(TOKEN);
        for (header, passes) in [
            (format!("Bearer {TOKEN}"), true),
            (format!("bearer  {TOKEN} "), true),
            (format!("Bearer {}", &TOKEN[1..]), false),
            (format!("Bearer {TOKEN}0"), false),
            (format!("Bearer {}", TOKEN.to_uppercase()), false),
            (format!("Basic {TOKEN}"), false),
            (TOKEN.to_owned(), false),
            ("Bearer ".to_owned(), false),
            (String::new(), false),
        ] {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(&header).unwrap())]);
            assert_eq!(check_token(&token, &headers).is_ok(), passes, "{header}");
        }
        assert!(check_token(&token, &HeaderMap::new()).is_err());
        let mut twice = HeaderMap::new();
        for _ in 0..2 {
            twice.append(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {TOKEN}")).unwrap());
        }
        assert!(check_token(&token, &twice).is_err());
        assert_eq!(format!("{token:?}"), "OperatorToken");
    }
}
