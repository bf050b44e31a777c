//! A server without a guestbook.

use crate::support::cases::test;
use crate::support::program::{PROGRAM, command};
use crate::support::{Client, Server, TempDir, architectures};

test!(Architecture, a_server_without_a_guestbook_serves_files_and_has_no_store);
fn a_server_without_a_guestbook_serves_files_and_has_no_store(arch: &str) {
    let server = Server::start(arch, "", &["--no-guestbook", "--admin", "0"]);
    assert_eq!(server.client().get("/hello.txt").status, 200);
    let missing = server.client().get("/nothing/at/all");
    for path in ["/guestbook", "/guestbook/", "/guestbook/thanks", "/guestbook?page=2"] {
        let answer = server.client().get(path);
        assert_eq!((answer.status, &answer.body), (404, &missing.body), "{path}");
    }
    let mut guest = server.client();
    guest.send("POST /guestbook HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(guest.answer().status, 404);
    assert!(!server.supervisor().children().iter().any(|child| child.is_store()));
    assert!(server.errors().contains("\n  guestbook  off\n"), "{}", server.errors());
    assert!(!server.errors().contains("store"), "{}", server.errors());
    let mut monitor = Client::connect(server.admin_port());
    assert_eq!(monitor.get("/healthz").body, b"ok\nno guestbook\n");
    let metrics = String::from_utf8(monitor.get("/metrics").body).expect("UTF-8");
    assert!(metrics.contains("zerohttpd_servers 1\n"), "{metrics}");
    assert!(!metrics.contains("zerohttpd_store"), "{metrics}");
}

test!(Once, a_check_without_a_guestbook_needs_no_home_for_it);
fn a_check_without_a_guestbook_needs_no_home_for_it() {
    let mut check = command(PROGRAM);
    check.env_remove("HOME").env_remove("XDG_STATE_HOME").env("ZEROHTTPD_STORE", "redis://[::1]:1");
    let output = check.args([&*architectures()[0], "--no-guestbook", "--check"]).output();
    let output = output.expect("the program");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{said}");
    assert!(said.contains("no guestbook") && !said.contains("redis"), "{said}");
}

test!(Once, a_server_with_neither_a_guestbook_nor_a_site_does_not_start);
fn a_server_with_neither_a_guestbook_nor_a_site_does_not_start() {
    let folder = TempDir::new();
    let words = ["0", "--bind", "127.0.0.1", "--no-guestbook"];
    let output = command(PROGRAM).args(words).current_dir(folder.path()).output();
    let output = output.expect("the program");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    let advice = "there is nothing to serve, as there is no folder public here; name a folder with \
        --root\n";
    assert!(output.status.code() == Some(1) && said.ends_with(advice), "{said}");
}
