//! Clients that misbehave.

use fastrand::Rng;

use crate::support::Client;
use crate::support::client::{Leave, request, signature};

/// The remark with which misbehaving clients sign. The store can hold any number of it.
pub(crate) const REMARK: &str = "in passing - nobody";

/// Misbehaves in a random way. Returns a description, and the client if it is still connected.
pub(crate) fn misbehave(mut client: Client, rng: &mut Rng) -> (&'static str, Option<Client>) {
    let whole = whole_request(rng);
    let leave = if rng.bool() { Leave::Fin } else { Leave::Reset };
    match rng.u8(..6) {
        0 => {
            client.send(&whole[..rng.usize(..=whole.len())]);
            client.leave(leave);
            ("hangs up in a request", None)
        }
        1 => {
            client.send(&whole);
            let limit = rng.usize(1..5000);
            // No answer comes if the process that serves the client has been killed.
            let _ = client.read_some(limit);
            client.leave(leave);
            ("hangs up in an answer", None)
        }
        2 => {
            let garbage: Vec<u8> = (0..rng.usize(1..3000)).map(|_| rng.u8(..)).collect();
            client.send(garbage);
            client.leave(leave);
            ("sends garbage", None)
        }
        3 => {
            client.send(&whole[..rng.usize(..whole.len())]);
            ("stops in a request", Some(client))
        }
        4 => {
            client.send(request("GET", "/big.bin"));
            ("reads nothing of a large file", Some(client))
        }
        _ => {
            for byte in whole.as_bytes().iter().take(rng.usize(1..60)) {
                client.send([*byte]);
            }
            ("sends byte by byte, and stops", Some(client))
        }
    }
}

/// A request that a well-behaved client can send.
fn whole_request(rng: &mut Rng) -> String {
    match rng.u8(..4) {
        0 => request("GET", "/hello.txt"),
        1 => request("GET", "/guestbook"),
        2 => request("GET", "/big.bin"),
        _ => signature("nobody", "in passing"),
    }
}
