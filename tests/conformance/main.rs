//! What a client gets, from every architecture, on every kind of store: the same.

#[path = "../support/mod.rs"]
mod support;

mod changes;
mod files;
mod keeping;
mod links;
mod listings;
mod scripts;
mod versions;
