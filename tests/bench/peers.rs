//! Servers with a known behaviour, measured as peers (`--peer`). Each is this test program,
//! executed again.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpid, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The environment variables that tell such a server its behaviour and its port.
const BEHAVIOUR: &str = "ZEROHTTPD_TEST_BEHAVIOUR";
const PORT: &str = "ZEROHTTPD_TEST_PORT";

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("its address").port()
}

/// A value of `--peer` for a server of this name and behaviour (see [`Behaviour::read`]). `shell`
/// is the shell command that starts it; `{}` in it stands for the server's own command.
pub(crate) fn peer_in_shell(name: &str, behaviour: &str, shell: &str) -> String {
    let port = free_port();
    let program = std::env::current_exe().expect("this program").display().to_string();
    let command = format!(
        "env {BEHAVIOUR}={behaviour} {PORT}={port} {program} --ignored --exact peers::serves \
         --nocapture"
    );
    format!("{name}={} @ http://127.0.0.1:{port}/x", shell.replace("{}", &command))
}

/// A value of `--peer` for a server that runs in the foreground.
pub(crate) fn peer(name: &str, behaviour: &str) -> String {
    peer_in_shell(name, behaviour, "exec {}")
}

/// How a server behaves.
#[derive(Clone, Copy, Debug, Default)]
struct Behaviour {
    /// How long it sleeps before it answers.
    sleep: Duration,
    /// How long it keeps a core busy before it answers.
    burn: Duration,
    /// It ends at this request, counted from 1, with this exit status; 9 stands for SIGKILL.
    end: Option<(u64, i32)>,
    /// Every request whose number is a multiple of this gets this status instead of 200.
    bad: Option<(u64, u16)>,
}

impl Behaviour {
    /// Reads a text such as `sleep_ms:10,burn_us:500,end:80:3,bad:20:500`.
    fn read(text: &str) -> Behaviour {
        let mut behaviour = Behaviour::default();
        for part in text.split(',') {
            let words: Vec<_> = part.split(':').collect();
            let number = |at: usize| words[at].parse::<u64>().expect("a number");
            match words[0] {
                "sleep_ms" => behaviour.sleep = Duration::from_millis(number(1)),
                "burn_us" => behaviour.burn = Duration::from_micros(number(1)),
                "end" => behaviour.end = Some((number(1), number(2) as i32)),
                "bad" => behaviour.bad = Some((number(1), number(2) as u16)),
                other => panic!("no behaviour: {other}"),
            }
        }
        behaviour
    }
}

/// How many requests this process has received.
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Not a test: the server that other tests measure.
#[test]
#[ignore = "a server for other tests, which execute it"]
fn serves() {
    let (Ok(behaviour), Ok(port)) = (std::env::var(BEHAVIOUR), std::env::var(PORT)) else { return };
    let listener = TcpListener::bind(("127.0.0.1", port.parse().expect("a port"))).expect("a port");
    let behaviour = Behaviour::read(&behaviour);
    for client in listener.incoming().flatten() {
        thread::spawn(move || converse(client, behaviour));
    }
}

fn converse(mut client: TcpStream, behaviour: Behaviour) {
    client.set_nodelay(true).expect("a socket");
    let mut lines = BufReader::new(client.try_clone().expect("a descriptor")).lines();
    while let Some(Ok(line)) = lines.next() {
        if !line.is_empty() {
            continue;
        }
        let count = REQUESTS.fetch_add(1, Relaxed) + 1;
        match behaviour.end.filter(|(requests, _)| count >= *requests) {
            Some((_, 9)) => kill_process(getpid(), Signal::KILL).expect("this process"),
            Some((_, code)) => std::process::exit(code),
            None => {}
        }
        // This process is the slow server, not the test, so it can sleep.
        thread::park_timeout(behaviour.sleep);
        let start = Instant::now();
        while start.elapsed() < behaviour.burn {}
        let status = match behaviour.bad {
            Some((period, status)) if count.is_multiple_of(period) => status,
            _ => 200,
        };
        let answer = format!("HTTP/1.1 {status} So\r\nContent-Length: 2\r\n\r\nok");
        if client.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The cores on which this thread can run.
pub(crate) fn cores() -> Vec<usize> {
    let set = sched_getaffinity(None).expect("the cores of this thread");
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

/// Restricts this thread, and processes that it starts from now on, to these cores.
pub(crate) fn keep_to(cores: &[usize]) {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    sched_setaffinity(None::<Pid>, &set).expect("cores of this machine");
}

/// A process that keeps a core busy until it is dropped.
pub(crate) struct Neighbour(Child);

impl Neighbour {
    pub(crate) fn on(core: usize) -> Neighbour {
        let all = cores();
        keep_to(&[core]);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "while :; do :; done"]).stdin(Stdio::null());
        let child = shell.spawn().expect("a shell");
        keep_to(&all);
        Neighbour(child)
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
