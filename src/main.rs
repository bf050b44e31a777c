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
mod crowd;
mod habits;
mod lab;
mod listener;
mod log;
mod metrics;
mod presence;
mod sandbox;
mod scoreboard;
mod seats;
mod send_queue;
mod server;
mod site;
mod store;
mod supervisor;
#[allow(unsafe_code)]
mod sys;
mod tally;

use std::process::ExitCode;

use rustix::process::Signal;

use cli::Command;

fn main() -> ExitCode {
    // A client that hangs up is told by the call that finds it out (send(2), EPIPE).
    sys::signal::ignore(Signal::PIPE);
    sys::signal::restore(Signal::CHILD);
    let result = match cli::parse() {
        Command::List => cli::list(),
        Command::Store { file, parent, sandbox } => {
            // What was asked of the kernel at the fork is forgotten if the file has capabilities.
            if let Some(parent) = parent {
                sys::fork::end_with(parent);
            }
            let _ = rustix::thread::set_name(c"zerohttpd-store");
            store::embedded::run(&file, sandbox).map(|never| match never {})
        }
        Command::Lab(command) => return ended(lab::run(*command)),
        Command::Serve(options) => supervisor::run(&options),
    };
    ended(result.map(|()| ExitCode::SUCCESS))
}

/// The code to end with; what went wrong is said.
fn ended(result: Result<ExitCode, String>) -> ExitCode {
    result.unwrap_or_else(|message| {
        say!("zerohttpd: {message}");
        ExitCode::FAILURE
    })
}
