//! All variables, a row each. The reader, the checks of `packages-service doctor` and the table of docs/configuration.md
//! come from these rows.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use api::PathPrefix;
use authorize::{CallbackFunctions, FunctionArn};
use packages::link_period::LinkWindow;
use signing::{
    cloudfront::{HashAlgorithm, KeyPairId, PublicKey},
    s3::{Bucket, CustomEndpoint, Region},
};
use zeroize::Zeroizing;

use crate::config::{
    parse,
    variable::{
        Requirement::{
            Default, DefaultByDatabase, DefaultByHost, Optional, Required, RequiredInLambda, RequiredUnless,
        },
        Variable, VariableDescription,
    },
};

/// Turns each row into a constant, and all rows into [`VARIABLES`]: no variable can be read that is not described.
macro_rules! variables {
    ($($name:ident: $type:ty = ($readers:expr, $requirement:expr, $parse:expr, $meaning:expr);)*) => {
        $(
            #[doc = concat!("`", stringify!($name), "`: ", $meaning, ".")]
            pub const $name: Variable<$type> = Variable {
                description: VariableDescription {
                    name: stringify!($name),
                    readers: $readers,
                    requirement: $requirement,
                    meaning: $meaning,
                },
                parse: $parse,
            };
        )*

        /// The descriptions of all variables, in the order of docs/configuration.md.
        pub const VARIABLES: &[VariableDescription] = &[$($name.description),*];
    };
}

const ALL: &str = "all";
const API: &str = "service, serve";
const RESTORE: &str = "restore, serve";
const RESTORE_QUEUE: &str = "service, restore, serve";
const TOKENS: &str = "authorizer, serve";
const SERVER: &str = "serve";

// NAME: type = (readers, requirement, parser, meaning);
variables! {
    ENV: String = (ALL, Required, parse::text,
        "the environment's name, as in `dev` or `prod`");
    PENNSIEVE_DOMAIN: String = (API, Required, parse::host,
        "the platform's domain, which is the realm in a 401 response");
    REGION: Region = (ALL, RequiredUnless("AWS_REGION"), parse::region,
        "the AWS region of the service");
    AWS_REGION: Region = (ALL, Optional("`REGION`"), parse::region,
        "the same as `REGION`; Lambda sets it");

    RDS_PROXY_ENDPOINT: (String, Option<u16>) = (ALL, RequiredUnless("POSTGRES_HOST"), parse::host_and_port,
        "`host` or `host:port` of the RDS proxy, which is reached over TLS with an IAM token for each new connection");
    POSTGRES_HOST: String = (ALL, RequiredUnless("RDS_PROXY_ENDPOINT"), parse::database_host,
        "the host of a database that takes a password");
    POSTGRES_PORT: u16 = (ALL, Default("5432"), parse::port,
        "the port at `POSTGRES_HOST`");
    POSTGRES_USER: String = (ALL, DefaultByDatabase { proxy: "{ENV}_rds_proxy_user", password: "postgres" }, parse::text,
        "the database role");
    POSTGRES_PASSWORD: Zeroizing<String> = (ALL, RequiredUnless("RDS_PROXY_ENDPOINT"), parse::secret,
        "the role's password at `POSTGRES_HOST`");
    PENNSIEVE_DB: String = (ALL, DefaultByDatabase { proxy: "pennsieve_postgres", password: "postgres" }, parse::text,
        "the database's name");
    POSTGRES_SSL_MODE: bool = (ALL, Default("require"), parse::ssl_mode,
        "`require` verifies the server's certificate, `disable` turns TLS off; only with `POSTGRES_HOST`");
    POSTGRES_CA_FILE: PathBuf = (ALL, Optional("none"), parse::path,
        "certificate authorities (PEM) to trust in addition to the system's and those of RDS");
    POSTGRES_PREPARED_STATEMENTS: bool = (ALL, Default("on"), parse::on_or_off,
        "`on` prepares the statements of frequent requests by name, `off` is for a pooler before Postgres; only with `POSTGRES_HOST`, and never for an RDS proxy");
    POSTGRES_CONNECTIONS: usize = (ALL, DefaultByHost { lambda: "2", server: "16" }, parse::postgres_connections,
        "the most connections of one process; `serve` opens up to six more for restores");

    VIEWER_ASSETS_BUCKET: Bucket = (API, Required, parse::bucket,
        "the bucket of viewer assets");
    STORAGE_BUCKETS: Vec<Bucket> = (API, Optional("none"), parse::buckets,
        "the buckets of source files, separated by commas");
    PROXY_ALLOWED_BUCKETS: Vec<Bucket> = (API, Optional("`VIEWER_ASSETS_BUCKET` and `STORAGE_BUCKETS`"), parse::buckets,
        "the buckets that `/proxy/s3` serves, separated by commas");
    BUCKETS: String = (ALL, Optional("none"), parse::text,
        "what is known about buckets: a JSON array, or the path of a file with one; see below");
    EXTERNAL_BUCKETS_ROLE_MAP: String = (ALL, Optional("none"), parse::text,
        "buckets of other accounts, a JSON object of names and ARNs of the roles that read them; each is an entry of `BUCKETS` with `role_arn` and `requester_pays`");
    LINK_WINDOW_SECONDS: LinkWindow = (API, Default("300"), parse::link_window,
        "how long presigned links of one file stay the same text, so that caches recognize them: 0 to 900");
    CLOUDFRONT_DISTRIBUTION_DOMAIN: String = (API, Required, parse::origin,
        "the CDN's domain");
    CLOUDFRONT_KEY_ID: KeyPairId = (API, Required, parse::key_pair_id,
        "the id of the public key at CloudFront; an id in the private key's file takes precedence");
    CLOUDFRONT_PUBLIC_KEY: PublicKey = (API, Optional("none"), parse::public_key,
        "the public key with this id, as PEM or PEM in base64; the service warns if the private key does not match it");
    CLOUDFRONT_PRIVATE_KEY_SSM_PARAM: String = (API, RequiredUnless("CLOUDFRONT_PRIVATE_KEY_FILE"), parse::text,
        "the name of the SSM parameter that holds the private key, as PEM or PEM in base64");
    CLOUDFRONT_PRIVATE_KEY_FILE: PathBuf = (API, Optional("`CLOUDFRONT_PRIVATE_KEY_SSM_PARAM`"), parse::path,
        "a file that holds the private key, as PEM or PEM in base64");
    CLOUDFRONT_HASH_ALGORITHM: HashAlgorithm = (API, Default("SHA256"), parse::hash,
        "the hash of signatures; `SHA1` is for verifiers that do not support SHA-256");

    RESTORE_PACKAGE_QUEUE_URL: String = (RESTORE_QUEUE, RequiredInLambda, parse::text,
        "the URL of the SQS queue of restore messages; `serve` runs restores itself if it is not set");
    DELETE_RECORD_DYNAMODB_TABLE_NAME: Option<String> = (RESTORE, Required, parse::text_or_none,
        "the DynamoDB table of delete records, or `none`");
    JOBS_QUEUE_ID: Option<String> = (RESTORE, Required, parse::text_or_none,
        "the URL of the changelog's SQS queue, or `none`");
    RESTORE_STRAY_HOURS: Duration = (RESTORE, Default("24"), parse::hours,
        "the hours after which a package that is RESTORING without a restore order goes back to the trash");

    USER_POOL: String = (TOKENS, Required, parse::pool_id,
        "the Cognito user pool of people");
    USER_CLIENT: String = (TOKENS, Required, parse::client_id,
        "our client id in the user pool of people");
    TOKEN_POOL: String = (TOKENS, Required, parse::pool_id,
        "the Cognito user pool of API keys");
    TOKEN_CLIENT: String = (TOKENS, Required, parse::client_id,
        "our client id in the user pool of API keys");
    CALLBACK_VALIDATORS: CallbackFunctions = (TOKENS, Optional("none"), parse::callback_functions,
        "the Lambda functions that validate callbacks, as `service=ARN`, separated by commas");
    CALLBACK_VALIDATOR_WORKFLOW_SERVICE: FunctionArn = (TOKENS, Optional("none"), parse::function_arn,
        "the same as `workflow-service=ARN` in `CALLBACK_VALIDATORS`");
    AUTHORIZATION_CACHE_SECONDS: Duration = (SERVER, Default("60"), parse::cache_seconds,
        "how long it is remembered that a caller has access to a dataset: 0 (not at all) to 300");

    LOG_LEVEL: String = (ALL, Default("info"), parse::text,
        "what to log, as in `info,storage=debug`");
    LISTEN_ADDRESS: SocketAddr = (SERVER, Default("0.0.0.0:8080"), parse::socket_address,
        "the address and port to listen on");

    API_PATH_PREFIX: PathPrefix = (SERVER, Default("/packages"), parse::path_prefix,
        "the path that all routes of the API begin with; `/` for none");
    CONSOLE: bool = (SERVER, Default("off"), parse::on_or_off,
        "`on` serves the console, a web app, at `/`; see below");
    CONSOLE_OPERATOR_TOKEN: Zeroizing<String> = (SERVER, Optional("none"), parse::operator_token,
        "the secret that opens the console's page for operators: 32 to 256 letters, digits and punctuation marks; without it there is no such page");
    USER_POOL_DOMAIN: String = (SERVER, Optional("none"), parse::origin,
        "the domain of the hosted pages of `USER_POOL`, where people log in to the console; see below");
    MAX_CONNECTIONS: NonZeroUsize = (SERVER, Optional("three quarters of the files that the process may open, at most 8,192"), parse::connections,
        "the most connections of clients; a client beyond them gets 503 at once");
    IDLE_TIMEOUT_SECONDS: Duration = (SERVER, Default("75"), parse::seconds,
        "how long a connection may wait for its next request");
    HEAD_TIMEOUT_SECONDS: Duration = (SERVER, Default("10"), parse::seconds,
        "how long a request's head may take, from its first byte");
    BODY_TIMEOUT_SECONDS: Duration = (SERVER, Default("10"), parse::seconds,
        "how long a request's body may take");
    REQUEST_TIMEOUT_SECONDS: Duration = (SERVER, Default("29"), parse::seconds,
        "how long a request may take, from its head to the head of its response");
    WRITE_TIMEOUT_SECONDS: Duration = (SERVER, Default("30"), parse::seconds,
        "how long a client may take no byte of its response");
    SHUTDOWN_TIMEOUT_SECONDS: Duration = (SERVER, Default("30"), parse::seconds,
        "how long running requests may take after the signal to stop");

    AWS_XRAY_DAEMON_ADDRESS: String = (ALL, Optional("none"), parse::xray_address,
        "where trace documents are sent, over UDP; Lambda sets it");

    AWS_ACCESS_KEY_ID: String = (ALL, RequiredInLambda, parse::text,
        "the AWS access key id; Lambda sets it, and `serve` without it uses the default chain of AWS's tools");
    AWS_SECRET_ACCESS_KEY: String = (ALL, RequiredInLambda, parse::text,
        "the secret of `AWS_ACCESS_KEY_ID`");
    AWS_SESSION_TOKEN: String = (ALL, Optional("none"), parse::text,
        "the session token of `AWS_ACCESS_KEY_ID`, if its credentials are temporary");

    AWS_ENDPOINT_URL: String = (ALL, Optional("AWS's own"), parse::base_url,
        "the endpoint of all AWS services; S3 is addressed path-style");
    AWS_ENDPOINT_URL_S3: CustomEndpoint = (ALL, Optional("`AWS_ENDPOINT_URL`"), parse::s3_endpoint,
        "the endpoint of S3, which is addressed path-style");
    AWS_ENDPOINT_URL_SQS: String = (ALL, Optional("`AWS_ENDPOINT_URL`"), parse::base_url,
        "the endpoint of SQS");
    AWS_ENDPOINT_URL_DYNAMODB: String = (ALL, Optional("`AWS_ENDPOINT_URL`"), parse::base_url,
        "the endpoint of DynamoDB");
    AWS_ENDPOINT_URL_SSM: String = (ALL, Optional("`AWS_ENDPOINT_URL`"), parse::base_url,
        "the endpoint of SSM");
    AWS_ENDPOINT_URL_LAMBDA: String = (ALL, Optional("`AWS_ENDPOINT_URL`"), parse::base_url,
        "the endpoint of Lambda");
    AWS_ENDPOINT_URL_STS: String = (ALL, Optional("`AWS_ENDPOINT_URL`"), parse::base_url,
        "the endpoint of STS, which assumes the roles of `BUCKETS`");
    AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER: String = (ALL, Optional("`AWS_ENDPOINT_URL`"), parse::base_url,
        "the endpoint that publishes the keys of user pools");
}
