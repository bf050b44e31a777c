//! How a server stops, why it does not start, and its access log.

#[path = "../support/mod.rs"]
mod support;

mod checking;
mod copies;
mod foreign_processes;
mod log;
mod signals;
mod startup;

fn main() -> std::process::ExitCode {
    // If nohup(1) runs the tests, SIGHUP is ignored. Servers would inherit that, and go on when
    // their terminal is closed.
    zerohttpd_sys::signal::restore(rustix::process::Signal::HUP);
    support::cases::run(Vec::new()).exit_code()
}
