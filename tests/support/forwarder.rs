//! A TCP port whose connections are forwarded to a Unix socket, so that a Redis without a port can
//! be reached by TCP.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Forwards connections at a new port to a Unix socket as long as the test program runs; returns
/// the port.
pub(crate) fn forward_to(socket: &Path) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let socket = PathBuf::from(socket);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            forward_client(client, &socket);
        }
    });
    port
}

/// Connects to a socket for a client, and copies bytes both ways in two threads until either side
/// ends.
pub(crate) fn forward_client(client: TcpStream, socket: &Path) {
    if let Ok(store) = UnixStream::connect(socket) {
        copy_both_ways(client, store);
    }
}

fn copy_both_ways(client: TcpStream, store: UnixStream) {
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

/// A port in front of several Unix sockets, one of which is current, like a proxy in front of a
/// pair of stores. New connections are forwarded to the current socket; earlier ones stay.
pub(crate) struct Switch {
    pub(crate) port: u16,
    target: Arc<Mutex<PathBuf>>,
}

impl Switch {
    pub(crate) fn to(socket: &Path) -> Switch {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let target = Arc::new(Mutex::new(PathBuf::from(socket)));
        let current = Arc::clone(&target);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let socket = current.lock().unwrap_or_else(PoisonError::into_inner).clone();
                forward_client(client, &socket);
            }
        });
        Switch { port, target }
    }

    /// Forwards new connections to this socket from now on.
    pub(crate) fn switch_to(&self, socket: &Path) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = socket.into();
    }
}
