//! The service in AWS Lambda: the event handlers of three functions.
//!
//! | function | event | action |
//! | --- | --- | --- |
//! | `service` | a request to an HTTP API ([`gateway`]) | passes it to [`api::router`] ([`service`]) |
//! | `restore` | messages from the queue of restore orders | runs the restores, as long as there is time ([`restore`]) |
//! | `authorizer` | a token and a dataset | allows or denies the request, with the caller's claims ([`authorizer`]) |
//!
//! [`host`] has what the three programs share: the start, and the loop over events. The event types are defined here,
//! without a library; `docs/decisions/0006-events-without-lambda-http.md` has the reasons.

pub mod authorizer;
mod deadline;
mod event;
pub mod gateway;
pub mod host;
pub mod restore;
pub mod service;
