//! An embedded S3: versioned buckets in a directory, served over S3's own protocol.
//!
//! It replaces the production buckets in local runs and in tests. Clients see real S3 behaviour: signatures in header and
//! query, ranges, conditions, versions, delete markers, checksums, pages. It leaves out what nothing here uses: ACLs,
//! policies, encryption, tags, and buckets without versioning. It stores and returns lifecycle rules, but never applies
//! them.
//!
//! | module | content |
//! | --- | --- |
//! | `store` | [`S3Store`]: buckets, objects and versions, without HTTP |
//! | `bulk` | thousands of objects at once, for tests |
//! | `state`, `journal`, `body_store`, `version` | the store's data in memory and on disk |
//! | `pagination` | pages of keys and versions |
//! | `server`, `signature` | the port, and the checks before the protocol crate sees a request |
//! | `operations` | the operations of the API: `buckets`, `lifecycle`, `objects`, `delete_objects`, `list_objects`, `multipart` |
//! | `content`, `checksum`, `conditions`, `ranges`, `errors` | bodies in both directions, and S3's rules for them |
//!
//! Every change is in the journal before its response is sent. The store does not sync files to disk: a killed process
//! loses nothing that it acknowledged, a power cut may.

mod body_store;
mod buckets;
mod bulk;
mod checksum;
pub(crate) mod conditions;
pub(crate) mod content;
mod delete_objects;
pub(crate) mod errors;
mod journal;
mod lifecycle;
mod list_objects;
mod multipart;
mod objects;
mod operations;
mod pagination;
mod ranges;
mod server;
mod signature;
mod state;
mod store;
pub(crate) mod version;

pub use bulk::StoredObject;
pub use lifecycle::LifecycleRule;
pub use server::{Credentials, REGION, S3Config, S3Server};
pub use store::S3Store;
pub use version::{Attributes, VersionEntry};
