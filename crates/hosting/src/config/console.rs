//! The web app that a server may serve beside its API.

use api::PathPrefix;
use zeroize::Zeroizing;

use crate::config::{
    reader::Reader,
    variables::{CONSOLE, CONSOLE_OPERATOR_TOKEN, USER_CLIENT, USER_POOL_DOMAIN},
};

/// The first segment of paths that are the console's.
const CONSOLE_SEGMENT: &str = "console";

/// Whether the console has paths of its own beside an API with this prefix.
#[must_use]
pub fn leaves_console_paths(prefix: &PathPrefix) -> bool {
    prefix.as_str().split('/').nth(1).is_some_and(|segment| segment != CONSOLE_SEGMENT)
}

/// The web app that a server may serve beside its API.
#[derive(Debug, Clone, Default)]
pub struct ConsoleConfig {
    /// Whether it is served.
    pub is_on: bool,
    /// What operators show to see their page. Without one there is none.
    pub operator_token: Option<Zeroizing<String>>,
    /// How people log in. Without it they need a token.
    pub login: Option<LoginConfig>,
}

/// The hosted pages of the user pool of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginConfig {
    /// Scheme and host.
    pub origin: String,
    /// The id of the client that the page logs in for, which has no secret.
    pub client_id: String,
}

impl ConsoleConfig {
    pub(super) fn read_part(env: &mut Reader<'_>) -> Option<Self> {
        let is_on = env.read(&CONSOLE);
        let operator_token = env.read(&CONSOLE_OPERATOR_TOKEN);
        let login = env.read(&USER_POOL_DOMAIN).and_then(|origin| {
            // Tokens of another client are refused.
            Some(LoginConfig { origin, client_id: env.read(&USER_CLIENT)? })
        });
        Some(Self { is_on: is_on?, operator_token, login })
    }
}
