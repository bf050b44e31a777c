//! ZeroHTTPd: one web application, served through every architecture that Linux servers have had.
//!
//! `ARCHITECTURE.md` is the map. A request's way through the program: a driver in [`arch`] polls a
//! [`Connection`](zero_core::Connection) for what it wants, and pays that with a [`client`]'s
//! socket, the [`site`]'s files and the [`store`]. What stands above that, for as long as the
//! server runs, is the [`supervisor`].
#![deny(unsafe_code)]

#[macro_use]
mod say;

mod arch;
mod cli;
mod client;
mod clock;
mod listener;
mod log;
mod scoreboard;
mod server;
mod site;
mod store;
mod supervisor;
#[allow(unsafe_code)]
mod sys;

use std::process::ExitCode;

use rustix::process::Signal;

use cli::Command;

fn main() -> ExitCode {
    // A client that hangs up is told by the call that finds it out (send(2), EPIPE).
    sys::signal::ignore(Signal::PIPE);
    let result = match cli::parse() {
        Command::List => cli::list(),
        Command::Store(file, parent) => {
            // What was asked of the kernel at the fork is forgotten if the file has capabilities.
            if let Some(parent) = parent {
                sys::fork::end_with(parent);
            }
            let _ = rustix::thread::set_name(c"zerohttpd-store");
            store::embedded::run(&file).map(|never| match never {})
        }
        Command::Serve(options) => supervisor::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say!("zerohttpd: {message}");
            ExitCode::FAILURE
        }
    }
}
