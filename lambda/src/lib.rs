//! The service in AWS Lambda: what three functions do with their events.
//!
//! | function | its event | what it does with it |
//! | --- | --- | --- |
//! | `service` | a request that came to an HTTP API ([`gateway`]) | gives it to [`api::router`] ([`service`]) |
//! | `restore` | messages from the queue of restore orders | carries them out, as long as there is time ([`restore`]) |
//! | `authorizer` | who asks for which dataset | says whether they may, and as whom ([`authorizer`]) |
//!
//! [`host`] is what the programs beside this library share: starting, and a turn for each event. The shapes of events are
//! few lines each and written down here; why, says `docs/decisions/0006-events-without-lambda-http.md`.

pub mod authorizer;
mod event;
pub mod gateway;
pub mod host;
pub mod restore;
pub mod service;
