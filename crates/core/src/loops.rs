//! The two kinds of server loop, each as short as possible, on real sockets. They run as
//! documentation tests. The program's drivers (`src/driver/`) add deadlines, admission, overload
//! control and a log.
//!
//! In both loops, `perform` opens files and asks the store, `bytes` returns the bytes of a
//! transmit, and `now` reads the clock.
//!
//! # Blocking: a process or thread waits for its client
//!
//! ```text
//!  accept ──► poll ──► Read:    read(2), and wait until something comes ──┐
//!              ▲  ├──► Perform: open the file, or ask the store and wait ─┤
//!              │  ├──► Send:    write(2), and wait until all of it is out ┤
//!              │  └──► Close:   the client has gone                       │
//!              └──────────────────────────────────────────────────────────┘
//! ```
//!
//! ```
//! use std::io::{self, Read, Write};
//! use std::net::{Shutdown, TcpListener, TcpStream};
//! use zerohttpd_core::{App, Connection, Now, Sent, Transmit, Want};
//! # use std::sync::OnceLock;
//! # use zerohttpd_core::store::StoreDown;
//! # use zerohttpd_core::{AssetError, Body, Completion, Limits, Metadata, Operation};
//! # use zerohttpd_core::Representation;
//! # use zerohttpd_core::Templates;
//! # struct File(Metadata);
//! # impl Representation for File { fn metadata(&self) -> &Metadata { &self.0 } }
//! # const HELLO: &[u8] = b"hello\n";
//! # fn perform(operation: Operation) -> Completion<File> {
//! #     let file = || File(Metadata::new(6, 0, "6", "text/plain", Default::default()));
//! #     match operation {
//! #         Operation::Open(path, _) => Completion::Opened(match path.as_bytes() {
//! #             b"hello.txt" => Ok(file()),
//! #             _ => Err(AssetError::Missing),
//! #         }),
//! #         Operation::List(..) => Completion::Listed(Err(AssetError::Missing)),
//! #         Operation::Ask(_) => Completion::Answered(Err(StoreDown::Unreachable)),
//! #     }
//! # }
//! # fn bytes(transmit: &Transmit<File>) -> Vec<u8> {
//! #     let body = match transmit.body {
//! #         Body::None => &[][..],
//! #         Body::File { from, to, .. } => &HELLO[from as usize..to as usize],
//! #     };
//! #     [&transmit.head, body].concat()
//! # }
//! # fn now() -> Now { Now { ms: 1, ..Now::default() } }
//! # fn app() -> &'static App {
//! #     static APP: OnceLock<App> = OnceLock::new();
//! #     let page = |name| Ok::<_, zerohttpd_core::app::BadTemplate>(match name {
//! #         Templates::GUESTBOOK => b"$VISITOR_COUNT$$GUEST_REMARKS$".to_vec(),
//! #         Templates::REFUSED => b"$PROBLEMS$$GUEST_NAME$$GUEST_REMARK$".to_vec(),
//! #         Templates::ERROR => b"$STATUS$$REASON$$EXPLANATION$".to_vec(),
//! #         Templates::LISTING => b"$FOLDER$$ENTRIES$".to_vec(),
//! #         _ => Vec::new(),
//! #     });
//! #     APP.get_or_init(|| App {
//! #         templates: Templates::load(page).unwrap(),
//! #         limits: Limits::default(),
//! #         guestbook: true,
//! #         listing: false,
//! #     })
//! # }
//!
//! fn serve(app: &App, mut client: TcpStream) -> io::Result<()> {
//!     let mut connection = Connection::new();
//!     let mut buffer = [0; 4096];
//!     loop {
//!         match connection.poll(app, now()) {
//!             Want::Read => {
//!                 let count = client.read(&mut buffer)?;
//!                 connection.received(&buffer[..count]);
//!             }
//!             Want::Perform(ticket, operation) => {
//!                 connection.completed(ticket, perform(operation));
//!             }
//!             Want::Send(transmit) => {
//!                 client.write_all(&bytes(&transmit))?;
//!                 connection.sent(transmit, Sent::Whole);
//!             }
//!             Want::Shutdown => client.shutdown(Shutdown::Write)?,
//!             Want::Peek => connection.peeked(false),
//!             Want::Close(..) => return Ok(()),
//!             Want::Wait => unreachable!("each want was performed before the next poll"),
//!         }
//!     }
//! }
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! # let address = listener.local_addr()?;
//! # let visitor = std::thread::spawn(move || -> io::Result<String> {
//! #     let mut server = TcpStream::connect(address)?;
//! #     server.write_all(b"GET /hello.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
//! #     let mut answer = String::new();
//! #     server.read_to_string(&mut answer)?;
//! #     Ok(answer)
//! # });
//! let (client, _) = listener.accept()?;
//! serve(app(), client)?;
//! # let answer = visitor.join().unwrap()?;
//! # assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello\n"));
//! # Ok::<_, io::Error>(())
//! ```
//!
//! # Readiness: one loop serves all clients and waits for all of them at once
//!
//! ```text
//!  poll(2) over all sockets ──► the listener is ready: accept
//!     ▲                    └──► a client is ready: advance ──► poll ──► Read, Perform, Send ──┐
//!     │                                               ▲                   │ until the socket   │
//!     │                                               └───────────────────┼─── would block ◄───┘
//!     └───────────────────────────────────────────────────────────────────┘
//! ```
//!
//! ```
//! use rustix::event::{PollFd, PollFlags, poll};
//! use std::io::{self, ErrorKind::WouldBlock, Read, Write};
//! use std::net::{Shutdown, TcpListener, TcpStream};
//! use zerohttpd_core::{App, Connection, Now, Sent, Transmit, Want};
//! # use std::sync::OnceLock;
//! # use zerohttpd_core::store::StoreDown;
//! # use zerohttpd_core::{AssetError, Body, Completion, Limits, Metadata, Operation};
//! # use zerohttpd_core::Representation;
//! # use zerohttpd_core::Templates;
//! # struct File(Metadata);
//! # impl Representation for File { fn metadata(&self) -> &Metadata { &self.0 } }
//! # const HELLO: &[u8] = b"hello\n";
//! # fn perform(operation: Operation) -> Completion<File> {
//! #     let file = || File(Metadata::new(6, 0, "6", "text/plain", Default::default()));
//! #     match operation {
//! #         Operation::Open(path, _) => Completion::Opened(match path.as_bytes() {
//! #             b"hello.txt" => Ok(file()),
//! #             _ => Err(AssetError::Missing),
//! #         }),
//! #         Operation::List(..) => Completion::Listed(Err(AssetError::Missing)),
//! #         Operation::Ask(_) => Completion::Answered(Err(StoreDown::Unreachable)),
//! #     }
//! # }
//! # fn bytes(transmit: &Transmit<File>) -> Vec<u8> {
//! #     let body = match transmit.body {
//! #         Body::None => &[][..],
//! #         Body::File { from, to, .. } => &HELLO[from as usize..to as usize],
//! #     };
//! #     [&transmit.head, body].concat()
//! # }
//! # fn now() -> Now { Now { ms: 1, ..Now::default() } }
//! # fn app() -> &'static App {
//! #     static APP: OnceLock<App> = OnceLock::new();
//! #     let page = |name| Ok::<_, zerohttpd_core::app::BadTemplate>(match name {
//! #         Templates::GUESTBOOK => b"$VISITOR_COUNT$$GUEST_REMARKS$".to_vec(),
//! #         Templates::REFUSED => b"$PROBLEMS$$GUEST_NAME$$GUEST_REMARK$".to_vec(),
//! #         Templates::ERROR => b"$STATUS$$REASON$$EXPLANATION$".to_vec(),
//! #         Templates::LISTING => b"$FOLDER$$ENTRIES$".to_vec(),
//! #         _ => Vec::new(),
//! #     });
//! #     APP.get_or_init(|| App {
//! #         templates: Templates::load(page).unwrap(),
//! #         limits: Limits::default(),
//! #         guestbook: true,
//! #         listing: false,
//! #     })
//! # }
//!
//! struct Client {
//!     socket: TcpStream,
//!     connection: Connection<App, File>,
//!     /// What is being sent, and how many of its bytes were sent.
//!     outgoing: Option<(Transmit<File>, usize)>,
//! }
//!
//! /// Performs what a client wants until its socket would block; the error is then `WouldBlock`.
//! fn advance(app: &App, client: &mut Client) -> io::Result<()> {
//!     let Client { socket, connection, outgoing } = client;
//!     loop {
//!         if let Some((transmit, sent)) = outgoing {
//!             let all = bytes(transmit);
//!             while *sent < all.len() {
//!                 *sent += socket.write(&all[*sent..])?;
//!             }
//!             let (transmit, _) = outgoing.take().expect("the transmit that was sent");
//!             connection.sent(transmit, Sent::Whole);
//!         }
//!         match connection.poll(app, now()) {
//!             Want::Read => {
//!                 let mut buffer = [0; 4096];
//!                 let count = socket.read(&mut buffer)?;
//!                 connection.received(&buffer[..count]);
//!             }
//!             Want::Perform(ticket, operation) => {
//!                 connection.completed(ticket, perform(operation));
//!             }
//!             Want::Send(transmit) => *outgoing = Some((transmit, 0)),
//!             Want::Shutdown => socket.shutdown(Shutdown::Write)?,
//!             Want::Peek => connection.peeked(false),
//!             Want::Close(..) | Want::Wait => return Ok(()),
//!         }
//!     }
//! }
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! # let address = listener.local_addr()?;
//! # let visitor = std::thread::spawn(move || -> io::Result<String> {
//! #     let mut server = TcpStream::connect(address)?;
//! #     server.write_all(b"GET /hello.txt HTTP/1.1\r\nHost: x\r\n")?;
//! #     std::thread::yield_now();
//! #     server.write_all(b"Connection: close\r\n\r\n")?;
//! #     let mut answer = String::new();
//! #     server.read_to_string(&mut answer)?;
//! #     Ok(answer)
//! # });
//! let mut clients: Vec<Client> = Vec::new();
//! # let mut served = 0;
//! loop {
//!     let client_flags = |client: &Client| match client.outgoing {
//!         Some(_) => PollFlags::OUT,
//!         None => PollFlags::IN,
//!     };
//!     let mut list = vec![PollFd::new(&listener, PollFlags::IN)];
//!     for client in &clients {
//!         list.push(PollFd::new(&client.socket, client_flags(client)));
//!     }
//!     poll(&mut list, None)?;
//!     let ready: Vec<_> = list.iter().map(|entry| !entry.revents().is_empty()).collect();
//!     for (index, _) in ready[1..].iter().enumerate().rev().filter(|(_, ready)| **ready) {
//!         match advance(app(), &mut clients[index]) {
//!             Err(error) if error.kind() == WouldBlock => {}
//!             _ => drop(clients.swap_remove(index)),
//!         }
//! #       served += usize::from(clients.is_empty());
//!     }
//!     if ready[0] {
//!         let (socket, _) = listener.accept()?;
//!         socket.set_nonblocking(true)?;
//!         clients.push(Client { socket, connection: Connection::new(), outgoing: None });
//!     }
//! #   if served == 1 { break }
//! }
//! # let answer = visitor.join().unwrap()?;
//! # assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello\n"));
//! # Ok::<_, io::Error>(())
//! ```
