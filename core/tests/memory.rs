//! What a connection that waits holds of the heap: nothing (a million idle clients are to cost
//! next to nothing).
//!
//! This file has the one allocator that counts, and so the one `unsafe` of the core's tests.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use zero_core::app::BadTemplate;
use zero_core::{
    App, Asset, Coding, Connection, Facts, Limits, Moment, NoAsset, Sent, Templates, Want,
};

thread_local! {
    /// Bytes that this thread has allocated and not freed.
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(bytes: isize) {
    // A thread that is about to end frees what it holds after its locals are gone.
    let _ = LIVE.try_with(|live| live.set(live.get() + bytes));
}

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

fn live() -> isize {
    LIVE.with(Cell::get)
}

#[derive(Debug)]
struct File(Arc<Facts>);

impl Asset for File {
    fn facts(&self) -> &Facts {
        &self.0
    }
}

struct Server {
    app: App,
    now: Moment,
    facts: Arc<Facts>,
}

impl Server {
    fn new() -> Server {
        let page = |_: &str| -> Result<Vec<u8>, BadTemplate> {
            let gaps = "$VISITOR_COUNT$ $GUEST_REMARKS$ $PROBLEMS$ $GUEST_NAME$ $GUEST_REMARK$";
            Ok(format!("{gaps} $STATUS$ $REASON$ $EXPLANATION$ $FOLDER$ $ENTRIES$").into_bytes())
        };
        let templates = Templates::load(page).unwrap();
        Server {
            app: App { templates, limits: Limits::default(), guestbook: true, listing: false },
            now: Moment { ms: 1, unix_s: 1 },
            facts: Arc::new(Facts::new(10, 0, "1", "text/plain", Coding::default())),
        }
    }

    /// Serves what was received, whole, and stops where the client is waited for.
    fn serve(&self, connection: &mut Connection<File>) {
        loop {
            match connection.poll(&self.app, self.now) {
                Want::Open(path, _) if path.as_bytes() == b"missing" => {
                    connection.opened(Err(NoAsset::Missing));
                }
                Want::Open(..) => connection.opened(Ok(File(Arc::clone(&self.facts)))),
                Want::Send(transmit) => drop(connection.sent(transmit, Sent::Whole)),
                Want::Read => return,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_connection_that_waits_holds_nothing() {
    let server = Server::new();
    let before = live();
    let mut connection = Connection::new();
    server.serve(&mut connection);
    assert_eq!(live() - before, 0, "one that was just accepted");
    let large = format!("GET /a HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", "c".repeat(15_000));
    let form = format!(
        "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{}",
        "f".repeat(60_000)
    );
    let pipelined = "GET /missing HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50);
    for request in [&large, &form, &pipelined] {
        let held = live();
        connection.received(request.as_bytes());
        assert!(live() > held, "what came is held");
        server.serve(&mut connection);
        assert!(connection.is_idle());
        assert_eq!(live() - held, 0, "and let go when it was answered");
    }
    let held = live();
    connection.received(b"GET /a HT");
    server.serve(&mut connection);
    assert!(!connection.is_idle());
    assert!((1..64).contains(&(live() - held)), "half a head costs what came of it");
}

#[test]
fn a_body_that_nobody_wants_is_never_held() {
    let server = Server::new();
    let mut connection = Connection::new();
    connection.received(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n");
    server.serve(&mut connection);
    let (held, piece) = (live(), vec![b'b'; 4096]);
    for _ in 0..15 {
        connection.received(&piece);
        server.serve(&mut connection);
        assert!(live() - held < 3 * 4096, "{} bytes held", live() - held);
    }
}

#[test]
fn a_connection_that_is_dropped_in_any_state_leaves_nothing() {
    let server = Server::new();
    let before = live();
    let mut opening = Connection::<File>::new();
    opening.received(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    let want = opening.poll(&server.app, server.now);
    assert!(matches!(want, Want::Open(..)));
    drop(want);
    opening.opened(Ok(File(Arc::clone(&server.facts))));
    let sending = opening.poll(&server.app, server.now);
    assert!(matches!(sending, Want::Send(_)));
    drop(opening);
    assert!(live() > before, "what is sent belongs to the driver, and outlives the connection");
    drop(sending);
    assert_eq!(live() - before, 0);
}
