//! Counts the instructions that a request costs, with callgrind, and compares the counts with those
//! recorded in `instructions.txt`. Unlike times, counts are the same on a busy machine.
//!
//! `cargo bench --profile instructions --bench instructions` compares. With `-- --accept` after it,
//! the command records new counts. The profile builds without LTO, which would take minutes.
//!
//! Each subject runs twice, the second time with twice as many rounds. The difference of the two
//! counts leaves out the start of the program.

#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use zerohttpd_core::app::BadTemplate;
use zerohttpd_core::{
    App, AssetError, Completion, Connection, Limits, Metadata, Now, Operation, Representation,
    Sent, Templates, Want,
};

use support::{Kind, Server, Store, TempDir, package};

/// How much a count can differ from the recorded one before the comparison fails.
const TOLERANCE_PERCENT: f64 = 3.0;

const ROUNDS: u64 = 1000;

/// What a browser sends to ask whether a file has changed.
const HEAD: &str = "GET /hello.txt HTTP/1.1\r\nHost: localhost:8080\r\nConnection: keep-alive\r\n\
    Cache-Control: max-age=0\r\nsec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\"\r\n\
    sec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/140.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml,application/xml;\
    q=0.9,image/avif,image/webp,*/*;q=0.8\r\nSec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9\r\nIf-None-Match: \"6\"\r\n\r\n";

const PIPELINED: &str = "GET /hello.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `count_core` starts this program with three arguments.
    if let [subject, rounds, _] = &arguments[..] {
        run_subject(subject, rounds.parse().expect("a number of rounds"));
        return ExitCode::SUCCESS;
    }
    let file = package().join("benches/instructions.txt");
    let counts = [
        ("head", per_round(|rounds| count_core("head", rounds))),
        ("pipeline", per_round(|rounds| count_core("pipeline", rounds))),
        ("kept-alive", per_round(count_server)),
    ];
    let environment = environment();
    if arguments.iter().any(|argument| argument == "--accept") {
        let mut text =
            format!("# The environment in which the counts below hold.\n{environment}\n");
        for (subject, count) in counts {
            writeln!(text, "{subject} {count:.0}").expect("writing to a string succeeds");
        }
        fs::write(file, text).expect("benches/instructions.txt");
        return ExitCode::SUCCESS;
    }
    let text = fs::read_to_string(file).expect("benches/instructions.txt");
    let is_comparable = text.lines().nth(1) == Some(&environment);
    if !is_comparable {
        println!("not compared: the recorded counts are from another environment.\n{text}");
        println!("The environment here is {environment}");
    }
    let mut all_within_tolerance = true;
    for (subject, count) in counts {
        let recorded =
            text.lines().find_map(|line| line.strip_prefix(subject)?.trim().parse().ok());
        let recorded: f64 = recorded.expect("a recorded count for each subject");
        let percent = (count / recorded - 1.0) * 100.0;
        println!("{subject:10} {count:9.0} instructions, {percent:+.1} %");
        all_within_tolerance &= !is_comparable || percent.abs() <= TOLERANCE_PERCENT;
    }
    if all_within_tolerance {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "A count differs by more than {TOLERANCE_PERCENT} %. If that is intended, record the new \
         counts with `-- --accept`."
    );
    ExitCode::FAILURE
}

/// What the counts depend on: the versions of compiler, C library and valgrind, and the processor's
/// extensions.
fn environment() -> String {
    let first_line = |program: &str, option: &str| {
        let output = Command::new(program).arg(option).output();
        let output = output.unwrap_or_else(|e| panic!("{program}: {e}"));
        String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_string()
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    // Valgrind emulates no later extension than this one.
    let avx2 = if cpu.contains(" avx2 ") { "avx2" } else { "no avx2" };
    let programs = [("rustc", "--version"), ("ldd", "--version"), ("valgrind", "--version")];
    let versions = programs.map(|(program, option)| first_line(program, option)).join(", ");
    format!("{versions}, {}, {avx2}", std::env::consts::ARCH)
}

/// The instructions of one round. `count` runs a number of rounds and counts the instructions.
fn per_round(count: impl Fn(u64) -> u64) -> f64 {
    let (once, twice) = (count(ROUNDS), count(2 * ROUNDS));
    (twice as f64 - once as f64) / ROUNDS as f64
}

/// Counts the instructions of this program when it runs a subject.
fn count_core(subject: &str, rounds: u64) -> u64 {
    let folder = TempDir::new();
    let program = std::env::current_exe().expect("this program");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["-q", "--tool=callgrind"]).arg(out_file(folder.path())).arg(program);
    let status = valgrind.args([subject, &rounds.to_string(), "rounds"]).status();
    assert!(status.expect("valgrind").success(), "{subject} under valgrind");
    largest_total(folder.path())
}

/// Counts the instructions of a server process of `epoll` for one kept-alive client.
fn count_server(rounds: u64) -> u64 {
    // With a Redis, since a server under valgrind can't start the embedded store.
    let (folder, store) = (TempDir::new(), Store::new(Kind::Redis));
    let out = out_file(folder.path());
    let script = format!("exec valgrind -q --tool=callgrind {out} \"$0\" \"$@\"");
    let no_input = std::process::Stdio::null();
    let mut server = Server::start_in_shell(&script, no_input, ("epoll", &store.url(), &[]));
    let mut client = server.client();
    for _ in 0..rounds {
        assert_eq!(client.get("/hello.txt").status, 200);
    }
    drop(client);
    server.stop();
    largest_total(folder.path())
}

fn out_file(folder: &Path) -> String {
    format!("--callgrind-out-file={}/%p", folder.display())
}

/// The largest count among the profiles in a folder: that of the server, not of its supervisor.
fn largest_total(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).expect("a folder").flatten();
    let totals = files.filter_map(|file| {
        let text = fs::read_to_string(file.path()).expect("a profile");
        text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
    });
    totals.max().expect("a profile with a total")
}

struct File(Metadata);

impl Representation for File {
    fn metadata(&self) -> &Metadata {
        &self.0
    }
}

/// Serves the requests of a subject over one connection of the core, `rounds` times.
fn run_subject(subject: &str, rounds: u64) {
    let (input, requests) = match subject {
        "head" => (HEAD.to_string(), rounds),
        "pipeline" => (PIPELINED.repeat(16), rounds * 16),
        other => panic!("no subject: {other}"),
    };
    let page = |name: &str| {
        let file = package().join("templates").join(name);
        Ok::<_, BadTemplate>(fs::read(file).expect("a template"))
    };
    let templates = Templates::load(page).expect("templates");
    let limits = Limits::default();
    let app = App { templates, limits, guestbook: true, listing: false };
    let mut connection = Connection::new();
    let mut answers = 0;
    while answers < requests {
        match connection.poll(&app, Now::default()) {
            Want::Read => drop(connection.received(input.as_bytes())),
            Want::Perform(ticket, Operation::Open(..)) => {
                let file = Metadata::new(6, 0, "6", "text/plain", Default::default());
                connection.completed(ticket, Completion::Opened(Ok::<_, AssetError>(File(file))));
            }
            Want::Send(transmit) => {
                connection.sent(transmit, Sent::Whole);
                answers += 1;
            }
            _ => panic!("a kept-alive connection only reads, opens and sends"),
        }
    }
}
