//! System calls of a running process that are made to fail, by strace(1).

use std::fs::{self, File};
use std::io::ErrorKind;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use rustix::process::Signal;

use super::process::Process;
use super::server::read;
use super::{TempDir, wait_until};

const MISSING: &str = "these tests need strace: install it (`apt-get install strace`)";

/// Calls that fail as long as this is there.
pub(crate) struct Injection {
    strace: Child,
    folder: TempDir,
}

/// Whether one process may trace another here: a container may forbid it (ptrace(2)). This is the
/// one thing for which a test may be left out; it is said where that happens.
pub(crate) fn is_allowed() -> bool {
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    *ALLOWED.get_or_init(|| {
        let mut probe = Command::new("strace");
        probe.args(["-o", "/dev/null", "-e", "trace=none", "true"]);
        let output = probe.output().unwrap_or_else(|e| match e.kind() {
            ErrorKind::NotFound => panic!("{MISSING}"),
            _ => panic!("strace: {e}"),
        });
        let said = String::from_utf8_lossy(&output.stderr);
        let is_forbidden = said.contains("ptrace") && said.contains("not permitted");
        assert!(output.status.success() || is_forbidden, "strace true: {output:?}");
        if is_forbidden {
            println!("skipped: ptrace is not allowed here");
        }
        !is_forbidden
    })
}

impl Injection {
    /// Has some calls of processes, and of what they start, fail: `calls` as in `accept4,poll`,
    /// `how` as in `EMFILE` or `EINTR:when=1+2`, see strace(1). Other calls, `beside`, are noted.
    #[track_caller]
    pub(crate) fn into(processes: &[Process], calls: &str, how: &str, beside: &str) -> Injection {
        let folder = TempDir::new();
        let said = File::create(folder.join("said")).expect("a file for output");
        let comma = if beside.is_empty() { "" } else { "," };
        let mut command = Command::new("strace");
        command.args(["-f", "-q", "-e", "signal=none", "-o"]).arg(folder.join("calls"));
        command.args(["-e", &format!("trace={calls}{comma}{beside}")]);
        command.args(["-e", &format!("inject={calls}:error={how}")]);
        for process in processes {
            command.args(["-p", &process.0.to_string()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        let strace = command.spawn().expect("strace");
        let injection = Injection { strace, folder };
        wait_until("processes that are traced", || processes.iter().all(|it| it.is_traced()));
        injection
    }

    /// The calls so far, the number of the process or thread first.
    pub(crate) fn calls(&self) -> Vec<String> {
        let text = read(&self.folder.join("calls"));
        // The last line may not be whole.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(str::to_string).collect()
    }

    /// How many calls were made to fail.
    pub(crate) fn count(&self) -> usize {
        self.calls().iter().filter(|call| is_injected(call)).count()
    }
}

/// Whether a call was made to fail.
pub(crate) fn is_injected(call: &str) -> bool {
    call.ends_with("(INJECTED)")
}

impl Drop for Injection {
    fn drop(&mut self) {
        // A call that is let go of while it is made to fail ends with ENOSYS, which no kernel says.
        let mut before = None;
        wait_until("a pause between calls", || {
            let now = fs::metadata(self.folder.join("calls")).map_or(0, |calls| calls.len());
            before.replace(now) == Some(now)
        });
        // It lets go of those whom it traces before it ends.
        Process(self.strace.id()).signal(Signal::TERM);
        let _ = self.strace.wait();
    }
}
