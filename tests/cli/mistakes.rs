//! Usual mistakes, and what each gets: one line that says what to type instead, and no words that
//! only a programmer understands.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;

use crate::rows::{COMMANDS, OPTIONS, STARTS, WORDS};
use crate::support::program::{PROGRAM, command, program, run};
use crate::support::{Server, TempDir, skip};

/// Words of libraries and of their programmers.
const FOREIGN: [&str; 9] = [
    "entity not found",
    "invalid digit found in string",
    "invalid socket address syntax",
    "invalid IP address syntax",
    "failed to lookup address information",
    "cannot parse",
    "panicked",
    "Error {",
    "..=",
];

/// Standard error, without the usage and the hint at the help.
fn essence(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines = lines.take_while(|line| !line.starts_with("Usage:"));
    let lines = lines.filter(|line| !line.starts_with("For more information"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn each_mistake_gets_a_line_that_says_what_to_type() {
    let folder = TempDir::new();
    std::fs::create_dir(folder.join("public")).expect("a folder");
    folder.write("page.html", "<!DOCTYPE html>");
    let architectures = crate::support::architectures().join(", ");
    let here = folder.path().display().to_string();
    let mut wrong = Vec::new();
    let rows = [WORDS, OPTIONS, STARTS, COMMANDS].concat();
    assert!(rows.len() >= 40);
    for (words, code, expected) in rows {
        let mut program = command(PROGRAM);
        program.args(words.split(' ')).current_dir(folder.path()).env("HOME", folder.path());
        let output = program.output().expect("the program");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        let expected = expected.replace("ARCHITECTURES", &architectures).replace("HERE", &here);
        let has_foreign_words = FOREIGN.iter().any(|foreign| said.contains(foreign));
        let is_as_expected = output.status.code() == Some(code) && essence(&said) == expected;
        if !is_as_expected || has_foreign_words {
            wrong.push(format!("{words}: {:?}\n{said}", output.status.code()));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_port_in_use_names_its_holder_and_a_port_that_is_free() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = taken.local_addr().expect("its address");
    let port = address.port().to_string();
    let output = run(&[&port, "--bind", "localhost", "--no-guestbook"]);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    let holder = format!("process {} (", std::process::id());
    let beginning = format!("zerohttpd: can't listen on {address}: {holder}");
    assert!(output.status.code() == Some(1) && said.starts_with(&beginning), "{said}");
    let (_, free) = said.split_once(") does already; end it, or try port ").expect("advice");
    let free: u16 = free.trim_end().parse().expect("a port");
    assert!((address.port()..=address.port() + 100).contains(&free), "{said}");
}

#[test]
fn of_two_holders_of_a_port_the_one_at_the_same_address_is_named() {
    let holder = Server::start("epoll", "", &["--no-guestbook"]);
    let _other = TcpListener::bind(("127.0.0.2", holder.port)).expect("a port");
    let output = run(&[&holder.port.to_string(), "--bind", "127.0.0.1", "--no-guestbook"]);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    let process = format!(": process {} (zerohttpd) does already; end it", holder.supervisor().0);
    assert!(output.status.code() == Some(1) && said.contains(&process), "{said}");
}

#[test]
fn words_that_are_not_utf_8_are_a_mistake_as_well() {
    let folder = OsStr::from_bytes(b"caf\xe9/");
    let option = OsStr::from_bytes(b"--root=caf\xe9/");
    for (words, expected) in [
        (&[folder][..], "error: invalid UTF-8"),
        (&[option, OsStr::new("--lising")], "error: unexpected argument '--lising' found"),
    ] {
        let output = program(&[]).args(words).output().expect("the program");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(output.status.code() == Some(2) && said.starts_with(expected), "{said}");
    }
}

#[test]
fn a_port_that_needs_a_right_says_how_to_get_it() {
    let user = match rustix::process::geteuid().is_root() {
        true => &[][..],
        false => &["--user", "--map-root-user"],
    };
    let probe = command("unshare").args(user).args(["--net", "true"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        return skip("no network namespace can be created here");
    }
    let mut unshare = command("unshare");
    // A new network has the kernel's default: ports below 1024 need a right.
    unshare.args(user).args(["--net", "setpriv", "--bounding-set=-net_bind_service", PROGRAM]);
    let output = unshare.args(["80", "--no-guestbook"]).output().expect("unshare(1)");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(
        said,
        "zerohttpd: can't listen on 0.0.0.0:80: port 80 needs root's rights: start it with sudo \
         and --user www-data, or choose a port from 1024 on, such as 8080\n"
    );
}
