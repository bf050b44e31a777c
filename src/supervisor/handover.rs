//! Another program in our place: a new version of this one, which goes on where we stop.
//!
//! The program's file is executed by the process that supervises (execve(2)), so that its number
//! stays, and with it its children and the descriptors that it is handed: the listening sockets,
//! in whose queues nobody is lost, and what tells the servers so far to stop. Those wind down, and
//! the store stays as it is. What goes with it is written in one variable of the environment.

use std::convert::Infallible;
use std::ffi::{CString, OsStr};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use rustix::process::{Pid, getpid};

use crate::listener::Listener;
use crate::store::address::Address;
use crate::sys::inherited;

use super::Supervisor;
use super::children::Role;

const VARIABLE: &str = "ZEROHTTPD_HANDOVER";

/// What a program hands over to the next.
#[derive(Debug, Default)]
pub struct Handover {
    /// Listening sockets that are ours to close.
    pub listeners: Vec<OwnedFd>,
    /// Listening sockets that belong to who started us (see [`activated`](super::sockets)).
    pub activated: Vec<OwnedFd>,
    /// A byte written there stops the servers that were started before.
    pub stops: Vec<OwnedFd>,
    /// The process of the embedded store.
    pub store: Option<Pid>,
    /// The servers that were started before.
    pub servers: Vec<Pid>,
    /// The listening socket of the admin's server, if there is one.
    pub admin: Vec<OwnedFd>,
    /// Standard output, if the log goes there. Who has given up root could not open it anew.
    pub output: Vec<OwnedFd>,
    /// The store's address, if it is reached by TCP: no resolver has to be asked again.
    pub store_at: Option<SocketAddr>,
}

impl Handover {
    /// What was handed to this process; nothing if it is the first.
    ///
    /// # Errors
    ///
    /// What the variable says is not so.
    pub fn receive() -> Result<Option<Handover>, String> {
        let Some(text) = std::env::var_os(VARIABLE) else { return Ok(None) };
        let text = text.to_str().ok_or("it is no text").map_err(wrong)?;
        let mut fields = text.split(';');
        // It may have been inherited by a process that it was not meant for.
        if number::<i32>(fields.next()).map_err(wrong)? != getpid().as_raw_nonzero().get() {
            return Ok(None);
        }
        let mut numbers = || fields.next().ok_or("it is cut short").map_err(wrong).map(list);
        let descriptors = |numbers: Result<Vec<RawFd>, &str>| -> Result<Vec<OwnedFd>, String> {
            let take = |fd: RawFd| inherited::take(fd).map_err(|error| wrong(&error.to_string()));
            numbers.map_err(wrong)?.into_iter().map(take).collect()
        };
        let pids = |numbers: Result<Vec<RawFd>, &str>| -> Result<Vec<Pid>, String> {
            Ok(numbers.map_err(wrong)?.into_iter().filter_map(Pid::from_raw).collect())
        };
        Ok(Some(Handover {
            listeners: descriptors(numbers()?)?,
            activated: descriptors(numbers()?)?,
            stops: descriptors(numbers()?)?,
            store: pids(numbers()?)?.pop(),
            servers: pids(numbers()?)?,
            admin: descriptors(numbers()?)?,
            output: descriptors(numbers()?)?,
            store_at: fields.next().and_then(|text| text.parse().ok()),
        }))
    }

    fn to_text(&self) -> String {
        fn join<T: ToString>(numbers: impl Iterator<Item = T>) -> String {
            numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(",")
        }
        [
            getpid().to_string(),
            join(self.listeners.iter().map(AsRawFd::as_raw_fd)),
            join(self.activated.iter().map(AsRawFd::as_raw_fd)),
            join(self.stops.iter().map(AsRawFd::as_raw_fd)),
            join(self.store.iter()),
            join(self.servers.iter()),
            join(self.admin.iter().map(AsRawFd::as_raw_fd)),
            join(self.output.iter().map(AsRawFd::as_raw_fd)),
            join(self.store_at.iter()),
        ]
        .join(";")
    }

    fn descriptors(&self) -> impl Iterator<Item = &OwnedFd> {
        let sockets = self.listeners.iter().chain(&self.activated).chain(&self.admin);
        sockets.chain(&self.stops).chain(&self.output)
    }

    /// Executes the program's file, which receives this.
    ///
    /// # Errors
    ///
    /// Those of execve(2); nothing has changed then.
    pub fn pass_on(&self, program: &Program) -> io::Result<Infallible> {
        let variables = std::env::vars_os()
            .filter(|(name, _)| name != VARIABLE)
            .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
            .chain([format!("{VARIABLE}={}", self.to_text()).into_bytes()])
            .map(|variable| Ok(CString::new(variable)?))
            .collect::<io::Result<Vec<_>>>()?;
        let file = CString::new(program.file.as_os_str().as_bytes())?;
        for descriptor in self.descriptors() {
            inherited::keep(descriptor, true)?;
        }
        let result = nix::unistd::execve(&file, &program.arguments, &variables);
        for descriptor in self.descriptors() {
            inherited::keep(descriptor, false)?;
        }
        Ok(result?)
    }
}

impl Supervisor<'_> {
    /// Executes the file of the program, and hands everything over to it.
    pub fn hand_over(&mut self) {
        let pid_of = |which: fn(Role) -> bool| {
            self.children
                .iter()
                .filter(move |child| which(child.role))
                .filter_map(|child| child.pid)
        };
        let store = pid_of(|role| role == Role::Store).next();
        let servers: Vec<Pid> = pid_of(|role| role.is_server() || role.is_admin()).collect();
        let (ours, activated) = self.listeners.iter().partition::<Vec<_>, _>(|l| l.is_ours());
        let clone = |listeners: Vec<&Arc<Listener>>| {
            listeners.into_iter().map(|l| l.try_clone()).collect::<io::Result<Vec<_>>>()
        };
        let stops = self.stops.iter().chain(self.admin.iter().map(|admin| &admin.stop));
        let handover = || -> io::Result<Handover> {
            Ok(Handover {
                listeners: clone(ours)?,
                activated: clone(activated)?,
                stops: stops.map(OwnedFd::try_clone).collect::<Result<_, _>>()?,
                store,
                servers,
                admin: clone(self.admin.iter().map(|admin| &admin.listener).collect())?,
                output: self.output.iter().map(OwnedFd::try_clone).collect::<Result<_, _>>()?,
                store_at: self.store.as_ref().and_then(Address::tcp),
            })
        };
        let handover = match handover() {
            Ok(handover) => handover,
            Err(error) => return say!("zerohttpd: can't hand over: {error}; going on as before"),
        };
        // Until its successors are there, clients wait in the sockets' queues.
        self.wind_down_before(self.generation + 1);
        let Err(error) = handover.pass_on(&self.program);
        let file = self.program.file.display();
        say!("zerohttpd: can't execute {file}: {error}; going on with what there is");
        self.reload();
    }
}

fn wrong(what: &str) -> String {
    format!("{VARIABLE} is not as a predecessor writes it: {what}; unset it")
}

fn number<T: FromStr>(text: Option<&str>) -> Result<T, &'static str> {
    text.and_then(|text| text.parse().ok()).ok_or("a number is missing")
}

fn list(text: &str) -> Result<Vec<RawFd>, &'static str> {
    let numbers = text.split(',').filter(|text| !text.is_empty());
    numbers.map(|text| number(Some(text))).collect()
}

/// How this program was started: by which file, with what arguments.
pub struct Program {
    /// Its file. Another one may have taken its place by now.
    pub file: PathBuf,
    /// What was typed, the name of the program included.
    pub arguments: Vec<CString>,
}

impl Program {
    /// This program, as it was started.
    ///
    /// # Errors
    ///
    /// /proc is not mounted.
    pub fn this() -> io::Result<Program> {
        let arguments = std::env::args_os()
            .map(|argument| Ok(CString::new(argument.into_vec())?))
            .collect::<io::Result<_>>()?;
        let file = std::env::current_exe()?.into_os_string().into_vec();
        // What the kernel says of a file that another one has replaced (proc_pid_exe(5)).
        let file = file.strip_suffix(b" (deleted)").unwrap_or(&file);
        Ok(Program { file: PathBuf::from(OsStr::from_bytes(file)), arguments })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_is_written_as_numbers() {
        let handover = Handover {
            store: Pid::from_raw(7),
            servers: [8, 9].into_iter().filter_map(Pid::from_raw).collect(),
            store_at: "[::1]:6379".parse().ok(),
            ..Handover::default()
        };
        assert_eq!(handover.to_text(), format!("{};;;;7;8,9;;;[::1]:6379", getpid()));
        assert_eq!(list("8,9"), Ok(vec![8, 9]));
        assert_eq!(list(""), Ok(vec![]));
        assert!(list("8,x").is_err());
    }
}
