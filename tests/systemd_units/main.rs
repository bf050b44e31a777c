//! The units in `dist/`, run by a systemd in namespaces.

#[path = "../support/mod.rs"]
mod support;

mod machine;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use machine::Machine;
use support::client::last_request;
use support::program::takes_workers;
use support::{Client, Server, Store, architectures, for_each, package, wait_until};

/// Sends a service's standard error to a file, because there is no journal.
const ERRORS_TO_FILE: &str = "\n[Service]\nStandardError=append:/mnt/errors\n";

/// A service and its socket.
struct Unit {
    arch: String,
    name: String,
    port: u16,
    service: String,
    socket: String,
}

impl Unit {
    fn service(&self) -> String {
        format!("{}.service", self.name)
    }
}

/// The service and the socket in `dist/`.
fn shipped() -> (String, String) {
    let text = |name: &str| fs::read_to_string(package().join("dist").join(name)).expect("a unit");
    (text("zerohttpd.service"), text("zerohttpd.socket"))
}

/// A service and a socket for each architecture. For one architecture, these are the shipped units;
/// those of the others differ in the architecture's name, the port and the folders.
fn units() -> Vec<Unit> {
    let (service, socket) = shipped();
    let shipped = architectures().iter().find(|arch| service.contains(&format!(" {arch} 80 ")));
    let shipped = shipped.expect("a service of an architecture");
    let unit = |(index, arch): (usize, &String)| {
        if arch == shipped {
            let (service, socket) = (service.clone(), socket.clone());
            return Unit {
                arch: arch.clone(),
                name: "zerohttpd".into(),
                port: 80,
                service,
                socket,
            };
        }
        let port = 8001 + index as u16;
        let workers = if takes_workers(arch) { " --workers 8" } else { "" };
        let service = service
            .replace(&format!(" {shipped} 80 --workers auto"), &format!(" {arch} {port}{workers}"))
            .replace("/zerohttpd/", &format!("/zerohttpd-{arch}/"))
            .replace("Directory=zerohttpd", &format!("Directory=zerohttpd-{arch}"));
        let socket = socket.replace("ListenStream=80", &format!("ListenStream={port}"));
        Unit { arch: arch.clone(), name: format!("zerohttpd-{arch}"), port, service, socket }
    };
    architectures().iter().enumerate().map(unit).collect()
}

/// Requests a target on a connection of its own; the error says why there was no answer 200.
fn ask(port: u16, target: &str) -> Result<(), String> {
    let address = (std::net::Ipv4Addr::LOCALHOST, port).into();
    let mut client = Client::try_connect(address).map_err(|error| format!("connect: {error}"))?;
    client.send(last_request(target));
    match client.try_answer(false)? {
        answer if answer.status == 200 => Ok(()),
        answer => Err(format!("{target}: {answer:?}")),
    }
}

/// Does `work` with a service while clients send requests; panics if one of them gets no answer.
/// `work` gets a function that waits for further answers.
fn under_load(machine: &Machine, unit: &Unit, work: impl FnOnce(&dyn Fn(&str))) {
    const CLIENTS: usize = 3;
    let (is_over, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let load = || {
            machine.enter();
            while !is_over.load(Relaxed) {
                ask(unit.port, "/hello.txt")?;
                answers.fetch_add(1, Relaxed);
            }
            Ok::<_, String>(())
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(load)).collect();
        let more_answers = |after: &str| {
            let goal = answers.load(Relaxed) + 10;
            wait_until(&format!("answers after {after}"), || {
                answers.load(Relaxed) > goal || clients.iter().any(|client| client.is_finished())
            });
        };
        let result = catch_unwind(AssertUnwindSafe(|| work(&more_answers)));
        is_over.store(true, Relaxed);
        let ends: Vec<_> = clients.into_iter().map(|it| it.join().expect("a client")).collect();
        assert!(ends.iter().all(Result::is_ok), "{ends:?}\n{}", machine.errors());
        result.unwrap_or_else(|panic| resume_unwind(panic));
    });
}

fn start_and_reload(machine: &Machine, unit: &Unit) {
    machine.enter();
    machine.systemctl(&["start", &format!("{}.socket", unit.name)]);
    // systemd starts the service when the first client connects to its socket.
    under_load(machine, unit, |more_answers| {
        more_answers("the start");
        ask(unit.port, "/guestbook").expect("a guestbook");
        machine.systemctl(&["reload", &unit.service()]);
        more_answers("a reload");
        assert_eq!(executed(machine, unit), "/opt/rel1/zerohttpd");
        assert_notified(machine, unit);
    });
    let second = ["zerohttpd", &unit.port.to_string(), "--root", "/srv/www", "--no-guestbook"];
    let said = machine.run(&second).expect_err("a port that systemd and the service have");
    assert!(said.contains("a socket unit of systemd does already"), "{said}");
}

/// The status that systemd shows names the service, and the watchdog is on.
fn assert_notified(machine: &Machine, unit: &Unit) {
    let show = |property: &str| {
        let property = format!("--property={property}");
        machine.systemctl(&["show", &property, "--value", &unit.service()])
    };
    let begin = format!("{} at ", unit.arch);
    wait_until("a status", || {
        let status = show("StatusText");
        status.starts_with(&begin) && status.contains(", generation 2: ")
    });
    assert_ne!(show("WatchdogTimestampMonotonic"), "0");
}

fn upgrade_and_restart(machine: &Machine, unit: &Unit) {
    machine.enter();
    under_load(machine, unit, |more_answers| {
        machine.systemctl(&["kill", "--signal=USR2", "--kill-whom=main", &unit.service()]);
        wait_until("an upgrade", || executed(machine, unit) == "/opt/rel2/zerohttpd");
        more_answers("an upgrade");
        for _ in 0..10 {
            allow_another_start(machine, &unit.service());
            machine.systemctl(&["restart", &unit.service()]);
            more_answers("a restart");
        }
        ask(unit.port, "/guestbook").expect("a guestbook");
    });
}

/// Makes systemd forget the earlier starts of a service, since it refuses too many in a short time.
/// The command fails if the unit is no longer loaded; then there is nothing to forget.
fn allow_another_start(machine: &Machine, service: &str) {
    let _ = machine.run(&["systemctl", "reset-failed", service]);
}

/// The file that a service executes.
fn executed(machine: &Machine, unit: &Unit) -> String {
    let pid = machine.systemctl(&["show", "--property=MainPID", "--value", &unit.service()]);
    machine.run(&["readlink", &format!("/proc/{pid}/exe")]).unwrap_or_default()
}

/// `SystemCallFilter` lets each call pass that any of the architectures makes: the processes are
/// confined, and no message says that a call failed.
fn assert_no_call_was_refused(machine: &Machine) {
    let sandboxes = |said: &str| -> Vec<String> {
        let lines = said.lines().filter(|line| line.starts_with("  sandbox "));
        lines.map(str::to_owned).collect()
    };
    let store = Store::embedded();
    let outside = sandboxes(&Server::start(&architectures()[0], &store.url(), &[]).errors());
    let said = machine.errors();
    let inside = sandboxes(&said);
    assert!(inside.len() > architectures().len(), "{said}");
    assert!(inside.iter().all(|line| *line == outside[0]), "{outside:?}: {inside:?}");
    assert!(!said.contains("not permitted"), "{said}");
}

/// Runs the service without its socket unit, so it has to bind its port as a user other than root.
fn serve_alone(machine: &Machine, name: &str, port: u16) {
    machine.enter();
    machine.systemctl(&["stop", &format!("{name}.socket"), &format!("{name}.service")]);
    let service = format!("{name}.service");
    for _ in 0..2 {
        allow_another_start(machine, &service);
        machine.systemctl(&["restart", &service]);
        for target in ["/hello.txt", "/guestbook"] {
            ask(port, target).expect("a service that serves once it is started");
        }
        machine.systemctl(&["reload", &service]);
        assert_eq!(machine.systemctl(&["is-active", &service]), "active");
        let owner = machine.systemctl(&["show", "--property=UID", "--value", &service]);
        assert!(owner.parse::<u32>().is_ok_and(|uid| uid != 0), "the service runs as {owner}");
    }
    machine.systemctl(&["stop", &service]);
    assert_eq!(machine.systemctl(&["show", "--property=Result", "--value", &service]), "success");
}

/// A service that takes longer to stop than its unit says, and whose watchdog soon barks.
const IMPATIENT: &str = "[Service]\nTimeoutStopSec=1\nWatchdogSec=2\nExecStart=\n\
    ExecStart=/usr/bin/env zerohttpd epoll 80 --drain 2 --store embedded:/var/lib/zerohttpd/g.db\n";

/// Stops a service that drains, and hangs its supervisor: systemd waits for the one, and restarts
/// the other.
fn drain_and_hang(machine: &Machine, name: &str) {
    machine.enter();
    let service = format!("{name}.service");
    let show = |property: &str| {
        machine.systemctl(&["show", &format!("--property={property}"), "--value", &service])
    };
    let folder = format!("/run/systemd/system/{service}.d");
    let write = format!("mkdir -p {folder} && printf '%s' \"$0\" > {folder}/impatient.conf");
    machine.run(&["sh", "-c", &write, IMPATIENT]).expect("a folder for units");
    machine.systemctl(&["daemon-reload"]);
    allow_another_start(machine, &service);
    machine.systemctl(&["start", &service]);
    machine.systemctl(&["stop", &service]);
    assert_eq!(show("Result"), "success", "{}", machine.errors());
    allow_another_start(machine, &service);
    machine.systemctl(&["start", &service]);
    machine.run(&["kill", "-STOP", &show("MainPID")]).expect("a supervisor");
    wait_until("a restart", || show("NRestarts") == "1" && show("ActiveState") == "active");
    ask(80, "/").expect("a service that serves again");
    machine.systemctl(&["kill", "--signal=INT", "--kill-whom=main", &service]);
    wait_until("the end", || show("ActiveState") == "inactive");
}

#[test]
fn the_units_start_reload_upgrade_and_restart_and_no_client_is_refused_or_reset() {
    let units = units();
    let mut files = Vec::new();
    for unit in &units {
        files.push((unit.service(), format!("{}{ERRORS_TO_FILE}", unit.service)));
        files.push((format!("{}.socket", unit.name), unit.socket.clone()));
    }
    let Some(machine) = Machine::start(&files) else { return };
    let name = |unit: &Unit| unit.arch.clone();
    for_each(&units, name, |unit| start_and_reload(&machine, unit));
    machine
        .run(&["ln", "-sfn", "/opt/rel2/zerohttpd", "/usr/local/bin/zerohttpd"])
        .expect("a link");
    for_each(&units, name, |unit| upgrade_and_restart(&machine, unit));
    assert_no_call_was_refused(&machine);
    thread::scope(|scope| {
        let alone = scope.spawn(|| {
            serve_alone(&machine, "zerohttpd", 80);
            drain_and_hang(&machine, "zerohttpd");
        });
        alone.join().expect("the service alone");
    });
}
