//! Makes system calls of running processes fail, by strace(1).

use std::fs::{self, File};
use std::io::ErrorKind;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use rustix::process::Signal;

use super::process::Process;
use super::server::read;
use super::{TempDir, wait_until};

const MISSING: &str = "these tests need strace: install it (`apt-get install strace`)";

/// System calls that fail until this value is dropped.
pub(crate) struct Injection {
    strace: Child,
    folder: TempDir,
}

/// Whether a process can trace another one (ptrace(2)); some containers forbid it. If not, prints
/// that the test is skipped.
pub(crate) fn is_allowed() -> bool {
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    *ALLOWED.get_or_init(|| {
        let mut probe = Command::new("strace");
        probe.args(["-o", "/dev/null", "-e", "trace=none", "true"]);
        let output = probe.output().unwrap_or_else(|e| match e.kind() {
            ErrorKind::NotFound => panic!("{MISSING}"),
            _ => panic!("strace: {e}"),
        });
        let stderr = String::from_utf8_lossy(&output.stderr);
        let is_forbidden = stderr.contains("ptrace") && stderr.contains("not permitted");
        assert!(output.status.success() || is_forbidden, "strace true: {output:?}");
        if is_forbidden {
            println!("skipped: ptrace is not allowed here");
        }
        !is_forbidden
    })
}

impl Injection {
    /// Makes `calls` of processes and of their later children fail, in the syntax of strace(1):
    /// `calls` such as `accept4,poll`, `error` such as `EMFILE` or `EINTR:when=1+2`. The calls
    /// `recorded` are listed, and do not fail.
    #[track_caller]
    pub(crate) fn start(
        processes: &[Process],
        calls: &str,
        error: &str,
        recorded: &str,
    ) -> Injection {
        let folder = TempDir::new();
        let stderr = File::create(folder.join("stderr")).expect("a file for output");
        let comma = if recorded.is_empty() { "" } else { "," };
        let mut command = Command::new("strace");
        command.args(["-f", "-q", "-e", "signal=none", "-o"]).arg(folder.join("calls"));
        command.args(["-e", &format!("trace={calls}{comma}{recorded}")]);
        command.args(["-e", &format!("inject={calls}:error={error}")]);
        for process in processes {
            command.args(["-p", &process.0.to_string()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let strace = command.spawn().expect("strace");
        let injection = Injection { strace, folder };
        wait_until("processes that are traced", || processes.iter().all(|it| it.is_traced()));
        injection
    }

    /// The failed and the recorded calls so far, one per line, which begins with the thread's
    /// number.
    pub(crate) fn calls(&self) -> Vec<String> {
        let text = read(&self.folder.join("calls"));
        // The last line can be incomplete.
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
        // If strace detaches while it makes a call fail, the call returns ENOSYS, which a kernel
        // never returns for that call. So strace is ended between calls.
        let mut before = None;
        wait_until("a pause between calls", || {
            let now = fs::metadata(self.folder.join("calls")).map_or(0, |calls| calls.len());
            before.replace(now) == Some(now)
        });
        // strace detaches from the processes before it ends.
        Process(self.strace.id()).signal(Signal::TERM);
        let _ = self.strace.wait();
    }
}
