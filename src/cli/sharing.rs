//! `--accept`: how processes share a port.

use crate::arch::Arch;
use crate::net::listener::Sharing;

/// How the processes of an architecture share their port.
///
/// # Errors
///
/// The architecture can't share a port in that way.
pub fn sharing(arch: &Arch, requested: Option<Sharing>) -> Result<Sharing, String> {
    let name = arch.name;
    match requested {
        None => Ok(Sharing::Reuseport),
        Some(sharing) if arch.sharing.contains(&sharing) => Ok(sharing),
        Some(_) if arch.sharing.is_empty() => {
            Err(format!("{name} has one socket and its own way to accept; leave --accept out"))
        }
        Some(_) => Err(format!(
            "{name}(2) has no EPOLLEXCLUSIVE: it wakes every process that waits for a socket; \
             choose --accept shared or reuseport"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::named;

    #[test]
    fn a_port_is_shared_as_the_architecture_can() {
        let choose = |name, requested| sharing(named(name).unwrap(), requested);
        assert_eq!(choose("epoll", None), Ok(Sharing::Reuseport));
        assert_eq!(choose("epoll", Some(Sharing::Exclusive)), Ok(Sharing::Exclusive));
        assert_eq!(choose("poll", Some(Sharing::Shared)), Ok(Sharing::Shared));
        assert_eq!(choose("threaded", None), Ok(Sharing::Reuseport));
        let wrong = choose("poll", Some(Sharing::Exclusive)).unwrap_err();
        assert!(wrong.starts_with("poll(2) has no EPOLLEXCLUSIVE"), "{wrong}");
        let wrong = choose("preforked", Some(Sharing::Shared)).unwrap_err();
        assert!(wrong.ends_with("leave --accept out"), "{wrong}");
    }
}
