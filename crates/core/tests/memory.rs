//! A waiting connection holds no heap memory, so that a million idle clients cost next to nothing.
//!
//! The allocator here counts what is allocated. It is the only `unsafe` code of the core's tests.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use zerohttpd_core::app::BadTemplate;
use zerohttpd_core::{
    App, AssetError, Coding, Completion, Connection, Limits, Metadata, Now, Operation,
    Representation, Sent, Templates, Want,
};

thread_local! {
    /// Bytes that this thread has allocated and not freed.
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(bytes: isize) {
    // A thread that ends frees memory after its thread-locals were dropped.
    let _ = LIVE.try_with(|live| live.set(live.get() + bytes));
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting allocates nothing.
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
struct File(Arc<Metadata>);

impl Representation for File {
    fn metadata(&self) -> &Metadata {
        &self.0
    }
}

struct Server {
    app: App,
    now: Now,
    metadata: Arc<Metadata>,
}

impl Server {
    fn new() -> Server {
        let page = |name: &str| -> Result<Vec<u8>, BadTemplate> {
            Ok(match name {
                Templates::GUESTBOOK => b"$VISITOR_COUNT$ $GUEST_REMARKS$".to_vec(),
                Templates::REFUSED => b"$PROBLEMS$ $GUEST_NAME$ $GUEST_REMARK$".to_vec(),
                Templates::ERROR => b"$STATUS$ $REASON$ $EXPLANATION$".to_vec(),
                Templates::LISTING => b"$FOLDER$ $ENTRIES$".to_vec(),
                _ => Vec::new(),
            })
        };
        let templates = Templates::load(page).unwrap();
        Server {
            app: App { templates, limits: Limits::default(), guestbook: true, listing: false },
            now: Now { ms: 1, us: 0, unix_s: 1 },
            metadata: Arc::new(Metadata::new(10, 0, "1", "text/plain", Coding::default())),
        }
    }

    /// Serves all received requests, until the connection waits for the client.
    fn serve(&self, connection: &mut Connection<App, File>) {
        loop {
            match connection.poll(&self.app, self.now) {
                Want::Perform(ticket, Operation::Open(path, _))
                    if path.as_bytes() == b"missing" =>
                {
                    connection.completed(ticket, Completion::Opened(Err(AssetError::Missing)));
                }
                Want::Perform(ticket, Operation::Open(..)) => {
                    connection.completed(
                        ticket,
                        Completion::Opened(Ok(File(Arc::clone(&self.metadata)))),
                    );
                }
                Want::Send(transmit) => drop(connection.sent(transmit, Sent::Whole)),
                Want::Read => return,
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_waiting_connection_holds_no_memory() {
    let server = Server::new();
    let before = live();
    let mut connection = Connection::new();
    server.serve(&mut connection);
    assert_eq!(live() - before, 0, "a connection that was just accepted");
    let large = format!("GET /a HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", "c".repeat(15_000));
    let form = format!(
        "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{}",
        "f".repeat(60_000)
    );
    let pipelined = "GET /missing HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50);
    for request in [&large, &form, &pipelined] {
        let held = live();
        connection.received(request.as_bytes());
        assert!(live() > held, "the input is buffered");
        server.serve(&mut connection);
        assert!(connection.is_idle());
        assert_eq!(live() - held, 0, "and freed once it is answered");
    }
    let held = live();
    connection.received(b"GET /a HT");
    server.serve(&mut connection);
    assert!(!connection.is_idle());
    assert!((1..64).contains(&(live() - held)), "half a head takes about its own length");
}

#[test]
fn an_unwanted_body_is_never_held() {
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
fn a_dropped_connection_frees_its_memory() {
    let server = Server::new();
    let before = live();
    let mut opening = Connection::<App, File>::new();
    opening.received(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    let want = opening.poll(&server.app, server.now);
    let Want::Perform(ticket, Operation::Open(..)) = want else { panic!("{want:?}") };
    drop(want);
    opening.completed(ticket, Completion::Opened(Ok(File(Arc::clone(&server.metadata)))));
    let sending = opening.poll(&server.app, server.now);
    assert!(matches!(sending, Want::Send(_)));
    drop(opening);
    assert!(live() > before, "the driver owns a transmit, which outlives the connection");
    drop(sending);
    assert_eq!(live() - before, 0);
}
