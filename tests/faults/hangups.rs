//! Clients that hang up at every byte, politely and not.

use crate::support::client::{Leave, request};
use crate::support::{Server, Store, for_each_architecture, wait_until};

/// A server that has been used and is at rest, and what it holds then.
macro_rules! at_rest {
    ($server:expr) => {{
        assert_eq!($server.client().get("/hello.txt").status, 200);
        wait_until("a server at rest", || $server.census().client_sockets == 0);
        $server.census()
    }};
}

#[test]
fn a_client_may_hang_up_at_every_byte_of_its_request() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &[]);
        let before = at_rest!(server);
        let form = "POST /guestbook HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nguest-name";
        for sent in [&request("GET", "/guestbook"), form] {
            for cut in 0..=sent.len() {
                for how in [Leave::Fin, Leave::Reset] {
                    let mut client = server.client();
                    client.send(&sent[..cut]);
                    client.leave(how);
                }
            }
        }
        assert_eq!(server.client().get("/hello.txt").status, 200);
        assert!(server.client().visit() > 0);
        wait_until(&format!("{before:?} again"), || server.census() == before);
    });
}

#[test]
fn a_client_may_hang_up_at_every_byte_of_its_answer() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &[]);
        let before = at_rest!(server);
        let asked = request("GET", "/hello.txt");
        let mut whole = server.client();
        whole.send(&asked);
        whole.stop_sending();
        let len = whole.rest().len();
        for cut in 0..=len {
            for how in [Leave::Fin, Leave::Reset] {
                let mut client = server.client();
                client.send(&asked);
                while client.input.len() < cut {
                    let left = cut - client.input.len();
                    assert!(client.read_some(left).expect("an answer") > 0, "it ended");
                }
                client.leave(how);
            }
        }
        assert_eq!(server.client().get("/hello.txt").status, 200);
        drop(whole);
        wait_until(&format!("{before:?} again"), || server.census() == before);
    });
}
