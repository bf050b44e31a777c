//! A server: the supervisor that was started, and everything that it started.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use rustix::process::Signal;

use super::process::{self, Process};
pub(crate) use super::program::{ACTIVATED, PROGRAM, program, run, takes_workers};
use super::program::{activated, activated_with_admin, command, shell};
use super::{Client, TempDir, package, site, wait_for, wait_until};

/// What the environment of all processes of a server says, so that none can be overlooked.
const MARK: &str = "ZEROHTTPD_TEST";

/// The workers of a small server.
const FEW: &str = "8";

/// A server on a port of its own. However the test ends, none of its processes outlives this:
/// the supervisor is killed, and nothing may be left behind by that.
pub(crate) struct Server {
    supervisor: Child,
    ended: Option<ExitStatus>,
    mark: String,
    folder: TempDir,
    pub(crate) port: u16,
}

/// What its processes hold, clients aside.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) processes: usize,
    pub(crate) threads: usize,
    pub(crate) client_sockets: usize,
    /// By what they lead to; connections to the store are left out, a pool opens them as it goes.
    pub(crate) descriptors: BTreeMap<String, usize>,
}

impl Server {
    /// Starts an architecture on a store, and waits until it serves. Unless `extra` says otherwise
    /// its root is that of the scripts. `--port` is not an option of the program: it says that the
    /// port is among `extra`.
    #[track_caller]
    pub(crate) fn start(arch: &str, store: &str, extra: &[&str]) -> Server {
        Server::launch(command(PROGRAM), arch, store, extra).await_start()
    }

    /// Starts the program from another file.
    #[track_caller]
    pub(crate) fn start_from(file: &Path, arch: &str, store: &str, extra: &[&str]) -> Server {
        Server::launch(command(file), arch, store, extra).await_start()
    }

    /// Starts an architecture where a process may have so many descriptors.
    #[track_caller]
    pub(crate) fn start_short(
        descriptors: usize,
        (arch, store, extra): (&str, &str, &[&str]),
    ) -> Server {
        let script = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        Server::start_in_shell(&script, Stdio::null(), (arch, store, extra))
    }

    /// Starts what a shell makes of it.
    #[track_caller]
    pub(crate) fn start_in_shell(
        script: &str,
        stdin: impl Into<Stdio>,
        (arch, store, extra): (&str, &str, &[&str]),
    ) -> Server {
        Server::launch(shell(script, stdin), arch, store, extra).await_start()
    }

    /// Starts it as systemd does: with a socket that it is to use, and maybe with another at which
    /// it is to say how it fares.
    #[track_caller]
    pub(crate) fn start_activated(
        socket: impl Into<OwnedFd>,
        notify: Option<&Path>,
        (arch, store, extra): (&str, &str, &[&str]),
    ) -> Server {
        Server::launch(activated(socket.into(), notify), arch, store, extra).await_start()
    }

    /// The same with a socket for the admin beside it.
    #[track_caller]
    pub(crate) fn start_activated_with_admin(
        [socket, admin]: [OwnedFd; 2],
        (arch, store, extra): (&str, &str, &[&str]),
    ) -> Server {
        Server::launch(activated_with_admin(socket, &admin), arch, store, extra).await_start()
    }

    /// The same where it is wrong.
    #[track_caller]
    pub(crate) fn refuse_in_shell(
        script: &str,
        stdin: impl Into<Stdio>,
        (arch, store, extra): (&str, &str, &[&str]),
    ) -> (ExitStatus, String) {
        Server::launch(shell(script, stdin), arch, store, extra).await_refusal()
    }

    /// Starts an architecture with [`FEW`] workers, where it can be told, so that it is known how
    /// many processes and threads it has [at rest](Server::await_rest).
    #[track_caller]
    pub(crate) fn start_small(arch: &str, store: &str, extra: &[&str]) -> Server {
        let workers: &[&str] = if takes_workers(arch) { &["--workers", FEW] } else { &[] };
        Server::start(arch, store, &[extra, workers].concat())
    }

    /// Waits until a [small](Server::start_small) server has made its pool and has no client left;
    /// what it holds then.
    #[track_caller]
    pub(crate) fn await_rest(&self) -> Census {
        let said = self.errors();
        let few: usize = FEW.parse().expect("a number");
        // The supervisor, and its server, with a pool or not; or several servers.
        let threads = if said.contains(&format!(", {FEW} workers:")) {
            2 + few
        } else if said.contains(&format!(", {FEW} processes:")) {
            1 + few
        } else {
            2
        };
        let mut last = None;
        wait_for(&format!("{threads} threads and no client"), || {
            let now = self.census();
            let rests = now.client_sockets == 0 && now.threads.max(now.processes) == threads;
            // A process that was just made may not have closed yet what is not its own.
            let is_settled = last.as_ref() == Some(&now);
            last = Some(now);
            if rests && is_settled { last.take() } else { None }
        })
    }

    /// Starts one in which something is wrong; waits until it has ended, and says how, and what
    /// it said.
    #[track_caller]
    pub(crate) fn refuse(arch: &str, store: &str, extra: &[&str]) -> (ExitStatus, String) {
        Server::launch(command(PROGRAM), arch, store, extra).await_refusal()
    }

    #[track_caller]
    fn await_refusal(mut self) -> (ExitStatus, String) {
        let status = self.wait();
        self.await_nothing_left();
        (status, self.errors())
    }

    fn launch(mut command: Command, arch: &str, store: &str, extra: &[&str]) -> Server {
        let folder = TempDir::new();
        let mark = folder.path().display().to_string();
        let file = |name| Stdio::from(File::create(folder.join(name)).expect("a file for output"));
        command.arg(arch);
        if !extra.contains(&"--port") {
            command.arg("0");
        }
        if !store.is_empty() {
            command.args(["--store", store]);
        }
        for (option, value) in [
            ("--bind", PathBuf::from("127.0.0.1")),
            ("--root", site()),
            ("--templates", package().join("templates")),
        ] {
            if !extra.contains(&option) {
                command.arg(option).arg(value);
            }
        }
        let extra = extra.iter().filter(|word| **word != "--port");
        command.args(extra).current_dir(folder.path()).env(MARK, &mark);
        command.stdout(file("stdout")).stderr(file("stderr"));
        let supervisor = command.spawn().expect("the program can be started");
        Server { supervisor, ended: None, mark, folder, port: 0 }
    }

    #[track_caller]
    fn await_start(mut self) -> Server {
        self.port = wait_for("a server that says where it listens", || {
            assert!(!self.has_ended(), "it ended at once: {}", self.errors());
            let said = self.errors();
            let (_, rest) = said.split_once("http://")?;
            // What follows the address says that all of it was written.
            let (address, _) = rest.split_once("/\n").or_else(|| rest.split_once("/ "))?;
            address.rsplit(':').next()?.parse().ok()
        });
        self
    }

    /// The supervisor.
    pub(crate) fn supervisor(&self) -> Process {
        Process(self.supervisor.id())
    }

    /// The embedded store that the supervisor has started.
    #[track_caller]
    pub(crate) fn store(&self) -> Process {
        wait_for("the embedded store's process", || {
            self.supervisor().children().into_iter().find(|child| child.is_store())
        })
    }

    /// The server processes: what the supervisor has started beside the store and for the admin.
    pub(crate) fn servers(&self) -> Vec<Process> {
        let mut children = self.supervisor().children();
        children.retain(|child| !child.is_store() && !child.is_admin());
        children
    }

    /// The processes of the admin's server: one, or more while one winds down.
    pub(crate) fn admins(&self) -> Vec<Process> {
        let mut children = self.supervisor().children();
        children.retain(|child| child.is_admin());
        children
    }

    /// The port of the admin's server, as it was last said.
    #[track_caller]
    pub(crate) fn admin_port(&self) -> u16 {
        wait_for("an admin's address", || {
            let said = self.errors();
            let (_, address) = said.rsplit_once("admin      http://")?;
            let (address, _) = address.split_once("/metrics\n")?;
            address.rsplit(':').next()?.parse().ok()
        })
    }

    /// Whether a client's connection was accepted, and does not wait for that any more.
    pub(crate) fn is_accepted(&self, client: &Client) -> bool {
        let client_port = client.stream.local_addr().expect("a socket").port();
        // What nobody has accepted is no file yet.
        process::socket_of(self.port, client_port).is_some_and(|socket| socket != "socket:[0]")
    }

    /// The process that serves a client.
    #[track_caller]
    pub(crate) fn owner(&self, client: &Client) -> Process {
        let client_port = client.stream.local_addr().expect("a socket").port();
        wait_for("a process that has the client's connection", || {
            let socket = process::socket_of(self.port, client_port)?;
            self.processes().into_iter().find(|process| process.descriptors().contains(&socket))
        })
    }

    /// Every process of it that lives, the supervisor included; while that one lives.
    pub(crate) fn processes(&self) -> Vec<Process> {
        self.supervisor().family()
    }

    /// What lives of it, whoever has become its parent.
    fn remains(&self) -> Vec<Process> {
        let assignment = format!("{MARK}={}", self.mark);
        let mut found = process::all();
        found.retain(|process| {
            process.is_leaving() || process.has_variable(&assignment) && process.lives()
        });
        found
    }

    /// What its processes hold; the store's own are its own affair.
    pub(crate) fn census(&self) -> Census {
        let mut processes = self.processes();
        processes.retain(|process| !process.is_store());
        let clients = process::client_sockets(self.port);
        let mut census = Census {
            processes: processes.len(),
            threads: processes.iter().map(|process| process.threads()).sum(),
            client_sockets: 0,
            descriptors: BTreeMap::new(),
        };
        for target in processes.iter().flat_map(|process| process.descriptors()) {
            if clients.contains(&target) {
                census.client_sockets += 1;
            } else if !target.starts_with("socket:") {
                *census.descriptors.entry(target).or_default() += 1;
            }
        }
        census
    }

    /// Whether the supervisor has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.supervisor.try_wait().expect("a child of ours");
        }
        self.ended.is_some()
    }

    /// Waits until the supervisor has ended.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_for("the end of a server", || {
            self.has_ended();
            self.ended
        })
    }

    /// SIGTERM, and nothing of it is left.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.supervisor().signal(Signal::TERM);
        let status = self.wait();
        self.await_nothing_left();
        status
    }

    #[track_caller]
    pub(crate) fn await_nothing_left(&self) {
        wait_until("nothing left of a server that has ended", || self.remains().is_empty());
    }

    /// What it said on standard error so far.
    pub(crate) fn errors(&self) -> String {
        read(&self.folder.join("stderr"))
    }

    /// What it said on standard output so far.
    pub(crate) fn output(&self) -> String {
        read(&self.folder.join("stdout"))
    }

    /// A new client of it.
    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.port)
    }
}

/// What a process wrote to a file so far.
pub(crate) fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("a file for output")).into_owned()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
        let ends = || self.remains().is_empty();
        // While a test fails anyway, what is left is ended and not complained of.
        if thread::panicking() {
            self.remains().into_iter().for_each(Process::kill);
        } else {
            wait_until("the end of all processes of a supervisor that was killed", ends);
        }
    }
}
