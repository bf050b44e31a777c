//! A TCP port that leads to a Unix socket: how a Redis without a port is reached by TCP.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

/// The port, for as long as the test program runs.
pub(crate) fn forward_to(socket: &Path) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let socket = PathBuf::from(socket);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if let Ok(store) = UnixStream::connect(&socket) {
                join(client, store);
            }
        }
    });
    port
}

/// Carries bytes both ways, until either side ends.
fn join(client: TcpStream, store: UnixStream) {
    let (Ok(mut from_client), Ok(mut to_store)) = (client.try_clone(), store.try_clone()) else {
        return;
    };
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_store);
        let _ = to_store.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        let _ = io::copy(&mut &store, &mut &client);
        let _ = client.shutdown(Shutdown::Both);
    });
}
