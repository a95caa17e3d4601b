//! The domain of the packages service, and the places that it talks to.
//!
//! A **workspace** is a tenant; its **datasets** hold **packages**, which are files or, as **collections**, folders.
//! This crate decides which object a link may lead to ([`links`]) and brings deleted packages back ([`restore`]). It
//! knows neither the API nor its hosts: a host gives it a [`db::Db`], [`objects::Objects`], a [`queue::Queue`] and a
//! [`clock::Clock`], and with every call an [`access::DatasetAccess`], the proof that the caller may.

pub mod access;
pub mod asset;
pub mod aws;
pub mod causes;
pub mod changelog;
pub mod clock;
pub mod config;
mod credentials;
pub mod db;
pub mod deletions;
pub mod http;
pub mod id;
pub mod links;
pub mod name;
pub mod objects;
pub mod package;
pub mod queue;
pub mod restore;
mod roots;
pub mod secrets;
pub mod trace;
pub mod trash;
mod usage;

/// The tables that this service adds to the platform's: to be made once per database, as its owner.
pub const SCHEMA: &str = include_str!("schema.sql");
