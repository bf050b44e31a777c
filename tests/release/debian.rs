//! The Debian package, installed where a systemd runs: in this machine's files, or in those of a
//! fresh Debian that `dist/try-release` made.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use crate::file;
use crate::machine::Machine;
use crate::support::client::{Client, last_request, signature};
use crate::support::wait_until;

const SERVICE: &str = "zerohttpd.service";

/// Runs a script in the machine: its output. Panics if it fails.
#[track_caller]
fn shell(machine: &Machine, script: &str) -> String {
    let output = machine.run(&["/bin/bash", "-c", script]);
    output.unwrap_or_else(|error| panic!("{script}: {error}\n{}", machine.errors()))
}

#[track_caller]
fn install(machine: &Machine) {
    // Images of containers have rules against starting services, and against manuals.
    shell(
        machine,
        "rm -f /usr/sbin/policy-rc.d
        DEBIAN_FRONTEND=noninteractive dpkg --path-include='/usr/share/*' -i /mnt/zerohttpd.deb",
    );
}

/// Sends a request on a connection of its own: the body of the answer.
fn ask(request: &str) -> Result<String, String> {
    let address = (std::net::Ipv4Addr::LOCALHOST, 80).into();
    let mut client = Client::try_connect(address).map_err(|error| format!("connect: {error}"))?;
    client.send(request);
    let answer = client.try_answer(false)?;
    match answer.status {
        200 | 303 => Ok(String::from_utf8_lossy(&answer.body).into_owned()),
        _ => Err(format!("{answer:?}")),
    }
}

/// What of the package is on the machine: files and the user.
fn traces(machine: &Machine) -> Vec<String> {
    let script = "find /etc /usr /srv /run /var/lib /var/log -xdev -iname '*zerohttpd*' | sort
        getent passwd zerohttpd; getent group zerohttpd; true";
    shell(machine, script).lines().map(str::to_owned).collect()
}

/// What a shell with bash-completion offers for the last word.
fn completions(machine: &Machine, words: &str) -> String {
    let script = format!(
        r#"source /usr/share/bash-completion/bash_completion
        loader=$(complete -p -D | sed 's/.*-F \([^ ]*\) .*/\1/')
        "$loader" zerohttpd
        function=$(complete -p zerohttpd | sed 's/.*-F \([^ ]*\) .*/\1/')
        COMP_WORDS=({words}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)) COMP_LINE={words:?}
        COMP_POINT=${{#COMP_LINE}}
        "$function" zerohttpd "${{COMP_WORDS[-1]}}" "${{COMP_WORDS[-2]}}"
        printf '%s\n' "${{COMPREPLY[@]}}""#
    );
    shell(machine, &script)
}

fn serves_as_its_own_user(machine: &Machine) {
    wait_until("an active service", || {
        machine.run(&["systemctl", "is-active", SERVICE]) == Ok("active".into())
    });
    let page = ask(&last_request("/")).expect("a first page");
    assert!(page.contains("ZeroHTTPd"), "{page}");
    ask(&signature("Ann", "installed")).expect("a guestbook that can be signed");
    let owners = shell(machine, "ps -o user:32= -C zerohttpd | sort -u");
    assert_eq!(owners, "zerohttpd");
}

fn manual_and_completions(machine: &Machine) {
    let manual = shell(machine, "MANPAGER=cat MANWIDTH=80 man zerohttpd");
    assert!(manual.contains("NAME") && manual.contains("--listing"), "{manual}");
    let manual = shell(machine, "MANPAGER=cat man zerohttpd-load");
    assert!(manual.contains("--clients"), "{manual}");
    assert_eq!(completions(machine, "zerohttpd --list"), "--listing");
    let commands = completions(machine, "zerohttpd be");
    assert!(commands.lines().any(|word| word == "bench"), "{commands}");
}

fn rotates_its_log(machine: &Machine) {
    shell(machine, "logrotate --force /etc/logrotate.d/zerohttpd");
    let rotated = shell(machine, "cat /var/log/zerohttpd/access.log.1");
    assert!(rotated.contains("GET / HTTP/1.1"), "{rotated}");
    // A log that is open again has what is asked now.
    wait_until("a new log", || {
        ask(&last_request("/favicon.svg")).expect("an answer");
        machine.run(&["grep", "-q", "favicon", "/var/log/zerohttpd/access.log"]).is_ok()
    });
}

/// Installs the package again, which is an upgrade for dpkg, while clients send requests.
fn upgrade(machine: &Machine) {
    let pid = machine.systemctl(&["show", "--property=MainPID", "--value", SERVICE]);
    let executed = || machine.run(&["readlink", &format!("/proc/{pid}/exe")]).unwrap_or_default();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let load = scope.spawn(|| {
            machine.enter();
            while !is_over.load(Relaxed) {
                ask(&last_request("/"))?;
            }
            Ok::<_, String>(())
        });
        let upgraded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            install(machine);
            // The link's end says "(deleted)" as long as the old file is executed.
            wait_until("an upgrade", || executed() == "/usr/bin/zerohttpd");
        }));
        is_over.store(true, Relaxed);
        load.join().expect("a client").expect("an answer to each request");
        upgraded.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    let page = ask(&last_request("/guestbook")).expect("the guestbook");
    assert!(page.contains("installed"), "{page}");
}

fn try_package(machine: &Machine, package: &Path) {
    machine.enter();
    machine.copy(package, "zerohttpd.deb");
    shell(machine, "rm -rf /srv/www /usr/local/bin/zerohttpd");
    let before = traces(machine);
    install(machine);
    serves_as_its_own_user(machine);
    manual_and_completions(machine);
    rotates_its_log(machine);
    upgrade(machine);
    shell(machine, "DEBIAN_FRONTEND=noninteractive dpkg -P zerohttpd");
    let mut left = traces(machine);
    left.retain(|line| !before.contains(line));
    assert_eq!(left, ["/var/lib/zerohttpd"], "what is left after a purge");
    shell(machine, "test -s /var/lib/zerohttpd/guestbook.db");
    assert!(ask(&last_request("/")).is_err(), "the service has stopped");
}

#[test]
fn the_package_is_installed_serves_is_upgraded_and_leaves_only_data() {
    let Some(machine) = Machine::start(&[]) else { return };
    let package = file("_amd64.deb");
    // A thread of its own enters the machine's network.
    thread::scope(|scope| {
        let trial = scope.spawn(|| try_package(&machine, &package));
        trial.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}
