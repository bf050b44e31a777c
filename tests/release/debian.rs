//! The Debian package, installed where a systemd runs: in this machine's files, or in those of a
//! fresh Debian that `dist/try-release` made.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use crate::document::package_installation;
use crate::machine::Machine;
use crate::support::client::{Client, last_request, signature};
use crate::support::{skip, wait_until};
use crate::{copy_files, shell};

const SERVICE: &str = "zerohttpd.service";

/// Makes the machine one that never had the package. Images of containers have rules against
/// starting services, and against manuals.
const CLEAN: &str = "dpkg -P zerohttpd 2>/dev/null
    rm -rf /srv/www /var/lib/zerohttpd /var/log/zerohttpd /usr/local/bin/zerohttpd
    rm -f /usr/sbin/policy-rc.d /etc/dpkg/dpkg.cfg.d/*";

/// Runs dpkg with these words.
#[track_caller]
fn dpkg(machine: &Machine, words: &str) -> String {
    shell(machine, &format!("DEBIAN_FRONTEND=noninteractive dpkg {words}"))
}

#[track_caller]
fn install(machine: &Machine) {
    dpkg(machine, "-i /mnt/zerohttpd_*.deb");
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

/// Whether a unit is active, as systemctl says it.
fn state(machine: &Machine, unit: &str) -> String {
    machine.run(&["systemctl", "is-active", unit]).unwrap_or_else(|state| state)
}

fn serves_as_its_own_user(machine: &Machine) {
    wait_until("an active service", || state(machine, SERVICE) == "active");
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
    shell(machine, "fish -c 'complete -C \"zerohttpd --list\"' | grep -q ^--listing");
    shell(machine, "zsh -n /usr/share/zsh/vendor-completions/_zerohttpd");
    shell(machine, "test -s $(systemctl show -p Documentation zerohttpd | sed 's|.*file://||')");
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

/// Removes the package and installs it again, and installs it over services that are stopped,
/// disabled or without a port.
fn remove_and_reinstall(machine: &Machine) {
    machine.systemctl(&["enable", "zerohttpd.socket"]);
    dpkg(machine, "-r zerohttpd");
    assert_eq!(state(machine, SERVICE), "inactive");
    shell(machine, "rm -r /srv/www");
    install(machine);
    serves_as_its_own_user(machine);
    assert_eq!(state(machine, "zerohttpd.socket"), "active");

    machine.systemctl(&["disable", "zerohttpd.socket", SERVICE]);
    machine.systemctl(&["stop", "zerohttpd.socket", SERVICE]);
    install(machine);
    assert_eq!(state(machine, SERVICE), "inactive");

    machine.systemctl(&["enable", SERVICE]);
    let taken = std::net::TcpListener::bind(("127.0.0.1", 80)).expect("the port");
    install(machine);
    assert_ne!(state(machine, SERVICE), "active");
    drop(taken);
    // systemd has tried often enough.
    machine.systemctl(&["reset-failed", SERVICE]);
    machine.systemctl(&["restart", SERVICE]);
    serves_as_its_own_user(machine);
}

fn try_package(machine: &Machine) {
    machine.enter();
    copy_files(machine);
    let _ = machine.run(&["/bin/bash", "-c", CLEAN]);
    let before = traces(machine);
    shell(machine, &format!("cd /mnt; {}", package_installation()));
    serves_as_its_own_user(machine);
    manual_and_completions(machine);
    rotates_its_log(machine);
    upgrade(machine);
    remove_and_reinstall(machine);
    machine.systemctl(&["enable", "zerohttpd.socket"]);
    dpkg(machine, "-P zerohttpd");
    let mut left = traces(machine);
    left.retain(|line| !before.contains(line));
    assert_eq!(left, ["/var/lib/zerohttpd"], "what is left after a purge");
    assert!(ask(&last_request("/")).is_err(), "the service has stopped");
    // The guestbook is that of the new service, too.
    install(machine);
    serves_as_its_own_user(machine);
    let page = ask(&last_request("/guestbook")).expect("the guestbook");
    assert_eq!(page.matches("installed").count(), 4, "{page}");
}

#[test]
fn the_package_is_installed_serves_is_upgraded_and_leaves_only_data() {
    if !cfg!(target_arch = "x86_64") {
        return skip("the package is for x86_64");
    }
    let Some(machine) = Machine::start(&[]) else { return };
    // A thread of its own enters the machine's network.
    thread::scope(|scope| {
        let trial = scope.spawn(|| try_package(&machine));
        trial.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}
