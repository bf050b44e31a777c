//! What a server knows of itself, and tells: metrics, health; and how many clients it lets in.

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod bounds;
mod counts;
mod exposition;
mod presence;
