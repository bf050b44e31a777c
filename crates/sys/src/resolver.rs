//! getaddrinfo(3): the addresses of a name.

use std::net::{SocketAddr, ToSocketAddrs};

/// The addresses of a host, with this port. The call waits for the resolver.
///
/// # Errors
///
/// In the words of the resolver: there is no such host, or it can't be asked now.
pub fn addresses_of(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    match (host, port).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        // The library puts words of its own before those of gai_strerror(3).
        Err(error) => {
            let words = error.to_string();
            Err(words.rsplit(": ").next().unwrap_or(&words).to_owned())
        }
    }
}
