//! Gives up root's rights, which no process needs once the sockets are bound.

use std::ffi::CString;

use nix::unistd::{Gid, Group, User, getegid, geteuid, initgroups, setresgid, setresuid};

use crate::options::Options;

/// Switches to the user of `--user`, irrevocably and for all children.
///
/// # Errors
///
/// The user does not exist, or this process is not root.
pub fn switch_user(options: &Options) -> Result<(), String> {
    let Some(requested) = &options.user else { return Ok(()) };
    let (name, group) =
        requested.split_once(':').map_or((&**requested, None), |(n, g)| (n, Some(g)));
    let unknown = || format!("there is no user {name:?}; see `getent passwd`");
    let user = User::from_name(name).ok().flatten().ok_or_else(unknown)?;
    let gid = group.map_or(Ok(user.gid), group_named)?;
    // A process that already runs as that user keeps its groups, unless the option names a group.
    if geteuid() == user.uid && (group.is_none() || getegid() == gid) {
        return Ok(());
    }
    if !geteuid().is_root() {
        return Err(format!("only root can become {requested}; leave --user out"));
    }
    let become_user = || -> nix::Result<()> {
        // `setresuid` comes last, because it takes away the right to make the other two calls.
        initgroups(&CString::new(name).map_err(|_| nix::Error::EINVAL)?, gid)?;
        setresgid(gid, gid, gid)?;
        setresuid(user.uid, user.uid, user.uid)
    };
    become_user().map_err(|error| format!("can't become {name}: {error}"))
}

fn group_named(name: &str) -> Result<Gid, String> {
    let found = Group::from_name(name).ok().flatten();
    found.map(|group| group.gid).ok_or(format!("there is no group {name:?}; see `getent group`"))
}

/// Whether this process has root's rights.
pub fn is_root() -> bool {
    geteuid().is_root()
}
