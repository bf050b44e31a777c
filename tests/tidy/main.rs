//! Rules for the sources and documents: layers, sizes, names, headings, links and words.

#[path = "../support/mod.rs"]
mod support;

mod cycles;
mod layers;
mod lesson;
mod links;
mod modules;
mod names;
mod readme_and_help;
mod sources;
mod style;
mod words;
