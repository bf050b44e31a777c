//! Filters of system calls (seccomp(2)), as systemd and containers install them.

use std::collections::BTreeMap;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

/// How a server opens files, in the words of its banner.
pub(super) const BY_OPENAT2: &str = "(files are opened by openat2)";
pub(super) const BY_COMPONENTS: &str =
    "(files are opened component by component, as openat2 is not available)";

/// Makes openat2(2) fail with this error in this thread, and in the processes that it starts.
pub(crate) fn deny_openat2(errno: i32) {
    let rules = BTreeMap::from([(libc::SYS_openat2, Vec::new())]);
    let action = SeccompAction::Errno(errno as u32);
    let machine = std::env::consts::ARCH.try_into().expect("an instruction set with filters");
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, action, machine).expect("a filter");
    let program: BpfProgram = filter.try_into().expect("a program");
    apply_filter(&program).expect("a kernel that has filters");
}
