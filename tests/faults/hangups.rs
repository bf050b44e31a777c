//! Clients that disconnect after each number of bytes, by FIN and by RST.

use crate::support::cases::test;
use crate::support::client::{Leave, request, signature};
use crate::support::resources::Resources;
use crate::support::{Server, Store, wait_until};

/// The resources of a server that has served a client and has none now.
#[track_caller]
fn idle_resources(server: &Server) -> Resources {
    assert_eq!(server.client().get("/hello.txt").status, 200);
    server.await_idle()
}

test!(Architecture, a_client_that_hangs_up_at_any_byte_of_its_request_leaves_nothing_behind);
fn a_client_that_hangs_up_at_any_byte_of_its_request_leaves_nothing_behind(arch: &str) {
    let store = Store::embedded();
    let server = Server::start_small(arch, &store.url(), &[]);
    let before = idle_resources(&server);
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
    wait_until(&format!("{before:?} again"), || server.resources() == before);
    // Two forms were complete, and their clients left before the answer.
    let remarks = store.remarks();
    assert!(remarks.len() <= 2, "an incomplete form was accepted: {remarks:?}");
    assert!(remarks.iter().all(|remark| remark == "hello - Ada"), "{remarks:?}");
}

test!(Architecture, a_client_that_hangs_up_at_any_byte_of_its_answer_leaves_nothing_behind);
fn a_client_that_hangs_up_at_any_byte_of_its_answer_leaves_nothing_behind(arch: &str) {
    let store = Store::embedded();
    let server = Server::start_small(arch, &store.url(), &[]);
    let before = idle_resources(&server);
    // The page is long, so its client hangs up only at every 67th byte.
    for (target, step) in [("/hello.txt", 1), ("/guestbook", 67)] {
        let asked = request("GET", target);
        let mut whole = server.client();
        whole.send(&asked);
        whole.stop_sending();
        let len = whole.read_to_end().len();
        for cut in (0..=len).step_by(step) {
            hang_up_after(&server, &asked, cut, Leave::Fin);
            hang_up_after(&server, &asked, cut, Leave::Reset);
        }
    }
    assert_eq!(server.client().get("/hello.txt").status, 200);
    wait_until(&format!("{before:?} again"), || server.resources() == before);
}

/// Sends a request, reads `cut` bytes of the answer, and leaves.
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
