//! Faults, drawn at random: processes are killed, stores stand still or start anew, clients
//! misbehave, the whole server ends and comes back. Whatever a guest was told has to stay true.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use fastrand::Rng;
use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use crate::guests::{Guests, with_guests};
use crate::journal::Journal;
use crate::nuisances;
use crate::support::process::Process;
use crate::support::{
    Client, Kind, Server, Store, TempDir, architectures, for_each_pair, wait_until,
};
use crate::{duration, seed};

/// Time-outs so short that a client who dawdles does not hold up the run, and so long that a guest
/// does not run into them on a busy machine.
const PATIENCE: [&str; 8] =
    ["--header-timeout", "3", "--body-timeout", "3", "--send-timeout", "3", "--grace", "2"];

/// Faults that come in a row, at the most, before everything has to work again.
const ROW: usize = 4;

const BIG: u64 = 64 * 1024 * 1024;

/// A server, its store, and what becomes of them.
struct Scene<'a> {
    arch: &'a str,
    root: &'a str,
    address: SocketAddr,
    store: Store,
    server: Server,
    guests: &'a Guests,
    /// Clients who stay and do nothing good.
    lodgers: Vec<Client>,
    rng: &'a mut Rng,
    journal: &'a mut Journal,
}

#[test]
fn random_faults_lose_nothing_and_leave_nothing_behind() {
    let root = TempDir::new();
    root.write("hello.txt", "hello\n");
    let big = File::create(root.join("big.bin")).expect("a file");
    big.set_len(BIG).expect("a sparse file");
    let root = root.path().display().to_string();
    for_each_pair(|arch, kind| {
        let seed = seed();
        let mut journal = Journal::new(format!(
            "{arch} on {kind:?}: draw the same with ZEROHTTPD_CHAOS_SEED={seed}"
        ));
        let place = place(arch, kind);
        let mut rng = Rng::with_seed(seed.wrapping_add(u64::from(place) << 32));
        let (store, server) = run(arch, kind, &root, &mut rng, &mut journal);
        end(store, server);
        println!("{arch} on {kind:?}: {}", journal.last());
    });
}

/// The number of a pair.
fn place(arch: &str, kind: Kind) -> u8 {
    let index = architectures().iter().position(|name| name == arch).expect("its place");
    2 * index as u8 + u8::from(kind == Kind::Redis)
}

/// An address of the pair's own. A port that one server has left goes to nobody else there, so no
/// guest can stray to the server of another test.
fn host(place: u8) -> Ipv4Addr {
    let [low, high, ..] = std::process::id().to_le_bytes();
    Ipv4Addr::new(127, 1 + high % 200, low, 1 + place)
}

fn start(arch: &str, store: &Store, root: &str, address: SocketAddr) -> Server {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let words = ["--bind", &host, "--root", root, "--port", &port];
    Server::start_small(arch, &store.url(), &[&words[..], &PATIENCE].concat())
}

/// Faults under load until the time is up; then everything works, and is as the guests were told.
fn run(
    arch: &str,
    kind: Kind,
    root: &str,
    rng: &mut Rng,
    journal: &mut Journal,
) -> (Store, Server) {
    let store = Store::durable(kind);
    let mut address = SocketAddr::from((host(place(arch, kind)), 0));
    let server = start(arch, &store, root, address);
    address.set_port(server.port);
    let mut left = None;
    let guests = with_guests(address, |guests| {
        let lodgers = Vec::new();
        let mut scene = Scene { arch, root, address, store, server, guests, lodgers, rng, journal };
        scene.guests.await_progress();
        let began = Instant::now();
        while began.elapsed() < duration() {
            scene.faults();
        }
        left = Some((scene.store, scene.server));
    });
    let (store, server) = left.expect("what is left of the scene");
    server.await_rest();
    guests.check(&store.remarks());
    journal.note(guests.account());
    (store, server)
}

impl Scene<'_> {
    /// Some faults in a row, and the way back from them.
    fn faults(&mut self) {
        for _ in 0..self.rng.usize(1..=ROW) {
            self.fault();
            self.guests.await_files(self.rng.usize(..10));
        }
        self.journal.note(format!("{} clients who stayed leave", self.lodgers.len()));
        self.lodgers.clear();
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
            _ => self.have_nuisances(),
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

    /// The supervisor ends, by a signal; then another one starts on what it has left.
    fn end_server(&mut self, signal: Signal) {
        self.journal.note(format!("signal {} to the supervisor", signal.as_raw()));
        self.server.supervisor().signal(signal);
        self.server.wait();
        self.server.await_nothing_left();
        self.journal.note("start the server again");
        self.server = start(self.arch, &self.store, self.root, self.address);
    }

    /// The store is killed. The embedded one is started again by the supervisor, Redis here.
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

    /// The store stands still until some more files are served.
    fn freeze_store(&mut self) {
        let store = match &self.store {
            Store::Embedded(_) => self.server.store(),
            Store::Redis(redis) => redis.process(),
        };
        self.journal.note("the store stands still");
        store.signal(Signal::STOP);
        self.guests.await_files(self.rng.usize(1..30));
        store.signal(Signal::CONT);
        self.journal.note("the store goes on");
    }

    fn have_nuisances(&mut self) {
        for _ in 0..self.rng.usize(1..8) {
            // Nobody may listen just now.
            let Ok(client) = Client::try_connect(self.address) else { continue };
            let (what, client) = nuisances::call(client, self.rng);
            self.journal.note(format!("a client {what}"));
            self.lodgers.extend(client);
        }
    }
}

/// The server stops, and neither a process nor a lock nor a socket of it is left.
fn end(store: Store, mut server: Server) {
    let status = server.stop();
    assert!(status.success(), "{status}: {}", server.errors());
    if let Store::Embedded(folder) = &store {
        let lock = File::open(folder.join("g.db.lock")).expect("the lock file");
        flock(&lock, FlockOperation::NonBlockingLockExclusive).expect("a lock that nobody holds");
        wait_until("a socket at which nobody listens", || {
            UnixStream::connect(store.socket()).is_err()
        });
    }
}
