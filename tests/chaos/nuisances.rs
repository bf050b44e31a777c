//! Clients who are no good.

use fastrand::Rng;

use crate::support::Client;
use crate::support::client::{Leave, request, signature};

/// What they sign, if they do: the one remark that may be kept any number of times.
pub(crate) const IN_PASSING: &str = "in passing - nobody";

/// Calls on a server and misbehaves. One who is returned is still there, to be waited for.
pub(crate) fn call(mut client: Client, rng: &mut Rng) -> (&'static str, Option<Client>) {
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
            let most = rng.usize(1..5000);
            // It may find no answer: whoever had it was killed.
            let _ = client.read_some(most);
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

/// Something that a good client might ask.
fn whole_request(rng: &mut Rng) -> String {
    match rng.u8(..4) {
        0 => request("GET", "/hello.txt"),
        1 => request("GET", "/guestbook"),
        2 => request("GET", "/big.bin"),
        _ => signature("nobody", "in passing"),
    }
}
