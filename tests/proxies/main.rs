//! nginx, Caddy and HAProxy in front of two servers, with the configurations in `dist/`.

#[path = "../support/mod.rs"]
mod support;

mod proxy;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use proxy::{KINDS, Kind, Proxy};
use rustix::process::Signal;
use support::{
    Kind as StoreKind, ONE_AT_A_TIME, Server, Store, architectures, for_each, wait_until,
};

/// A client of a proxy sends this many requests on a connection.
const REQUESTS: usize = 20;

/// Two servers at the same ports of two addresses, which drain until a second SIGTERM. Their
/// guestbook is in a Redis: an embedded store would move when its server stops.
struct Pair {
    store: Store,
    archs: [&'static str; 2],
}

impl Pair {
    fn start(&self, index: usize, ports: [u16; 2]) -> Server {
        let (port, admin) = (ports[0].to_string(), format!("127.0.0.{}:{}", index + 1, ports[1]));
        let address = format!("127.0.0.{}", index + 1);
        let words = ["--bind", &address, "--port", &port, "--admin", &admin];
        let others = ["--drain", "3600", "--grace", "3600", "--access-log", "common"];
        Server::start(self.archs[index], &self.store.url(), &[&words[..], &others].concat())
    }
}

/// How many requests for the file of the load a server has answered.
fn answered(server: &Server) -> usize {
    server.output().matches("/hello.txt").count()
}

/// Asks a proxy for files, parts of files and the guestbook.
fn assert_served(proxy: &Proxy) {
    let file = proxy.ask(&[], "/hello.txt");
    assert!(file.starts_with("HTTP/2 200 ") && file.ends_with("\r\n\r\nhello\n"), "{file}");
    let part = proxy.ask(&["-r", "1-3"], "/hello.txt");
    assert!(part.starts_with("HTTP/2 206 ") && part.ends_with("\r\n\r\nell"), "{part}");
    assert!(part.contains("content-range: bytes 1-3/"), "{part}");
    let etag = file.lines().find_map(|line| line.strip_prefix("etag: ")).expect("an ETag");
    let known = proxy.ask(&["-H", &format!("If-None-Match: {etag}")], "/hello.txt");
    assert!(known.starts_with("HTTP/2 304 "), "{known}");
    let form = ["-d", "guest-name=Ann", "-d", "guest-remarks=by way of a proxy"];
    let sign = |origin: &str| proxy.ask(&[&form[..], &["-H", origin]].concat(), "/guestbook");
    let signed = sign(&proxy.origin());
    assert!(signed.starts_with("HTTP/2 303 "), "{signed}");
    let cross_site = sign("Origin: https://other.example");
    assert!(cross_site.starts_with("HTTP/2 403 "), "{cross_site}");
    let page = proxy.ask(&[], "/guestbook");
    assert!(page.starts_with("HTTP/2 200 ") && page.contains("by way of a proxy"), "{page}");
}

/// Does `work` while clients of a proxy ask for a file and sign the guestbook; panics if a request
/// fails. `work` gets a function that waits for further answers.
fn under_load(proxy: &Proxy, work: impl FnOnce(&dyn Fn(&str))) {
    let (is_over, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    let targets = [&["/hello.txt"; REQUESTS][..], &["/guestbook"]].concat();
    let form = ["-d", "guest-name=Ann", "-d", "guest-remarks=under load"];
    let status = ["-w", "%{http_code} %{errormsg}\n", "-o", "/dev/null"];
    let run = |options: &[&str], targets: &[&str], good: &str| {
        let outputs = ["-o", "/dev/null"].repeat(targets.len() - 1);
        let options = [&status[..], &outputs, proxy.load_options(), options].concat();
        let output = proxy.curl(&options, targets).output().expect("curl");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let are_good = said.lines().filter(|line| line.trim() == good).count();
        if are_good == targets.len() { Ok(()) } else { Err(format!("{targets:?}: {said}")) }
    };
    thread::scope(|scope| {
        let load = || {
            while !is_over.load(Relaxed) {
                run(&[], &targets, "200")?;
                run(&form, &["/guestbook"], "303")?;
                rounds.fetch_add(1, Relaxed);
            }
            Ok::<_, String>(())
        };
        let clients: Vec<_> = (0..3).map(|_| scope.spawn(load)).collect();
        let more_answers = |after: &str| {
            let goal = rounds.load(Relaxed) + 3;
            wait_until(&format!("answers after {after}"), || {
                rounds.load(Relaxed) > goal || clients.iter().any(|client| client.is_finished())
            });
        };
        let worked = catch_unwind(AssertUnwindSafe(|| work(&more_answers)));
        is_over.store(true, Relaxed);
        let ends: Vec<_> = clients.into_iter().map(|it| it.join().expect("a client")).collect();
        assert!(ends.iter().all(Result::is_ok), "{ends:?}\n{}", proxy.said());
        worked.unwrap_or_else(|panic| resume_unwind(panic));
    });
}

/// Reloads both servers, drains and stops one of them, and starts it again.
fn reload_drain_and_restart(kind: &Kind, archs: [&'static str; 2]) {
    let pair = Pair { store: Store::new(StoreKind::Redis), archs };
    let mut one = pair.start(0, [0, 0]);
    let ports = [one.port, one.admin_port()];
    let other = pair.start(1, ports);
    let proxy = Proxy::start(kind, [&one, &other]);
    assert_served(&proxy);
    under_load(&proxy, |more_answers| {
        more_answers("the start");
        for server in [&one, &other] {
            server.supervisor().signal(Signal::HUP);
            wait_until("a reload", || server.errors().contains("were opened anew"));
            more_answers("a reload");
        }
        assert!(answered(&one) > 0 && answered(&other) > 0, "both are asked");
        one.supervisor().signal(Signal::TERM);
        proxy.set_down(&one, true);
        wait_until("a proxy that asks the other server alone", || {
            let before = (answered(&one), answered(&other));
            more_answers("a drain");
            answered(&one) == before.0 && answered(&other) > before.1
        });
        assert_eq!(one.stop().code(), Some(0));
        more_answers("a stop");
        one = pair.start(0, ports);
        proxy.set_down(&one, false);
        wait_until("a proxy that asks the new server", || answered(&one) > 0);
        more_answers("a restart");
    });
    assert_served(&proxy);
}

#[test]
fn no_request_fails_behind_a_proxy_while_servers_reload_drain_and_restart() {
    let archs: Vec<_> = architectures().iter().filter(|arch| *arch != ONE_AT_A_TIME).collect();
    let pairs = archs.chunks_exact(2).map(|pair| [pair[0].as_str(), pair[1].as_str()]);
    let cases: Vec<_> = KINDS.iter().zip(pairs).collect();
    assert_eq!(cases.len(), KINDS.len());
    let name = |(kind, archs): &(&Kind, [&str; 2])| format!("{} before {archs:?}", kind.program);
    for_each(&cases, name, |(kind, archs)| reload_drain_and_restart(kind, *archs));
}
