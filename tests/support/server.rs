//! A server: its supervisor, and all processes that the supervisor has started.

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

/// An environment variable with one value in all processes of a server, orphans included, and
/// another value for each server.
const MARK: &str = "ZEROHTTPD_TEST";

/// A server on a port of its own. Dropping it kills the supervisor, and fails the test if other
/// processes of the server then live on.
pub(crate) struct Server {
    supervisor: Child,
    ended: Option<ExitStatus>,
    mark: String,
    folder: TempDir,
    pub(crate) port: u16,
}

impl Server {
    /// Starts an architecture on a store, and waits until it serves. Without `--root` in `extra`,
    /// its root is that of the scripts. Without `--port`, the kernel chooses the port.
    #[track_caller]
    pub(crate) fn start(arch: &str, store: &str, extra: &[&str]) -> Server {
        Server::launch(command(PROGRAM), arch, store, extra).await_start()
    }

    /// Starts a copy of the program.
    #[track_caller]
    pub(crate) fn start_from(file: &Path, arch: &str, store: &str, extra: &[&str]) -> Server {
        Server::launch(command(file), arch, store, extra).await_start()
    }

    /// Starts an architecture whose processes can each have at most this many descriptors.
    #[track_caller]
    pub(crate) fn start_with_descriptor_limit(
        descriptors: usize,
        (arch, store, extra): (&str, &str, &[&str]),
    ) -> Server {
        let script = format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"");
        Server::start_in_shell(&script, Stdio::null(), (arch, store, extra))
    }

    /// Starts a server by a shell script, see [`shell`].
    #[track_caller]
    pub(crate) fn start_in_shell(
        script: &str,
        stdin: impl Into<Stdio>,
        (arch, store, extra): (&str, &str, &[&str]),
    ) -> Server {
        Server::launch(shell(script, stdin), arch, store, extra).await_start()
    }

    /// Starts a server as systemd does: with a listening socket, and with the path of a
    /// notification socket if there is one (sd_notify(3)).
    #[track_caller]
    pub(crate) fn start_activated(
        socket: impl Into<OwnedFd>,
        notify: Option<&Path>,
        (arch, store, extra): (&str, &str, &[&str]),
    ) -> Server {
        Server::launch(activated(socket.into(), notify), arch, store, extra).await_start()
    }

    /// Starts a server as systemd does, with a listening socket for clients and one for the admin.
    #[track_caller]
    pub(crate) fn start_activated_with_admin(
        [socket, admin]: [OwnedFd; 2],
        (arch, store, extra): (&str, &str, &[&str]),
    ) -> Server {
        Server::launch(activated_with_admin(socket, &admin), arch, store, extra).await_start()
    }

    /// Starts a server by a shell script and waits until the start has failed; returns the exit
    /// status and the standard error.
    #[track_caller]
    pub(crate) fn failed_start_in_shell(
        script: &str,
        stdin: impl Into<Stdio>,
        (arch, store, extra): (&str, &str, &[&str]),
    ) -> (ExitStatus, String) {
        Server::launch(shell(script, stdin), arch, store, extra).await_failed_start()
    }

    /// Starts a server and waits until the start has failed; returns the exit status and the
    /// standard error.
    #[track_caller]
    pub(crate) fn failed_start(arch: &str, store: &str, extra: &[&str]) -> (ExitStatus, String) {
        Server::launch(command(PROGRAM), arch, store, extra).await_failed_start()
    }

    /// Starts a server by a shell script; the error has the exit status and the standard error of a
    /// start that failed.
    #[track_caller]
    pub(crate) fn try_start_in_shell(
        script: &str,
        stdin: impl Into<Stdio>,
        (arch, store, extra): (&str, &str, &[&str]),
    ) -> Result<Server, (ExitStatus, String)> {
        let mut server = Server::launch(shell(script, stdin), arch, store, extra);
        let port_of = |server: &Server| announced_port(&server.errors());
        wait_until("a start or an end", || server.has_ended() || port_of(&server).is_some());
        match port_of(&server) {
            Some(port) => {
                server.port = port;
                Ok(server)
            }
            None => Err(server.await_failed_start()),
        }
    }

    #[track_caller]
    fn await_failed_start(mut self) -> (ExitStatus, String) {
        let status = self.wait();
        self.await_nothing_left();
        (status, self.errors())
    }

    /// Starts a server with this standard error; `read_stderr` returns what is there so far.
    #[track_caller]
    pub(crate) fn start_with_stderr(
        stderr: OwnedFd,
        read_stderr: impl FnMut() -> String,
        (arch, store, extra): (&str, &str, &[&str]),
    ) -> Server {
        let mut server = Server::launch_with(command(PROGRAM), Some(stderr), (arch, store, extra));
        server.port = server.await_port(read_stderr);
        server
    }

    fn launch(command: Command, arch: &str, store: &str, extra: &[&str]) -> Server {
        Server::launch_with(command, None, (arch, store, extra))
    }

    fn launch_with(
        mut command: Command,
        stderr: Option<OwnedFd>,
        (arch, store, extra): (&str, &str, &[&str]),
    ) -> Server {
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
        if let Some(stderr) = stderr {
            command.stderr(stderr);
        }
        let supervisor = command.spawn().expect("the program can be started");
        Server { supervisor, ended: None, mark, folder, port: 0 }
    }

    #[track_caller]
    fn await_start(mut self) -> Server {
        let file = self.folder.join("stderr");
        self.port = self.await_port(|| read(&file));
        wait_until("the end of the banner", || read(&file).contains("Ctrl-C stops it\n"));
        self
    }

    #[track_caller]
    fn await_port(&mut self, mut read_stderr: impl FnMut() -> String) -> u16 {
        wait_for("a server that says where it listens", || {
            let stderr = read_stderr();
            assert!(!self.has_ended(), "it ended at once: {stderr}");
            announced_port(&stderr)
        })
    }

    /// The supervisor.
    pub(crate) fn supervisor(&self) -> Process {
        Process(self.supervisor.id())
    }

    /// The process of the embedded store.
    #[track_caller]
    pub(crate) fn store(&self) -> Process {
        wait_for("the embedded store's process", || {
            self.supervisor().children().into_iter().find(|child| child.is_store())
        })
    }

    /// The children of the supervisor that serve clients, or whose children do.
    pub(crate) fn servers(&self) -> Vec<Process> {
        let mut children = self.supervisor().children();
        children.retain(|child| !child.is_store() && !child.is_admin() && !child.is_store_lookup());
        children
    }

    /// The admin processes: one, or more while earlier ones drain.
    pub(crate) fn admins(&self) -> Vec<Process> {
        let mut children = self.supervisor().children();
        children.retain(|child| child.is_admin());
        children
    }

    /// The port of the admin process, as it was last announced.
    #[track_caller]
    pub(crate) fn admin_port(&self) -> u16 {
        wait_for("an admin's address", || {
            let stderr = self.errors();
            let (_, address) = stderr.rsplit_once("admin      http://")?;
            let (address, _) = address.split_once("/metrics\n")?;
            address.rsplit(':').next()?.parse().ok()
        })
    }

    /// Whether a process has accepted a client's connection: it no longer waits in the queue.
    pub(crate) fn is_accepted(&self, client: &Client) -> bool {
        let client_port = client.stream.local_addr().expect("a socket").port();
        // A connection that was not accepted has no file descriptor.
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

    /// The supervisor and all its descendants; none once the supervisor has ended.
    pub(crate) fn processes(&self) -> Vec<Process> {
        self.supervisor().tree()
    }

    /// Its running processes, including those whose supervisor has ended.
    fn remaining_processes(&self) -> Vec<Process> {
        let assignment = format!("{MARK}={}", self.mark);
        let mut found = process::all();
        found.retain(|process| {
            process.is_being_torn_down() || process.has_variable(&assignment) && process.lives()
        });
        found
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

    /// Sends SIGTERM and waits until none of its processes is left.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.supervisor().signal(Signal::TERM);
        let status = self.wait();
        self.await_nothing_left();
        status
    }

    /// Waits until none of its processes is left.
    #[track_caller]
    pub(crate) fn await_nothing_left(&self) {
        wait_until("the end of all processes of a server that has ended", || {
            self.remaining_processes().is_empty()
        });
    }

    /// Its standard error so far.
    pub(crate) fn errors(&self) -> String {
        read(&self.folder.join("stderr"))
    }

    /// Its standard output so far.
    pub(crate) fn output(&self) -> String {
        read(&self.folder.join("stdout"))
    }

    /// A new client, connected to this server.
    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.port)
    }
}

/// The port in a server's banner, once the line is complete.
fn announced_port(banner: &str) -> Option<u16> {
    let (_, rest) = banner.split_once("http://")?;
    let (address, _) = rest.split_once("/\n").or_else(|| rest.split_once("/ "))?;
    address.rsplit(':').next()?.parse().ok()
}

/// What a process has written so far to the file of its output.
pub(crate) fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("a file for output")).into_owned()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
        // If the test has failed already, remaining processes are ended without another failure.
        if thread::panicking() {
            self.remaining_processes().into_iter().for_each(Process::kill);
        } else {
            wait_until("the end of all processes of a supervisor that was killed", || {
                self.remaining_processes().is_empty()
            });
        }
    }
}
