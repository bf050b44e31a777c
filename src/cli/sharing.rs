//! How processes are to share a port, as it is typed.

use crate::arch::Arch;
use crate::listener::Sharing;

/// What it means to an architecture.
///
/// # Errors
///
/// It can't.
pub fn sharing(arch: &Arch, asked: Option<Sharing>) -> Result<Sharing, String> {
    let name = arch.name;
    match asked {
        None => Ok(Sharing::Reuseport),
        Some(sharing) if arch.sharing.contains(&sharing) => Ok(sharing),
        Some(_) if arch.sharing.is_empty() => {
            Err(format!("{name} has one socket, and its own way to accept; leave --accept out"))
        }
        Some(_) => Err(format!(
            "{name}(2) has no EPOLLEXCLUSIVE: it wakes all who wait for a socket; choose --accept \
             shared or reuseport"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::named;

    #[test]
    fn a_port_is_shared_as_the_architecture_can() {
        let of = |name, asked| sharing(named(name).unwrap(), asked);
        assert_eq!(of("epoll", None), Ok(Sharing::Reuseport));
        assert_eq!(of("epoll", Some(Sharing::Exclusive)), Ok(Sharing::Exclusive));
        assert_eq!(of("poll", Some(Sharing::Shared)), Ok(Sharing::Shared));
        assert_eq!(of("threaded", None), Ok(Sharing::Reuseport));
        let wrong = of("poll", Some(Sharing::Exclusive)).unwrap_err();
        assert!(wrong.starts_with("poll(2) has no EPOLLEXCLUSIVE"), "{wrong}");
        let wrong = of("preforked", Some(Sharing::Shared)).unwrap_err();
        assert!(wrong.ends_with("leave --accept out"), "{wrong}");
    }
}
