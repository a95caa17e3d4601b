//! AWS's services over signed HTTP, and what calls to them need: credentials, a client, a clock.
//!
//! [`JsonClient`] calls SQS, DynamoDB and SSM; [`SqsQueue`] sends messages in batches. Nothing here knows of packages.

mod backoff;
mod causes;
mod clock;
pub mod credentials;
pub mod dynamodb;
mod http_client;
mod json;
mod sign;
mod sqs;
pub mod tls;
pub mod trace;

pub use backoff::backoff;
pub use causes::error_chain;
pub use clock::Clock;
pub use http_client::HttpClient;
pub use json::{CallLimits, ClientConfig, Error, JsonClient};
pub use sign::sign;
pub use sqs::SqsQueue;
