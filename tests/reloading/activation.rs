//! Sockets that a service manager passes, and notifications to it (sd_listen_fds(3), sd_notify(3)).

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use rustix::process::Signal;

use crate::support::cases::test;
use crate::support::client::{Client, is_last};
use crate::support::server::{ACTIVATED, Server};
use crate::support::{Store, TempDir, package, wait_for, wait_until};

test!(Architecture, a_passed_socket_is_served_and_still_listens_after_the_server_has_stopped);
fn a_passed_socket_is_served_and_still_listens_after_the_server_has_stopped(arch: &str) {
    let store = Store::embedded();
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    for _ in 0..2 {
        let socket = listener.try_clone().expect("a socket");
        // No server runs yet; the connection waits in the queue.
        let mut waiting = Client::connect(port);
        let mut server = Server::start_activated(socket, None, (arch, &store.url(), &[]));
        assert_eq!(server.port, port);
        assert_eq!(waiting.get("/hello.txt").status, 200);
        drop(waiting);
        assert_eq!(server.client().get("/hello.txt").status, 200);
        assert_eq!(server.stop().code(), Some(0));
    }
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok(), "the socket still listens");
}

test!(Architecture, no_connection_is_reset_while_servers_restart_on_a_passed_socket);
/// A service manager that keeps the socket restarts a service in this way.
fn no_connection_is_reset_while_servers_restart_on_a_passed_socket(arch: &str) {
    let store = Store::embedded();
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let (is_over, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let clients = [(); 4].map(|()| {
            scope.spawn(|| {
                while !is_over.load(Relaxed) {
                    assert_eq!(Client::connect(port).get("/hello.txt").status, 200);
                    answers.fetch_add(1, Relaxed);
                }
            })
        });
        for _ in 0..10 {
            let socket = listener.try_clone().expect("a socket");
            let mut server = Server::start_activated(socket, None, (arch, &store.url(), &[]));
            let goal = answers.load(Relaxed) + 20;
            wait_until("answers", || answers.load(Relaxed) > goal);
            assert_eq!(server.stop().code(), Some(0));
        }
        is_over.store(true, Relaxed);
        // The clients that are still connected are served, too.
        let last = Server::start_activated(listener, None, (arch, &store.url(), &[]));
        clients.into_iter().for_each(|client| client.join().expect("a client that is served"));
        drop(last);
    });
}

test!(Architecture, a_socket_that_does_not_listen_is_refused);
fn a_socket_that_does_not_listen_is_refused(arch: &str) {
    let store = Store::embedded();
    let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a port");
    let socket = OwnedFd::from(socket);
    let (status, stderr) =
        Server::failed_start_in_shell(ACTIVATED, socket, (arch, &store.url(), &[]));
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("pass TCP sockets"), "{stderr}");
}

test!(Architecture, missing_passed_sockets_are_an_error);
fn missing_passed_sockets_are_an_error(arch: &str) {
    let script = r#"LISTEN_FDS=3 LISTEN_PID=$$ exec "$0" "$@""#;
    let store = Store::embedded();
    let words = (arch, &*store.url(), &[][..]);
    let (status, stderr) = Server::failed_start_in_shell(script, Stdio::null(), words);
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("can't use the sockets of LISTEN_FDS: Bad file"), "{stderr}");
}

/// The side of a service manager that reads notifications (sd_notify(3)).
struct ServiceManager(UnixDatagram);

impl ServiceManager {
    fn at(path: &Path) -> ServiceManager {
        let socket = UnixDatagram::bind(path).expect("a socket");
        socket.set_read_timeout(Some(crate::support::TIMEOUT)).expect("a socket");
        ServiceManager(socket)
    }

    /// Receives the next notification that is not only a new status.
    fn receive(&self) -> String {
        loop {
            let mut text = [0; 512];
            let count = self.0.recv(&mut text).expect("a notification");
            let text = String::from_utf8_lossy(&text[..count]).into_owned();
            if !text.starts_with("STATUS=") {
                return text;
            }
        }
    }

    /// Receives the next notification, that the service is ready with this generation.
    #[track_caller]
    fn assert_ready(&self, (arch, port): (&str, u16), generation: u32) {
        let status = format!("STATUS={arch} at 127.0.0.1:{port}, generation {generation}: ");
        let told = self.receive();
        assert!(told.starts_with(&format!("READY=1\n{status}")), "{told}");
    }
}

test!(Architecture, the_service_manager_is_notified_of_start_reload_and_stop);
fn the_service_manager_is_notified_of_start_reload_and_stop(arch: &str) {
    let (store, folder) = (Store::embedded(), TempDir::new());
    let path = folder.join("notify");
    let manager = ServiceManager::at(&path);
    let receive = || manager.receive();
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let mut server = Server::start_activated(listener, Some(&path), (arch, &store.url(), &[]));
    let service = (arch, server.port);
    manager.assert_ready(service, 1);
    server.supervisor().signal(Signal::HUP);
    let reloading = receive();
    assert!(reloading.starts_with("RELOADING=1\nSTATUS=reloading\nMONOTONIC_USEC="), "{reloading}");
    manager.assert_ready(service, 2);
    assert_eq!(server.stop().code(), Some(0));
    let stopping = receive();
    // The grace time, and the time in which the store and all processes end.
    assert!(stopping.starts_with("STOPPING=1\nEXTEND_TIMEOUT_USEC=16000000\n"), "{stopping}");
    assert!(stopping.ends_with(", generation 2: stopping, 0 clients left\n"), "{stopping}");
}

test!(Architecture, a_watchdog_is_told_that_the_supervisor_lives_also_while_it_drains_and_stops);
fn a_watchdog_is_told_that_the_supervisor_lives_also_while_it_drains_and_stops(arch: &str) {
    let (store, folder) = (Store::embedded(), TempDir::new());
    let path = folder.join("notify");
    let manager = ServiceManager::at(&path);
    let variables = format!("NOTIFY_SOCKET={} WATCHDOG_PID=$$ WATCHDOG_USEC=2000", path.display());
    let script = format!("{variables} exec \"$0\" \"$@\"");
    let words = ["--drain", "3600", "--grace", "3600", "--header-timeout", "3600"];
    let mut server = Server::start_in_shell(&script, Stdio::null(), (arch, &store.url(), &words));
    let await_sign = || while manager.receive() != "WATCHDOG=1\n" {};
    let await_told = |part: &str| while !manager.receive().contains(part) {};
    await_told("READY=1\n");
    await_sign();
    let mut halfway = server.client();
    halfway.send("GET /hello.txt HTTP/1.1\r\nHo");
    wait_until("a client that is served", || server.is_accepted(&halfway));
    server.supervisor().signal(Signal::TERM);
    await_told(", generation 1: draining, ");
    await_sign();
    server.supervisor().signal(Signal::TERM);
    await_told(", generation 1: stopping, 1 client left\n");
    await_sign();
    halfway.send("st: x\r\n\r\n");
    assert!(is_last(&halfway.answer()));
    drop(halfway);
    assert_eq!(server.wait().code(), Some(0));
}

test!(Once, the_service_manager_is_notified_of_a_postponed_reload);
/// With `Type=notify-reload`, `systemctl reload` waits for RELOADING and READY.
fn the_service_manager_is_notified_of_a_postponed_reload() {
    let (store, folder) = (Store::embedded(), TempDir::new());
    let path = folder.join("notify");
    let manager = ServiceManager::at(&path);
    let receive = || manager.receive();
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let words = ["--keep-alive-timeout", "3600"];
    let mut server =
        Server::start_activated(listener, Some(&path), ("epoll", &store.url(), &words));
    let service = ("epoll", server.port);
    manager.assert_ready(service, 1);
    let mut kept = Vec::new();
    for generation in 2..=10 {
        // Each generation keeps a client, and so goes on draining.
        let before: Vec<_> = kept.iter().map(|client| server.owner(client)).collect();
        kept.push(wait_for("a client of the newest generation", || {
            let mut client = server.client();
            let answer = client.get("/hello.txt");
            assert_eq!(answer.status, 200);
            // A server that drains closes the connection, which then has no owner.
            (!is_last(&answer) && !before.contains(&server.owner(&client))).then_some(client)
        }));
        server.supervisor().signal(Signal::HUP);
        let reloading = receive();
        assert!(reloading.starts_with("RELOADING=1\n"), "{reloading}");
        // The ninth reload is postponed.
        manager.assert_ready(service, generation.min(9));
    }
    assert!(server.errors().contains("8 generations of servers are still draining"));
    drop(kept);
    assert!(receive().starts_with("RELOADING=1\n"), "the postponed reload begins");
    manager.assert_ready(service, 10);
    assert_eq!(server.stop().code(), Some(0));
}

test!(Architecture, a_service_manager_that_does_not_read_blocks_nothing);
/// The manager's queue is full, so a blocking sendmsg(2) would wait for ever.
fn a_service_manager_that_does_not_read_blocks_nothing(arch: &str) {
    let (store, folder) = (Store::embedded(), TempDir::new());
    let path = folder.join("notify");
    let _manager = UnixDatagram::bind(&path).expect("a socket");
    let other = UnixDatagram::unbound().expect("a socket");
    other.set_nonblocking(true).expect("a socket");
    while other.send_to(b"X=1", &path).is_ok() {}
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let mut server = Server::start_activated(listener, Some(&path), (arch, &store.url(), &[]));
    let before = server.servers();
    server.supervisor().signal(Signal::HUP);
    wait_until("the next generation", || {
        let servers = server.servers();
        !servers.is_empty() && servers.iter().all(|server| !before.contains(server))
    });
    assert_eq!(server.client().get("/hello.txt").status, 200);
    assert_eq!(server.stop().code(), Some(0));
}

test!(Once, a_service_manager_that_is_not_there_is_reported_once);
/// `NOTIFY_SOCKET` can be inherited from a program that has ended.
fn a_service_manager_that_is_not_there_is_reported_once() {
    let (store, folder) = (Store::embedded(), TempDir::new());
    let path = folder.join("notify");
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let mut server = Server::start_activated(listener, Some(&path), ("epoll", &store.url(), &[]));
    for round in 1..=2 {
        server.supervisor().signal(Signal::HUP);
        wait_until("a reload", || server.errors().matches("opened anew").count() == round);
    }
    assert_eq!(server.stop().code(), Some(0));
    let said = server.errors();
    assert_eq!(said.matches("can't notify the service manager").count(), 1, "{said}");
}

test!(Once, systemd_accepts_the_units);
fn systemd_accepts_the_units() {
    let unit = |name: &str| package().join("dist").join(name);
    let output = Command::new("systemd-analyze")
        // The manual need not be installed here.
        .args(["verify", "--man=no"])
        .args([unit("zerohttpd.service"), unit("zerohttpd.socket")])
        .output()
        .expect("systemd-analyze; ./check installs it");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
}
