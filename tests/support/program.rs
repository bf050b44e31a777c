//! The program, as a test starts it: with words to it, by a shell, with sockets.

use std::ffi::OsStr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};

/// The program's file.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_zerohttpd");

/// The program, with words to it.
pub(crate) fn program(words: &[&str]) -> Command {
    let mut program = command(PROGRAM);
    program.args(words);
    program
}

/// A program, and nobody there to type to it.
pub(crate) fn command(file: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(file);
    command.stdin(Stdio::null());
    // What the one who runs the tests has set for a server of their own is not for these.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ZEROHTTPD_") {
            command.env_remove(name);
        }
    }
    command
}

/// A shell that executes the program in its place, "$0" with "$@".
pub(crate) fn shell(script: &str, stdin: impl Into<Stdio>) -> Command {
    let mut shell = command("/bin/sh");
    shell.args(["-c", script, PROGRAM]).stdin(stdin);
    shell
}

/// How a shell passes its standard input on as a socket to listen on.
pub(crate) const ACTIVATED: &str =
    r#"exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@""#;

/// The program by way of a shell, which puts the socket where it is looked for (sd_listen_fds(3)).
pub(crate) fn activated(socket: OwnedFd, notify: Option<&Path>) -> Command {
    let mut command = shell(ACTIVATED, socket);
    if let Some(notify) = notify {
        command.env("NOTIFY_SOCKET", notify);
    }
    command
}

/// The same with two sockets, of which the second is the admin's. It is passed by its number, which
/// not every shell takes.
pub(crate) fn activated_with_admin(socket: OwnedFd, admin: &OwnedFd) -> Command {
    fcntl_setfd(admin, FdFlags::empty()).expect("a socket");
    let mut command = command("/bin/bash");
    let names = "LISTEN_FDS=2 LISTEN_PID=$$ LISTEN_FDNAMES=http:admin";
    let number = admin.as_raw_fd();
    let script = format!("exec 3<&0 4<&{number} </dev/null; {names} exec \"$0\" \"$@\"");
    command.args(["-c", &script, PROGRAM]).stdin(socket);
    command
}

/// Runs the program to its end.
pub(crate) fn run(words: &[&str]) -> Output {
    command(PROGRAM).args(words).output().expect("the program can be run")
}

/// Whether an architecture can be told how many workers it has.
pub(crate) fn takes_workers(arch: &str) -> bool {
    super::takes(arch, ["--workers", "2"])
}
