//! An embedded S3: versioned buckets in a folder, served over S3's own protocol.
//!
//! It stands for the production bucket in local runs and in tests, so clients meet the real thing: signatures in
//! header and query, ranges, conditions, versions, delete markers, checksums, pages. What it does not have is what
//! nothing here asks for: ACLs, policies, encryption, tags, and buckets without versioning. Lifecycles it keeps and tells,
//! and never carries out.
//!
//! | module | is about |
//! | --- | --- |
//! | `store` | [`S3`]: what one can do with buckets, objects and versions, without HTTP |
//! | `many` | thousands of objects at once, for tests |
//! | `state`, `journal`, `bodies`, `version` | what that is in memory and on disk |
//! | `listing` | pages of keys and versions |
//! | `server`, `gate` | the port, and what is checked before the protocol crate sees a request |
//! | `service` | the operations: `buckets`, `lifecycle`, `objects`, `batch`, `listings`, `uploads` |
//! | `content`, `checksum`, `conditions`, `errors` | bodies on their way in and out; what S3 says about them |
//!
//! Every change is in the journal before it is answered. Nothing is synced to the disk itself: a killed process loses
//! nothing that it answered, a power cut may.

mod batch;
mod bodies;
mod buckets;
mod checksum;
pub(crate) mod conditions;
pub(crate) mod content;
pub(crate) mod errors;
mod gate;
mod journal;
mod lifecycle;
mod listing;
mod listings;
mod many;
mod objects;
mod server;
mod service;
mod state;
mod store;
mod uploads;
pub(crate) mod version;

pub use lifecycle::LifecycleRule;
pub use server::{Credentials, REGION, S3Config, S3Server};
pub use store::S3;
pub use version::{Attributes, VersionEntry};
