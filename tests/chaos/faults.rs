//! Random faults: processes are killed, stores are stopped or restarted, clients misbehave, the
//! whole server ends and is started again. Nothing that was acknowledged to guests is lost.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use fastrand::Rng;
use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use crate::guests::{Guests, with_guests};
use crate::journal::Journal;
use crate::misbehaving;
use crate::support::process::Process;
use crate::support::{
    Client, Kind, Server, Store, TempDir, architectures, for_each_pair, wait_until,
};
use crate::{duration, seed};

/// Short, so that slow clients do not delay the run, and long enough for guests on a busy machine.
const TIMEOUTS: [&str; 8] =
    ["--header-timeout", "3", "--body-timeout", "3", "--send-timeout", "3", "--grace", "2"];

/// The largest number of faults after which everything has to work again.
const FAULTS_IN_A_ROW: usize = 4;

const BIG_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// A server with its store, guests and misbehaving clients.
struct Scenario<'a> {
    arch: &'a str,
    root: &'a str,
    address: SocketAddr,
    store: Store,
    server: Server,
    guests: &'a Guests,
    /// Misbehaving clients that are still connected.
    lingering: Vec<Client>,
    rng: &'a mut Rng,
    journal: &'a mut Journal,
}

#[test]
fn random_faults_lose_nothing_and_leave_nothing_behind() {
    let root = TempDir::new();
    root.write("hello.txt", "hello\n");
    let big = File::create(root.join("big.bin")).expect("a file");
    big.set_len(BIG_FILE_BYTES).expect("a sparse file");
    let root = root.path().display().to_string();
    for_each_pair(|arch, kind| {
        let seed = seed();
        let mut journal =
            Journal::new(format!("{arch} on {kind:?}: repeat it with ZEROHTTPD_CHAOS_SEED={seed}"));
        let pair = pair_number(arch, kind);
        let mut rng = Rng::with_seed(seed.wrapping_add(u64::from(pair) << 32));
        let (store, server) = run(arch, kind, &root, &mut rng, &mut journal);
        stop_and_check(store, server);
        println!("{arch} on {kind:?}: {}", journal.last());
    });
}

/// A number for each pair of an architecture and a kind of store.
fn pair_number(arch: &str, kind: Kind) -> u8 {
    let index = architectures().iter().position(|name| name == arch).expect("its index");
    2 * index as u8 + u8::from(kind == Kind::Redis)
}

/// An address that only one pair uses. While its server is down, no server of another test can take
/// its port and answer its guests.
fn host(pair: u8) -> Ipv4Addr {
    let [low, high, ..] = std::process::id().to_le_bytes();
    Ipv4Addr::new(127, 1 + high % 200, low, 1 + pair)
}

fn start(arch: &str, store: &Store, root: &str, address: SocketAddr) -> Server {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let words = ["--bind", &host, "--root", root, "--port", &port];
    Server::start_small(arch, &store.url(), &[&words[..], &TIMEOUTS].concat())
}

/// Injects faults under load until the time is up. Then everything has to work, and the store has
/// to hold what was acknowledged to guests.
fn run(
    arch: &str,
    kind: Kind,
    root: &str,
    rng: &mut Rng,
    journal: &mut Journal,
) -> (Store, Server) {
    let store = Store::durable(kind);
    let mut address = SocketAddr::from((host(pair_number(arch, kind)), 0));
    let server = start(arch, &store, root, address);
    address.set_port(server.port);
    let mut remaining = None;
    let guests = with_guests(address, |guests| {
        let lingering = Vec::new();
        let mut scenario =
            Scenario { arch, root, address, store, server, guests, lingering, rng, journal };
        scenario.guests.await_progress();
        let began = Instant::now();
        while began.elapsed() < duration() {
            scenario.faults();
        }
        remaining = Some((scenario.store, scenario.server));
    });
    let (store, server) = remaining.expect("the store and the server");
    server.await_idle();
    guests.check(&store.remarks());
    journal.note(guests.summary());
    (store, server)
}

impl Scenario<'_> {
    /// Injects some faults in a row, and waits until everything works again.
    fn faults(&mut self) {
        for _ in 0..self.rng.usize(1..=FAULTS_IN_A_ROW) {
            self.fault();
            self.guests.await_files(self.rng.usize(..10));
        }
        self.journal.note(format!("{} misbehaving clients leave", self.lingering.len()));
        self.lingering.clear();
        self.guests.await_progress();
    }

    fn fault(&mut self) {
        match self.rng.u8(..12) {
            0..3 => self.kill_some_process(),
            3 => self.kill_all_servers(),
            4 => self.end_server(Signal::TERM),
            5 => self.end_server(Signal::KILL),
            6..8 => self.restart_store(),
            8..10 => self.freeze_store(),
            _ => self.misbehave(),
        }
    }

    fn kill_some_process(&mut self) {
        let supervisor = self.server.supervisor();
        let mut processes = self.server.processes();
        processes.retain(|process| *process != supervisor && !process.is_store());
        if let Some(process) = self.rng.choice(processes) {
            self.journal.note(format!("kill process {}", process.0));
            process.kill();
        }
    }

    fn kill_all_servers(&mut self) {
        self.journal.note("kill all server processes");
        self.server.servers().into_iter().for_each(Process::kill);
    }

    /// Ends the supervisor by a signal, and starts another one with the same store and address.
    fn end_server(&mut self, signal: Signal) {
        self.journal.note(format!("signal {} to the supervisor", signal.as_raw()));
        self.server.supervisor().signal(signal);
        self.server.wait();
        self.server.await_nothing_left();
        self.journal.note("start the server again");
        self.server = start(self.arch, &self.store, self.root, self.address);
    }

    /// Kills the store. The supervisor restarts the embedded one; Redis is restarted here.
    fn restart_store(&mut self) {
        self.journal.note("kill the store");
        match &mut self.store {
            Store::Embedded(_) => self.server.store().kill(),
            Store::Redis(redis) => {
                redis.kill();
                self.guests.await_files(self.rng.usize(..20));
                self.journal.note("start Redis again");
                redis.start_again();
            }
        }
    }

    /// Stops the store by SIGSTOP until some more files were served.
    fn freeze_store(&mut self) {
        let store = match &self.store {
            Store::Embedded(_) => self.server.store(),
            Store::Redis(redis) => redis.process(),
        };
        self.journal.note("SIGSTOP to the store");
        store.signal(Signal::STOP);
        self.guests.await_files(self.rng.usize(1..30));
        store.signal(Signal::CONT);
        self.journal.note("SIGCONT to the store");
    }

    fn misbehave(&mut self) {
        for _ in 0..self.rng.usize(1..8) {
            // The server can be down now.
            let Ok(client) = Client::try_connect(self.address) else { continue };
            let (what, client) = misbehaving::misbehave(client, self.rng);
            self.journal.note(format!("a client {what}"));
            self.lingering.extend(client);
        }
    }
}

/// Stops the server, and checks that its processes have ended, and that no process holds its lock
/// or listens at its socket.
fn stop_and_check(store: Store, mut server: Server) {
    let status = server.stop();
    assert!(status.success(), "{status}: {}", server.errors());
    if let Store::Embedded(folder) = &store {
        let lock = File::open(folder.join("g.db.lock")).expect("the lock file");
        flock(&lock, FlockOperation::NonBlockingLockExclusive).expect("a lock that is free");
        wait_until("a socket at which no process listens", || {
            UnixStream::connect(store.socket()).is_err()
        });
    }
}
