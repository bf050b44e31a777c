//! Root's rights, which nothing needs once the sockets are bound.

use std::ffi::CString;

use nix::unistd::{Gid, Group, User, getegid, geteuid, initgroups, setresgid, setresuid};

use crate::cli::Options;

/// Becomes the user that was asked for, if one was: for good, and for all children.
///
/// # Errors
///
/// There is no such user, or only root may do that.
pub fn reduce(options: &Options) -> Result<(), String> {
    let Some(asked) = &options.user else { return Ok(()) };
    let (name, group) = asked.split_once(':').map_or((&**asked, None), |(n, g)| (n, Some(g)));
    let nobody = || format!("there is no user {name:?}; see `getent passwd`");
    let user = User::from_name(name).ok().flatten().ok_or_else(nobody)?;
    let gid = group.map_or(Ok(user.gid), group_named)?;
    // Whoever is that user already has the groups that it wants, unless another one is asked for.
    if geteuid() == user.uid && (group.is_none() || getegid() == gid) {
        return Ok(());
    }
    if !geteuid().is_root() {
        return Err(format!("only root can become {asked}; leave --user out"));
    }
    let become_user = || -> nix::Result<()> {
        // The last step takes away the right to take any other.
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

/// Whether this process may do everything.
pub fn is_root() -> bool {
    geteuid().is_root()
}
