//! The environment variables of a service on the local stack. `dev` uses them itself and writes them to `serve.env`,
//! with which `packages-service serve` runs on a laptop.

use std::{collections::BTreeMap, io, net::SocketAddr, path::Path};

use authorize::TokenSubject;
use local::{
    postgres,
    stack::{KEY_PAIR_ID, REGION, SIGNING_KEY_FILE, STORAGE_BUCKET, Stack, VIEWER_ASSETS_BUCKET},
    tokens::pool,
};

/// The file's name in the state directory.
pub(crate) const ENV_FILE_NAME: &str = "serve.env";

/// The variables by name.
pub(crate) type Variables = BTreeMap<&'static str, String>;

/// The content of the file: one variable per line.
pub(crate) fn format_env_file(variables: &Variables) -> String {
    let lines: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    lines.concat()
}

/// The variables of a service on this stack. `api` is the address that publishes the keys of the tokens.
pub(crate) fn stack_variables(stack: &Stack, state: &Path, api: SocketAddr) -> io::Result<Variables> {
    let database = postgres::environment_variables(&stack.postgres.url()).map_err(io::Error::other)?;
    let (people, api_keys) = (pool(TokenSubject::People), pool(TokenSubject::ApiKeys));
    let keys = stack.s3_credentials.clone();
    // `none` turns a feature off; an unset variable would be an error.
    let none = || "none".to_owned();
    let mut variables = BTreeMap::from([
        ("AWS_ACCESS_KEY_ID", keys.access_key),
        ("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", format!("http://{api}")),
        ("AWS_ENDPOINT_URL_S3", stack.s3.endpoint()),
        ("AWS_SECRET_ACCESS_KEY", keys.secret_key),
        ("CLOUDFRONT_DISTRIBUTION_DOMAIN", stack.edge.endpoint()),
        ("CLOUDFRONT_KEY_ID", KEY_PAIR_ID.to_owned()),
        ("CLOUDFRONT_PRIVATE_KEY_FILE", state.join(SIGNING_KEY_FILE).display().to_string()),
        ("DELETE_RECORD_DYNAMODB_TABLE_NAME", none()),
        ("ENV", "local".to_owned()),
        ("JOBS_QUEUE_ID", none()),
        ("LISTEN_ADDRESS", "127.0.0.1:8081".to_owned()),
        ("PENNSIEVE_DOMAIN", "localhost".to_owned()),
        ("REGION", REGION.to_owned()),
        ("STORAGE_BUCKETS", STORAGE_BUCKET.to_owned()),
        ("TOKEN_CLIENT", api_keys.client_id.clone()),
        ("TOKEN_POOL", api_keys.pool_id().to_owned()),
        ("USER_CLIENT", people.client_id.clone()),
        ("USER_POOL", people.pool_id().to_owned()),
        ("VIEWER_ASSETS_BUCKET", VIEWER_ASSETS_BUCKET.to_owned()),
    ]);
    variables.extend(database);
    Ok(variables)
}
