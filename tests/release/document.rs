//! The commands of docs/operating.md, run by root on a machine with the files of a release.

use crate::machine::Machine;
use crate::shell;
use crate::support::blocks::{Block, CONSOLE, blocks};
use crate::support::{package, wait_until};

const DOCUMENT: &str = "docs/operating.md";

/// How the first command of a block begins that installs the package.
const PACKAGE: &str = "apt install ";

/// How the first command of a block begins that restores a backup.
const RESTORE: &str = "systemctl stop zerohttpd.socket ";

/// The blocks that are not run here, by how their first commands begin, and the reason.
const UNRUN: [(&str, &str); 2] = [
    (PACKAGE, "the test of the package runs it, on a machine of its own"),
    ("podman load ", "there is no container tool; chroot.rs does what it would do"),
];

/// The blocks of commands for root. The other ones are consoles, which `tests/docs` runs, and
/// configurations.
fn scripts() -> Vec<Block> {
    let mut scripts = blocks(DOCUMENT);
    scripts.retain(|block| block.language != CONSOLE);
    assert!(scripts.iter().all(|block| block.language == "sh"), "a block that is not run");
    scripts
}

/// The position of the block whose first command begins in this way.
fn position(scripts: &[Block], beginning: &str) -> usize {
    let found = scripts.iter().position(|block| block.lines[0].starts_with(beginning));
    found.unwrap_or_else(|| panic!("no block begins with {beginning}"))
}

/// The commands by which the document installs the package.
pub(crate) fn package_installation() -> String {
    let scripts = scripts();
    scripts[position(&scripts, PACKAGE)].lines.join("\n")
}

/// The commands in the last column of the table of symptoms.
fn remedies() -> Vec<String> {
    let text = std::fs::read_to_string(package().join(DOCUMENT)).expect("a document");
    let (_, table) = text.split_once("## Troubleshooting").expect("a section");
    let rows = table.lines().skip_while(|line| !line.starts_with("|---"));
    let rows = rows.skip(1).take_while(|line| line.starts_with('|'));
    let last = rows.filter_map(|row| row.trim_end_matches(['|', ' ']).rsplit(" | ").next());
    let commands = last.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    commands.map(|command| command.replace("\\|", "|")).collect()
}

/// Sends the service's standard error to a file, because there is no journal.
const ERRORS_TO_FILE: &str = "mkdir -p /etc/systemd/system/zerohttpd.service.d
    printf '[Service]\\nStandardError=append:/mnt/errors\\n' \
        >/etc/systemd/system/zerohttpd.service.d/errors.conf";

/// What the reader of a section that was followed expects.
fn assert_installed(machine: &Machine) {
    let manual = shell(machine, "MANPAGER=cat man zerohttpd-load");
    assert!(manual.contains("--clients"), "{manual}");
    let offered = shell(machine, "fish -c 'complete -C \"zerohttpd epo\"'");
    assert!(offered.starts_with("epoll"), "{offered}");
    let zsh = "zsh -fc 'autoload -Uz compinit; compinit -u -D; echo $_comps[zerohttpd]'";
    assert_eq!(shell(machine, zsh), "_zerohttpd");
}

#[test]
fn the_commands_of_the_operators_page_succeed() {
    let Some(machine) = Machine::start(&[]) else { return };
    crate::copy_files(&machine);
    shell(&machine, "rm -f /usr/local/bin/zerohttpd");
    let mut scripts = scripts();
    for (beginning, _) in UNRUN {
        scripts.remove(position(&scripts, beginning));
    }
    let restore = position(&scripts, RESTORE);
    for (number, block) in scripts.iter().enumerate() {
        // Backups are for files that are lost.
        if number == restore {
            shell(&machine, "systemctl stop zerohttpd; rm /var/lib/zerohttpd/guestbook.db");
        }
        run(&machine, &block.place, &block.lines.join("\n"));
        if number == 0 {
            shell(&machine, ERRORS_TO_FILE);
            assert_installed(&machine);
        }
    }
    let remedies = remedies();
    assert!(remedies.len() > 12, "{remedies:?}");
    for command in remedies {
        run(&machine, "Troubleshooting", &command);
    }
    rotates(&machine);
}

/// Runs commands of the document in the folder with the files of the release.
fn run(machine: &Machine, place: &str, script: &str) {
    // systemd refuses too many starts in a short time.
    let _ = machine.run(&["systemctl", "reset-failed", "zerohttpd.service"]);
    let script = format!("cd /mnt; {script}");
    let result = machine.run(&["bash", "-euo", "pipefail", "-c", &script]);
    let output = result.unwrap_or_else(|said| {
        panic!("{place}: {script}\n{said}\n{}", machine.errors());
    });
    println!("{place}: {script}\n{output}\n");
}

/// The logs of both servers are rotated, and opened anew.
fn rotates(machine: &Machine) {
    for (address, log) in [("127.0.0.1", "access"), ("127.0.0.2", "access-b")] {
        let log = format!("/var/log/zerohttpd/{log}.log");
        let logs = || {
            wait_until("a line in the log", || {
                shell(machine, &format!("curl -fsS http://{address}:8000/hello.txt"));
                machine.run(&["grep", "-q", "hello", &log]).is_ok()
            });
        };
        logs();
        shell(machine, &format!("rm -f {log}.[12]*; logrotate --force /etc/logrotate.d/zerohttpd"));
        shell(machine, &format!("grep -q hello {log}.1"));
        logs();
    }
}
