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
    /// No client for an AWS service could be built: its endpoint or the system's certificate authorities are unusable.
    #[error("{0}")]
    Client(Box<dyn std::error::Error + Send + Sync>),
    /// Connections to Postgres could not be set up.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The key that signs links could not be loaded.
    #[error(transparent)]
    SigningKey(#[from] signing_keys::SigningKeyError),
}
