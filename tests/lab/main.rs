//! `zerohttpd load` as a process, against servers whose behaviour is known. One such
//! process is called a load here.

#[path = "../support/mod.rs"]
mod support;

mod ending;
mod failures;
mod fake;
mod idle;
mod load_report;
mod loops;
mod many_clients;
mod serving;
mod terminal;
