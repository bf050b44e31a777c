//! The state that a program passes on to the new version that replaces it.
//!
//! The supervisor's process executes the new program (execve(2)). So the process keeps its id, its
//! children and the descriptors of this state: the listening sockets with the clients in their
//! queues, and the pipes that tell the present servers to drain and to stop. The present servers
//! serve until the new program has its own servers, and the store runs on. One environment variable
//! has the numbers of all descriptors and processes.

use std::convert::Infallible;
use std::ffi::CString;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;

use rustix::process::{Pid, getpid};
use zerohttpd_sys::inherited;

/// The environment variable. Programs of different versions have to agree on its name and format.
const VARIABLE: &str = "ZEROHTTPD_HANDOVER";

/// The state that a program passes on to the next.
#[derive(Debug, Default)]
pub struct UpgradeState {
    /// Listening sockets that this server has bound.
    pub listeners: Vec<OwnedFd>,
    /// Listening sockets that the service manager passed on
    /// (see [`sockets`](crate::supervisor::sockets)).
    pub activated: Vec<OwnedFd>,
    /// The writing ends of pipes that stop the servers that were started before, including the
    /// admin server.
    pub stop_writers: Vec<OwnedFd>,
    /// The process of the embedded store.
    pub store: Option<Pid>,
    /// The servers that were started before, including the admin server.
    pub servers: Vec<Pid>,
    /// The listening socket of the admin server, if there is one.
    pub admin: Vec<OwnedFd>,
    /// Standard output, if the log goes there. Without root's rights it could not be opened again.
    pub output: Vec<OwnedFd>,
    /// The store's address, if it is reached by TCP, so that the successor needs no resolver.
    pub store_at: Option<SocketAddr>,
    /// The number of the last generation of servers.
    pub generation: u64,
    /// The generation of each of the servers.
    pub generations: Vec<u64>,
    /// Shared memory with numbers that tell servers to drain.
    pub phase_memory: Vec<OwnedFd>,
    /// For each file of `phase_memory`, the index in it of the number that tells servers to drain.
    pub phase_memory_indices: Vec<usize>,
    /// The writing end of the pipe that wakes servers that are to drain.
    pub drain_writers: Vec<OwnedFd>,
    /// The open log, used if its file can't be opened again.
    pub log: Vec<OwnedFd>,
    /// Shared memory with numbers that make health fail.
    pub drain_memory: Vec<OwnedFd>,
    /// For each file of `drain_memory`, the index in it of the number that makes health fail.
    pub drain_memory_indices: Vec<usize>,
}

/// Whether a predecessor has passed on its state to this process.
pub fn is_successor() -> bool {
    let own = getpid().to_string();
    std::env::var(VARIABLE).is_ok_and(|text| text.split(';').next() == Some(&own))
}

impl UpgradeState {
    /// The state that the predecessor has passed on; `None` if there is no predecessor.
    ///
    /// # Errors
    ///
    /// The variable is malformed, or names a descriptor that is not open.
    pub fn receive() -> Result<Option<UpgradeState>, String> {
        let Some(text) = std::env::var_os(VARIABLE) else { return Ok(None) };
        let text = text.to_str().ok_or("it is not text").map_err(malformed)?;
        let mut fields = text.split(';');
        // The first field is the process for which the variable is meant. Others can inherit it by
        // accident.
        if parse_number::<i32>(fields.next()).map_err(malformed)? != getpid().as_raw_nonzero().get()
        {
            return Ok(None);
        }
        // An earlier version wrote fewer fields; the missing ones are empty.
        let mut field = || fields.next().unwrap_or_default();
        let descriptors = |text| -> Result<Vec<OwnedFd>, String> {
            let take =
                |fd: RawFd| inherited::take(fd).map_err(|error| malformed(&error.to_string()));
            parse_list(text).map_err(malformed)?.into_iter().map(take).collect()
        };
        let pids = |text| -> Result<Vec<Pid>, String> {
            Ok(parse_list(text).map_err(malformed)?.into_iter().filter_map(Pid::from_raw).collect())
        };
        Ok(Some(UpgradeState {
            listeners: descriptors(field())?,
            activated: descriptors(field())?,
            stop_writers: descriptors(field())?,
            store: pids(field())?.pop(),
            servers: pids(field())?,
            admin: descriptors(field())?,
            output: descriptors(field())?,
            store_at: field().parse().ok(),
            generation: field().parse().unwrap_or(0),
            generations: parse_list(field()).map_err(malformed)?,
            phase_memory: descriptors(field())?,
            phase_memory_indices: parse_list(field()).map_err(malformed)?,
            drain_writers: descriptors(field())?,
            log: descriptors(field())?,
            drain_memory: descriptors(field())?,
            drain_memory_indices: parse_list(field()).map_err(malformed)?,
        }))
    }

    /// The value of the environment variable, which [`receive`](UpgradeState::receive) reads.
    fn to_text(&self) -> String {
        fn join<T: ToString>(numbers: impl Iterator<Item = T>) -> String {
            numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(",")
        }
        [
            getpid().to_string(),
            join(self.listeners.iter().map(AsRawFd::as_raw_fd)),
            join(self.activated.iter().map(AsRawFd::as_raw_fd)),
            join(self.stop_writers.iter().map(AsRawFd::as_raw_fd)),
            join(self.store.iter()),
            join(self.servers.iter()),
            join(self.admin.iter().map(AsRawFd::as_raw_fd)),
            join(self.output.iter().map(AsRawFd::as_raw_fd)),
            join(self.store_at.iter()),
            self.generation.to_string(),
            join(self.generations.iter()),
            join(self.phase_memory.iter().map(AsRawFd::as_raw_fd)),
            join(self.phase_memory_indices.iter()),
            join(self.drain_writers.iter().map(AsRawFd::as_raw_fd)),
            join(self.log.iter().map(AsRawFd::as_raw_fd)),
            join(self.drain_memory.iter().map(AsRawFd::as_raw_fd)),
            join(self.drain_memory_indices.iter()),
        ]
        .join(";")
    }

    fn descriptors(&self) -> impl Iterator<Item = &OwnedFd> {
        let sockets = self.listeners.iter().chain(&self.activated).chain(&self.admin);
        let memory = self.phase_memory.iter().chain(&self.drain_memory);
        let others = self.drain_writers.iter().chain(&self.log).chain(memory);
        sockets.chain(&self.stop_writers).chain(&self.output).chain(others)
    }

    /// Executes a program in place of this one. The new program [receives](UpgradeState::receive)
    /// this state.
    ///
    /// # Errors
    ///
    /// Those of execve(2); nothing has changed then.
    pub fn execute(&self, file: &Path, arguments: &[CString]) -> io::Result<Infallible> {
        let variables = std::env::vars_os()
            .filter(|(name, _)| name != VARIABLE)
            .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
            .chain([format!("{VARIABLE}={}", self.to_text()).into_bytes()])
            .map(|variable| Ok(CString::new(variable)?))
            .collect::<io::Result<Vec<_>>>()?;
        let file = CString::new(file.as_os_str().as_bytes())?;
        for descriptor in self.descriptors() {
            inherited::keep_on_exec(descriptor, true)?;
        }
        let result = nix::unistd::execve(&file, arguments, &variables);
        for descriptor in self.descriptors() {
            inherited::keep_on_exec(descriptor, false)?;
        }
        Ok(result?)
    }
}

fn malformed(what: &str) -> String {
    format!("{VARIABLE} is not as a predecessor writes it: {what}; unset it")
}

fn parse_number<T: FromStr>(text: Option<&str>) -> Result<T, &'static str> {
    text.and_then(|text| text.parse().ok()).ok_or("a number is missing")
}

fn parse_list<T: FromStr>(text: &str) -> Result<Vec<T>, &'static str> {
    let numbers = text.split(',').filter(|text| !text.is_empty());
    numbers.map(|text| parse_number(Some(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_written_as_numbers() {
        let state = UpgradeState {
            store: Pid::from_raw(7),
            servers: [8, 9].into_iter().filter_map(Pid::from_raw).collect(),
            store_at: "[::1]:6379".parse().ok(),
            generation: 3,
            generations: vec![2, 3],
            ..UpgradeState::default()
        };
        let text = format!("{};;;;7;8,9;;;[::1]:6379;3;2,3;;;;;;", getpid());
        assert_eq!(state.to_text(), text);
        assert_eq!(parse_list("8,9"), Ok(vec![8, 9]));
        assert_eq!(parse_list::<i32>(""), Ok(vec![]));
        assert!(parse_list::<i32>("8,x").is_err());
    }
}
