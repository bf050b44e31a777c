//! Ways to start the program: with arguments, by a shell, with sockets.

use std::ffi::OsStr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};

/// The program's file.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_zerohttpd");

/// The program with these arguments.
pub(crate) fn program(words: &[&str]) -> Command {
    let mut program = command(PROGRAM);
    program.args(words);
    program
}

/// A command with an empty standard input, and without the environment variables of zerohttpd.
pub(crate) fn command(file: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(file);
    command.stdin(Stdio::null());
    // These variables would configure the developer's own server.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ZEROHTTPD_") {
            command.env_remove(name);
        }
    }
    command
}

/// A shell script in which `"$0"` is the program, and `"$@"` are the program's arguments.
pub(crate) fn shell(script: &str, stdin: impl Into<Stdio>) -> Command {
    let mut shell = command("/bin/sh");
    shell.args(["-c", script, PROGRAM]).stdin(stdin);
    shell
}

/// A script that passes its standard input to the program as a listening socket, as systemd does
/// (sd_listen_fds(3)).
pub(crate) const ACTIVATED: &str =
    r#"exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@""#;

/// The program with a listening socket, and with a notification socket if there is one.
pub(crate) fn activated(socket: OwnedFd, notify: Option<&Path>) -> Command {
    let mut command = shell(ACTIVATED, socket);
    if let Some(notify) = notify {
        command.env("NOTIFY_SOCKET", notify);
    }
    command
}

/// The program with two listening sockets, the second of them for the admin. Only bash can
/// duplicate a descriptor whose number has more than one digit. The admin's socket is duplicated
/// first, since its number can be 3.
pub(crate) fn activated_with_admin(socket: OwnedFd, admin: &OwnedFd) -> Command {
    fcntl_setfd(admin, FdFlags::empty()).expect("a socket");
    let mut command = command("/bin/bash");
    let names = "LISTEN_FDS=2 LISTEN_PID=$$ LISTEN_FDNAMES=http:admin";
    let number = admin.as_raw_fd();
    let script = format!("exec 4<&{number} 3<&0 </dev/null; {names} exec \"$0\" \"$@\"");
    command.args(["-c", &script, PROGRAM]).stdin(socket);
    command
}

/// Runs the program to its end.
pub(crate) fn run(words: &[&str]) -> Output {
    command(PROGRAM).args(words).output().expect("the program can be run")
}

/// Whether an architecture has the option `--workers`.
pub(crate) fn takes_workers(arch: &str) -> bool {
    super::accepts_option(arch, ["--workers", "2"])
}
