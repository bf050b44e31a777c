//! The titles of a server's processes, as ps(1) shows them.

use rustix::process::Signal;

use crate::support::cases::test;
use crate::support::process::Process;
use crate::support::{Server, Store, wait_until};

const ADMIN: [&str; 2] = ["--admin", "127.0.0.1:0"];

/// The titles of these processes, sorted.
fn titles(processes: &[Process]) -> Vec<String> {
    let mut titles: Vec<_> = processes.iter().map(|process| process.title()).collect();
    titles.sort();
    titles
}

/// The titles of this many workers, `zerohttpd: worker 1` and so on, sorted.
fn workers(count: usize) -> Vec<String> {
    let mut titles: Vec<_> = (1..=count).map(|n| format!("zerohttpd: worker {n}")).collect();
    titles.sort();
    titles
}

test!(Architecture, each_process_has_a_title_that_states_its_role);
fn each_process_has_a_title_that_states_its_role(arch: &str) {
    let store = Store::embedded();
    let server = Server::start_small(arch, &store.url(), &ADMIN);
    let mut client = server.client();
    assert_eq!(client.get("/").status, 200);
    let supervisor = format!("zerohttpd: supervisor ({arch} at 127.0.0.1:{})", server.port);
    let store_title = store.url().replace("embedded:", "zerohttpd: store ");
    let have_titles = |servers: &[Process]| {
        let parents = servers.iter().filter(|server| !server.children().is_empty());
        match parents.map(|parent| parent.title()).collect::<Vec<_>>().as_slice() {
            // A server with a thread for each client has the title of an acceptor.
            [] if titles(servers) == ["zerohttpd: acceptor"] => true,
            [] => titles(servers) == workers(servers.len()),
            [title] if title == "zerohttpd: acceptor" => {
                titles(&servers[0].children()) == ["zerohttpd: child"]
            }
            [title] if title == "zerohttpd: parent" => {
                let children = servers[0].children();
                titles(&children) == workers(children.len())
            }
            _ => false,
        }
    };
    let all_have_titles = || {
        server.supervisor().title() == supervisor
            && store_title.starts_with(&server.store().title())
            && titles(&server.admins()) == ["zerohttpd: admin"]
            && have_titles(&server.servers())
    };
    wait_until("a title for each process", all_have_titles);
    drop(client);
    // A title overwrites the command line, so the successor must have the same space for it.
    server.supervisor().signal(Signal::USR2);
    wait_until("a successor", || server.errors().contains("took over"));
    let mut client = server.client();
    assert_eq!(client.get("/").status, 200);
    wait_until("a title for each process of the successor", all_have_titles);
}
