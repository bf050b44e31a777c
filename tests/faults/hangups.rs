//! Clients that hang up at every byte, politely and not.

use crate::support::client::{Leave, request, signature};
use crate::support::server::Census;
use crate::support::{Server, Store, for_each_architecture, wait_until};

/// What a server holds that has been used and is at rest.
#[track_caller]
fn at_rest(server: &Server) -> Census {
    assert_eq!(server.client().get("/hello.txt").status, 200);
    server.await_rest()
}

#[test]
fn a_client_may_hang_up_at_every_byte_of_its_request() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start_small(arch, &store.url(), &[]);
        let before = at_rest(&server);
        let form = signature("Ada", "hello");
        for sent in [&request("GET", "/guestbook"), &form] {
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
        // Two forms were whole; those who sent them did not wait for an answer.
        let remarks = store.remarks();
        assert!(remarks.len() <= 2, "half a form was taken for a whole one: {remarks:?}");
        assert!(remarks.iter().all(|remark| remark == "hello - Ada"), "{remarks:?}");
    });
}

#[test]
fn a_client_may_hang_up_at_every_byte_of_its_answer() {
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let server = Server::start_small(arch, &store.url(), &[]);
        let before = at_rest(&server);
        // Of a page from the store, a byte here and there will do.
        for (target, step) in [("/hello.txt", 1), ("/guestbook", 67)] {
            let asked = request("GET", target);
            let mut whole = server.client();
            whole.send(&asked);
            whole.stop_sending();
            let len = whole.rest().len();
            for cut in (0..=len).step_by(step) {
                hang_up_after(&server, &asked, cut, Leave::Fin);
                hang_up_after(&server, &asked, cut, Leave::Reset);
            }
        }
        assert_eq!(server.client().get("/hello.txt").status, 200);
        wait_until(&format!("{before:?} again"), || server.census() == before);
    });
}

/// Asks, reads so many bytes of the answer, and goes.
#[track_caller]
fn hang_up_after(server: &Server, asked: &str, cut: usize, how: Leave) {
    let mut client = server.client();
    client.send(asked);
    while client.input.len() < cut {
        let left = cut - client.input.len();
        assert!(client.read_some(left).expect("an answer") > 0, "it ended");
    }
    client.leave(how);
}
