//! The protocol serves another application, which has no guestbook: it opens a file by a number,
//! echoes bodies and counts up.

use zerohttpd_core::http::{
    Application, Coding, ErrorResponse, Metadata, Method, Representation, Request, Response,
    Resume, Status, Step, Timeout,
};
use zerohttpd_core::{Body, CloseReason, Connection, Limits, Now, Sent, Want};

struct Echo {
    limits: Limits,
}

#[derive(Clone, Copy)]
enum Plan {
    Echo,
    Count,
    File,
}

struct Letters(Metadata);

impl Representation for Letters {
    fn metadata(&self) -> &Metadata {
        &self.0
    }
}

impl Application<Letters> for Echo {
    type Plan = Plan;
    type Operation = u32;
    type Completion = Option<Letters>;
    /// The next digit.
    type Rendering = u8;

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn plan(&self, request: Request<'_>) -> Result<Plan, ErrorResponse> {
        match (request.method(), request.path()) {
            (Method::Post, b"/echo") => Ok(Plan::Echo),
            (Method::Get, b"/count") => Ok(Plan::Count),
            (Method::Get | Method::Head, b"/file") => Ok(Plan::File),
            _ => Err(ErrorResponse::not_found()),
        }
    }

    fn wants_body(&self, plan: &Plan) -> bool {
        matches!(plan, Plan::Echo)
    }

    fn step(
        &self,
        plan: &mut Plan,
        request: Request<'_>,
        body: &[u8],
        resume: Resume<Option<Letters>>,
        now: Now,
    ) -> Result<Step<Letters, u32, u8>, ErrorResponse> {
        Ok(Step::Respond(match (plan, resume) {
            (Plan::Echo, _) => {
                let echo = [body, request.query().unwrap_or_default()].concat();
                Response::bytes(Status::OK, "text/plain", echo, now)
            }
            (Plan::Count, _) => Response::rendered(Status::OK, "text/plain", 10, b'0', now),
            (Plan::File, Resume::Start) => {
                return Ok(Step::Perform { operation: 7, on: Timeout::File, within_ms: 50 });
            }
            (Plan::File, Resume::Completed(Some(file))) => Response::file(file, now),
            (Plan::File, Resume::Completed(None)) => return Err(ErrorResponse::not_found()),
            (Plan::File, Resume::TimedOut) => {
                let why = "The file is late.";
                return Err(ErrorResponse::new(Status::SERVICE_UNAVAILABLE, why));
            }
        }))
    }

    fn error_page(&self, error: ErrorResponse, now: Now) -> Response<Letters, u8> {
        Response::bytes(error.status, "text/plain", error.why.into(), now)
    }

    /// Four digits at a time.
    fn render(&self, next: &mut u8, out: &mut Vec<u8>) -> u64 {
        let end = (*next + 4).min(b'9' + 1);
        out.extend(*next..end);
        *next = end;
        u64::from(b'9' + 1 - end)
    }
}

/// Serves the requests in `input`, and returns the responses. `file` is the content of the
/// requested file, if it exists; with `late`, the file is not opened in time.
fn serve(input: &str, file: Option<&str>) -> String {
    let (app, mut now) = (Echo { limits: Limits::default() }, Now::default());
    let mut connection = Connection::new();
    let mut wire = Vec::new();
    connection.received(input.as_bytes());
    loop {
        match connection.poll(&app, now) {
            Want::Read => {
                connection.received(b"");
            }
            Want::Perform(ticket, number) => {
                assert_eq!(number, 7);
                match file {
                    Some("late") => now = now.later(50),
                    file => connection.completed(
                        ticket,
                        file.map(|text| {
                            let len = text.len() as u64;
                            Letters(Metadata::new(len, 0, "6", "text/plain", Coding::default()))
                        }),
                    ),
                }
            }
            Want::Send(transmit) => {
                wire.extend_from_slice(&transmit.head);
                if let Body::File { from, to, .. } = transmit.body {
                    let text = file.expect("a file").as_bytes();
                    wire.extend_from_slice(&text[from as usize..to as usize]);
                }
                connection.sent(transmit, Sent::Whole);
            }
            Want::Peek => connection.peeked(false),
            Want::Shutdown => {}
            Want::Close(why, None) => {
                assert!(matches!(why, CloseReason::Done | CloseReason::Left), "{why}");
                return String::from_utf8(wire).expect("text");
            }
            Want::Close(..) => panic!("a response was cut short"),
            Want::Wait => panic!("it waits although every want was performed"),
        }
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
}

#[test]
fn a_body_is_echoed_and_the_connection_stays_open() {
    let post = "POST /echo?! HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\nhello\r\n0\r\n\r\n";
    let wire = serve(&post.repeat(2), None);
    assert_eq!(wire.matches("HTTP/1.1 200 OK\r\n").count(), 2);
    assert_eq!(wire.matches("Content-Length: 6\r\n").count(), 2);
    assert!(wire.ends_with("\r\n\r\nhello!"), "{wire}");
}

#[test]
fn a_rendering_is_sent_in_its_pieces() {
    let wire = serve(&get("/count"), None);
    assert!(wire.contains("Content-Length: 10\r\n") && wire.ends_with("\r\n\r\n0123456789"));
}

#[test]
fn an_operation_is_completed_fails_or_is_late() {
    let wire = serve(&get("/file"), Some("A file"));
    assert!(wire.contains("ETag: \"6\"\r\n") && wire.ends_with("\r\n\r\nA file"), "{wire}");
    let wire = serve(&get("/file"), None);
    assert!(wire.starts_with("HTTP/1.1 404 ") && wire.ends_with("no such page here."), "{wire}");
    let wire = serve(&get("/file"), Some("late"));
    assert!(wire.starts_with("HTTP/1.1 503 ") && wire.ends_with("The file is late."), "{wire}");
}

#[test]
fn errors_of_the_protocol_and_of_the_application_look_alike() {
    for (request, status) in [
        (get("/nothing"), "404"),
        ("GET / HTTP/3.0\r\n\r\n".to_string(), "505"),
        (get("/x").replace("Host: x", "Host: x y"), "400"),
        ("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n".to_string(), "413"),
    ] {
        let wire = serve(&request, None);
        assert!(wire.starts_with(&format!("HTTP/1.1 {status} ")), "{wire}");
        assert!(wire.contains("Content-Type: text/plain\r\n"), "{wire}");
    }
}
