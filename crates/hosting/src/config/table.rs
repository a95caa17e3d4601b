//! What each variable is for.

/// One variable.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Who reads it.
    pub readers: &'static str,
    /// Whether it must be set.
    pub need: Requirement,
    /// What it says.
    pub about: &'static str,
}

/// Whether a variable must be set.
#[derive(Debug, Clone, Copy)]
pub enum Requirement {
    /// It must.
    Required,
    /// It must, unless something else is said.
    Unless(&'static str),
    /// What counts where it is not set.
    Default(&'static str),
}

const ALL: &str = "all";
const API: &str = "service, serve";
const RESTORE: &str = "restore, serve";
const TOKENS: &str = "authorizer, serve";

const fn required(name: &'static str, readers: &'static str, about: &'static str) -> Variable {
    Variable { name, readers, need: Requirement::Required, about }
}

const fn unless(
    name: &'static str,
    readers: &'static str,
    other: &'static str,
    about: &'static str,
) -> Variable {
    Variable { name, readers, need: Requirement::Unless(other), about }
}

const fn default(
    name: &'static str,
    readers: &'static str,
    value: &'static str,
    about: &'static str,
) -> Variable {
    Variable { name, readers, need: Requirement::Default(value), about }
}

/// All variables that are read by the functions and by `packages-service serve`, in the order of the README.
pub const VARIABLES: &[Variable] = &[
    required("ENV", ALL, "the environment's name, as in `dev` or `prod`"),
    required("PENNSIEVE_DOMAIN", API, "the platform's domain; the realm that a 401 names"),
    unless("REGION", ALL, "`AWS_REGION`", "the AWS region"),
    default("AWS_REGION", ALL, "`REGION`", "the same; Lambda sets it"),
    unless(
        "RDS_PROXY_ENDPOINT",
        ALL,
        "`POSTGRES_HOST`",
        "`host` or `host:port` of the RDS proxy; TLS, and an IAM token for each new connection",
    ),
    default("POSTGRES_HOST", ALL, "`RDS_PROXY_ENDPOINT`", "a database that takes a password instead"),
    default("POSTGRES_PORT", ALL, "5432", "its port"),
    default("POSTGRES_USER", ALL, "`{ENV}_rds_proxy_user`, else `postgres`", "the role"),
    unless("POSTGRES_PASSWORD", ALL, "`RDS_PROXY_ENDPOINT`", "its password"),
    default("PENNSIEVE_DB", ALL, "`pennsieve_postgres`, else `postgres`", "the database"),
    default(
        "POSTGRES_SSL_MODE",
        ALL,
        "`require`",
        "`require` verifies the server's certificate, `disable` does without TLS",
    ),
    default(
        "POSTGRES_CA_FILE",
        ALL,
        "none",
        "certificate authorities (PEM) to trust beside the system's and those of RDS",
    ),
    default(
        "POSTGRES_CONNECTIONS",
        ALL,
        "2, `serve` 16",
        "connections at most, in one process; `serve` has six more for restores",
    ),
    required("VIEWER_ASSETS_BUCKET", API, "the bucket of viewer assets"),
    default(
        "PROXY_ALLOWED_BUCKETS",
        API,
        "`VIEWER_ASSETS_BUCKET`",
        "buckets that `/proxy/s3` lets through, with commas between them",
    ),
    required("CLOUDFRONT_DISTRIBUTION_DOMAIN", API, "the CDN's domain"),
    required(
        "CLOUDFRONT_KEY_ID",
        API,
        "the id of the public key at CloudFront; one that the private key names counts before it",
    ),
    default(
        "CLOUDFRONT_PUBLIC_KEY",
        API,
        "none",
        "the public key that has this id there: PEM, or base64 of it. A private key that does not belong to it is warned of",
    ),
    unless(
        "CLOUDFRONT_PRIVATE_KEY_SSM_PARAM",
        API,
        "`CLOUDFRONT_PRIVATE_KEY_FILE`",
        "the name of the SSM parameter with the private key: PEM, or base64 of it",
    ),
    default("CLOUDFRONT_PRIVATE_KEY_FILE", API, "none", "a file with the same"),
    default("CLOUDFRONT_HASH_ALGORITHM", API, "`SHA256`", "`SHA1` for verifiers that know no better"),
    unless(
        "RESTORE_PACKAGE_QUEUE_URL",
        "service, restore, serve",
        "in `serve`",
        "the SQS queue of restore orders; `serve` without one restores by itself",
    ),
    required(
        "DELETE_RECORD_DYNAMODB_TABLE_NAME",
        RESTORE,
        "the DynamoDB table of delete records; `none` says that there is none",
    ),
    required(
        "JOBS_QUEUE_ID",
        RESTORE,
        "the URL of the SQS queue that the changelog is told through; `none` says that there is none",
    ),
    default(
        "RESTORE_STRAY_HOURS",
        RESTORE,
        "24",
        "hours after which a package that is RESTORING without an order is put back into the trash",
    ),
    required("USER_POOL", TOKENS, "the Cognito user pool of people"),
    required("USER_CLIENT", TOKENS, "our client id in it"),
    required("TOKEN_POOL", TOKENS, "the Cognito user pool of API keys"),
    required("TOKEN_CLIENT", TOKENS, "our client id in it"),
    default("LOG_LEVEL", ALL, "`info`", "what to log, as in `info,packages=debug`"),
    default("LISTEN_ADDRESS", "serve", "`0.0.0.0:8080`", "where to listen"),
    default("AWS_XRAY_DAEMON_ADDRESS", ALL, "none", "where trace documents go, over UDP; Lambda sets it"),
    unless(
        "AWS_ACCESS_KEY_ID",
        ALL,
        "in `serve`",
        "credentials; Lambda sets them, `serve` looks where AWS's tools look",
    ),
    unless("AWS_SECRET_ACCESS_KEY", ALL, "in `serve`", "likewise"),
    default("AWS_SESSION_TOKEN", ALL, "none", "likewise"),
    default("AWS_ENDPOINT_URL", ALL, "AWS's own", "another place for all AWS services, S3 path-style"),
    default(
        "AWS_ENDPOINT_URL_S3",
        ALL,
        "`AWS_ENDPOINT_URL`",
        "another place for one; likewise `…_SQS`, `…_DYNAMODB`, `…_SSM`, `…_COGNITO_IDENTITY_PROVIDER`",
    ),
    default("AWS_ENDPOINT_URL_SQS", ALL, "`AWS_ENDPOINT_URL`", ""),
    default("AWS_ENDPOINT_URL_DYNAMODB", ALL, "`AWS_ENDPOINT_URL`", ""),
    default("AWS_ENDPOINT_URL_SSM", ALL, "`AWS_ENDPOINT_URL`", ""),
    default("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", ALL, "`AWS_ENDPOINT_URL`", ""),
];

/// The README's table, in Markdown. A variable that another's row describes has no row.
#[must_use]
pub fn readme_table() -> String {
    let head = "| variable | read by | if not set | |\n| --- | --- | --- | --- |\n";
    let rows = VARIABLES.iter().filter(|variable| !variable.about.is_empty()).map(row);
    std::iter::once(head.to_owned()).chain(rows).collect()
}

fn row(variable: &Variable) -> String {
    let Variable { name, readers, need, about } = variable;
    let absent = match need {
        Requirement::Required => "**refuses to start**".to_owned(),
        Requirement::Unless(other) => format!("**refuses to start**, unless {other}"),
        Requirement::Default(value) => (*value).to_owned(),
    };
    format!("| `{name}` | {readers} | {absent} | {about} |\n")
}
