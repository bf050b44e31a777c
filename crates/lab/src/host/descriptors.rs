//! The limit of descriptors for the laboratory's processes.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit as far as possible, for this process and its children. Each client needs a
/// descriptor, and the limit of a shell is meant for programs that use few.
pub fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If this fails, and descriptors run out, the verdict says so.
    let _ = setrlimit(Resource::Nofile, limit);
}
