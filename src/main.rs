//! ZeroHTTPd: one web application, served through seven server architectures.
//!
//! `ARCHITECTURE.md` is the map. A [driver] polls a [`Connection`](zerohttpd_core::Connection) for
//! what it wants, and performs that with the client's socket ([`net`]), the site's [`files`] and
//! the [`store`]. An architecture ([`arch`]) decides which process or thread does so. The
//! [`supervisor`] is the first process: it starts, watches and stops the others.
#![forbid(unsafe_code)]

mod ablations;
mod admin;
mod admission;
mod arch;
mod cli;
mod clock;
mod driver;
mod files;
mod net;
mod observe;
mod options;
mod sandbox;
mod server;
mod shared;
mod store;
mod supervisor;

use std::process::ExitCode;

use rustix::process::Signal;
use zerohttpd_sys::{diagnostics, fork, inherited, name_services, process_title, say, signal};

use cli::Invocation;

fn main() -> ExitCode {
    // A send to a client that has closed its connection then fails with EPIPE instead of a signal
    // (send(2)).
    signal::ignore(Signal::PIPE);
    // A write beyond the file size limit then fails with EFBIG, like a write to a full disk.
    signal::ignore(Signal::XFSZ);
    signal::restore(Signal::CHILD);
    name_services::use_linked_ones();
    let result = match cli::parse() {
        Invocation::Print(explanation) => cli::print(explanation),
        Invocation::Store { file, parent, sandbox } => {
            // execve(2) resets PR_SET_PDEATHSIG if the program's file has capabilities, so it is
            // set again.
            if let Some(parent) = parent {
                fork::end_with(parent);
            }
            let _ = rustix::thread::set_name(c"zerohttpd-store");
            process_title::make_room();
            process_title::set(&format!("store {}", file.display()));
            diagnostics::never_wait();
            zerohttpd_embedded::run(&file, parent, &|folder| {
                sandbox::confine_store(sandbox, folder)
            })
        }
        #[cfg(feature = "lab")]
        Invocation::Lab(command) => {
            return exit_code(zerohttpd_lab::run(*command, &arch::for_lab()));
        }
        Invocation::Serve(options) => {
            inherited::find();
            diagnostics::never_wait();
            process_title::make_room();
            supervisor::run(&options)
        }
    };
    exit_code(result.map(|()| ExitCode::SUCCESS))
}

/// The exit code. Prints the error, if there is one.
fn exit_code(result: Result<ExitCode, String>) -> ExitCode {
    result.unwrap_or_else(|message| {
        say!("zerohttpd: {message}");
        ExitCode::FAILURE
    })
}
