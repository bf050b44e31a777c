//! Sockets that somebody else opened, and somebody who wants to know.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::support::client::Client;
use crate::support::server::{ACTIVATED, Server};
use crate::support::{Store, TempDir, for_each_architecture, package};

#[test]
fn a_socket_that_is_passed_is_served_and_outlives_the_server() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        for _ in 0..2 {
            let socket = listener.try_clone().expect("a socket");
            // Nobody serves yet, and nobody is turned away.
            let mut early = Client::connect(port);
            let mut server = Server::start_activated(socket, None, (arch, &store.url(), &[]));
            assert_eq!(server.port, port);
            assert_eq!(early.get("/hello.txt").status, 200);
            drop(early);
            assert_eq!(server.client().get("/hello.txt").status, 200);
            assert_eq!(server.stop().code(), Some(0));
        }
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok(), "it listens still");
    });
}

#[test]
fn a_socket_that_does_not_listen_is_refused() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a port");
        let socket = OwnedFd::from(socket);
        let (status, said) = Server::refuse_in_shell(ACTIVATED, socket, (arch, &store.url(), &[]));
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("pass TCP sockets"), "{said}");
    });
}

#[test]
fn sockets_that_were_not_passed_are_missed() {
    let script = r#"LISTEN_FDS=3 LISTEN_PID=$$ exec "$0" "$@""#;
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let words = (arch, &*store.url(), &[][..]);
        let (status, said) = Server::refuse_in_shell(script, Stdio::null(), words);
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("can't use the sockets of LISTEN_FDS: Bad file"), "{said}");
    });
}

#[test]
fn a_service_manager_is_told_of_start_reload_and_end() {
    for_each_architecture(|arch| {
        let (store, folder) = (Store::embedded(), TempDir::new());
        let path = folder.join("notify");
        let manager = UnixDatagram::bind(&path).expect("a socket");
        manager.set_read_timeout(Some(crate::support::PATIENCE)).expect("a socket");
        let hear = || {
            let mut text = [0; 512];
            let count = manager.recv(&mut text).expect("a notification");
            String::from_utf8_lossy(&text[..count]).into_owned()
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let mut server = Server::start_activated(listener, Some(&path), (arch, &store.url(), &[]));
        assert_eq!(hear().trim(), "READY=1");
        server.supervisor().signal(Signal::HUP);
        let reloading = hear();
        assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
        assert_eq!(hear().trim(), "READY=1");
        assert_eq!(server.stop().code(), Some(0));
        assert_eq!(hear().trim(), "STOPPING=1");
    });
}

#[test]
fn systemd_takes_our_units() {
    let unit = |name: &str| package().join("dist").join(name);
    let output = Command::new("systemd-analyze")
        .arg("verify")
        .args([unit("zerohttpd.service"), unit("zerohttpd.socket")])
        .output()
        .expect("systemd-analyze; ./check installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
