//! Why a host does not start.

/// Why a host does not start, for its operator.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// A variable is not set.
    #[error("{0} is not set")]
    MissingVariable(&'static str),
    /// A variable's value is invalid.
    #[error("invalid value for {0}")]
    InvalidVariable(&'static str),
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] aws::TlsSetupError),
    /// An AWS service's endpoint is invalid.
    #[error(transparent)]
    Endpoint(#[from] aws::InvalidEndpoint),
    /// Connections to Postgres could not be set up.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The key that signs links could not be loaded.
    #[error(transparent)]
    SigningKey(#[from] signing_keys::SigningKeyError),
}
