//! What verifying tokens needs.

use authorize::{CallbackFunctions, CognitoConfig, UserPool};

use crate::config::{
    ConfigError, Host, PlatformConfig, Variable, VariableLookup,
    reader::Reader,
    variables::{
        CALLBACK_VALIDATOR_WORKFLOW_SERVICE, CALLBACK_VALIDATORS, TOKEN_CLIENT, TOKEN_POOL, USER_CLIENT,
        USER_POOL,
    },
};

/// The platform's service that sends callbacks.
const WORKFLOW_SERVICE: &str = "workflow-service";

/// What verifying tokens needs.
#[derive(Debug, Clone)]
pub struct AuthorizeConfig {
    /// What all hosts need.
    pub platform: PlatformConfig,
    /// The user pool of people.
    pub people: UserPool,
    /// The user pool of API keys.
    pub api_keys: UserPool,
    /// The functions that validate callbacks, by the service's name.
    pub callback_functions: CallbackFunctions,
}

impl AuthorizeConfig {
    /// Reads what verifying tokens needs.
    pub fn read(host: Host, lookup: VariableLookup<'_>) -> Result<Self, ConfigError> {
        Reader::read_all(host, lookup, |env| {
            let platform = PlatformConfig::read(env);
            Self::read_part(env, platform)
        })
    }

    pub(super) fn read_part(env: &mut Reader<'_>, platform: Option<PlatformConfig>) -> Option<Self> {
        let people = read_user_pool(env, &USER_POOL, &USER_CLIENT);
        let api_keys = read_user_pool(env, &TOKEN_POOL, &TOKEN_CLIENT);
        let mut callback_functions = env.read(&CALLBACK_VALIDATORS).unwrap_or_default();
        if let Some(function) = env.read(&CALLBACK_VALIDATOR_WORKFLOW_SERVICE) {
            callback_functions.entry(WORKFLOW_SERVICE.to_owned()).or_insert(function);
        }
        Some(Self { platform: platform?, people: people?, api_keys: api_keys?, callback_functions })
    }

    /// The user pools whose tokens are accepted.
    #[must_use]
    pub fn cognito_config(&self) -> CognitoConfig {
        CognitoConfig {
            region: self.platform.region.clone(),
            endpoint: self.platform.endpoints.cognito.clone(),
            people: self.people.clone(),
            api_keys: self.api_keys.clone(),
        }
    }
}

fn read_user_pool(
    env: &mut Reader<'_>,
    pool: &Variable<String>,
    client: &Variable<String>,
) -> Option<UserPool> {
    let (pool, client) = (env.read(pool), env.read(client));
    UserPool::new(&pool?, &client?)
}
