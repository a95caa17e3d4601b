//! AWS's services over signed HTTP, and what calls to them need: credentials, a client, a clock.
//!
//! [`JsonClient`] calls SQS, DynamoDB, SSM and Lambda. [`SqsQueue`] sends messages in batches. [`sts`] assumes roles. Nothing here
//! knows packages.

mod attempts;
mod backoff;
mod clock;
pub mod credentials;
pub mod dynamodb;
mod error_chain;
mod http_client;
mod json_client;
mod sign;
mod sqs;
pub mod sts;
pub mod tls;
pub mod trace;
mod xml;

pub use attempts::{CallLimits, Error};
pub use backoff::backoff_delay;
pub use clock::Clock;
pub use error_chain::error_chain;
pub use http_client::{HttpClient, TlsSetupError};
pub use json_client::{ClientConfig, InvalidEndpoint, JsonClient};
pub use sign::{SignError, SigningScope, sign_request};
pub use sqs::SqsQueue;
pub use xml::find_xml_element;
