//! The domain of the packages service: ids, access, names, and the objects that links lead to.
//!
//! A **workspace** is a tenant. Its **datasets** hold **packages**: files or, as **collections**, folders.
//! Everything that reads a dataset takes an [`access::DatasetAccess`], the proof that the caller may.

pub mod access;
pub mod asset;
pub mod db;
pub mod file_name;
pub mod id;
pub mod link_period;
pub mod links;
pub mod listing;
pub mod manifest;
pub mod media_type;
pub mod name;
pub mod package;
