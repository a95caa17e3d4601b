//! `serve.env`: the variables with which `packages-service serve` stands on a local stack, to be tried on a laptop.

use std::{collections::BTreeMap, io, net::SocketAddr, path::Path};

use authorize::Bearers;
use local::{
    postgres,
    stack::{KEY_PAIR_ID, REGION, SIGNING_KEY, Stack, VIEWER_ASSETS_BUCKET},
    tokens::pool,
};

/// The file's name in the state directory.
pub(crate) const NAME: &str = "serve.env";

/// The file: a variable a line. `api` publishes the keys that tokens are signed with.
pub(crate) fn file(stack: &Stack, state: &Path, api: SocketAddr) -> io::Result<String> {
    let lines = variables(stack, state, api)?.into_iter().map(|(name, value)| format!("{name}={value}\n"));
    Ok(lines.collect())
}

fn variables(stack: &Stack, state: &Path, api: SocketAddr) -> io::Result<BTreeMap<&'static str, String>> {
    let database = postgres::variables(&stack.postgres.url()).map_err(io::Error::other)?;
    let (people, api_keys) = (pool(Bearers::People), pool(Bearers::ApiKeys));
    let keys = local::s3::Credentials::local();
    let none = || "none".to_owned();
    let mut variables = BTreeMap::from([
        ("AWS_ACCESS_KEY_ID", keys.access_key),
        ("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", format!("http://{api}")),
        ("AWS_ENDPOINT_URL_S3", stack.s3.endpoint()),
        ("AWS_SECRET_ACCESS_KEY", keys.secret_key),
        ("CLOUDFRONT_DISTRIBUTION_DOMAIN", stack.edge.endpoint()),
        ("CLOUDFRONT_KEY_ID", KEY_PAIR_ID.to_owned()),
        ("CLOUDFRONT_PRIVATE_KEY_FILE", state.join(SIGNING_KEY).display().to_string()),
        ("DELETE_RECORD_DYNAMODB_TABLE_NAME", none()),
        ("ENV", "local".to_owned()),
        ("JOBS_QUEUE_ID", none()),
        ("LISTEN_ADDRESS", "127.0.0.1:8081".to_owned()),
        ("PENNSIEVE_DOMAIN", "localhost".to_owned()),
        ("REGION", REGION.to_owned()),
        ("TOKEN_CLIENT", api_keys.client_id.clone()),
        ("TOKEN_POOL", api_keys.id().to_owned()),
        ("USER_CLIENT", people.client_id.clone()),
        ("USER_POOL", people.id().to_owned()),
        ("VIEWER_ASSETS_BUCKET", VIEWER_ASSETS_BUCKET.to_owned()),
    ]);
    variables.extend(database);
    Ok(variables)
}
