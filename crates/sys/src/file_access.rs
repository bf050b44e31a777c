//! Checks whether a file could be opened or created, without doing so.
//!
//! The checks do not show whether the disk has room, nor whether a remote file system refuses.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;

/// The maximum number of links that the kernel follows on the way to a file (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// The types (statfs(2)) of proc, sysfs, cgroup and cgroup2. No file can be created there, whatever
/// the mode of the folder.
const KERNEL_FILE_SYSTEMS: [u64; 4] = [0x9fa0, 0x6265_6572, 0x0027_e0eb, 0x6367_7270];

/// Checks whether the effective user has these rights to a file (faccessat(2)).
///
/// # Errors
///
/// The user lacks one of the rights, or the file does not exist.
pub fn check(path: &Path, access: Access) -> io::Result<()> {
    Ok(rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS)?)
}

/// Checks whether files could be created in a folder.
///
/// # Errors
///
/// `folder` is not a folder, or this process has no right to create files in it.
pub fn check_can_create_in(folder: &Path) -> io::Result<()> {
    if !std::fs::metadata(folder)?.is_dir() {
        return Err(Errno::NOTDIR.into());
    }
    if KERNEL_FILE_SYSTEMS.contains(&(rustix::fs::statfs(folder)?.f_type as u64)) {
        return Err(Errno::ACCESS.into());
    }
    check(folder, Access::WRITE_OK | Access::EXEC_OK)
}

/// Checks whether open(2) could create a file that does not exist. Symbolic links are followed.
///
/// # Errors
///
/// Those of [`check_can_create_in`]; or `file` names a folder.
pub fn check_can_create(file: &Path) -> io::Result<()> {
    let file = resolve_links(file);
    if file.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
        return Err(io::Error::from_raw_os_error(libc::ELOOP));
    }
    let name = file.as_os_str().as_bytes();
    let (folder, name) = match name.iter().rposition(|byte| *byte == b'/') {
        None => (&b"."[..], name),
        Some(0) => (&b"/"[..], &name[1..]),
        Some(at) => (&name[..at], &name[at + 1..]),
    };
    match name {
        b"" | b"." | b".." => Err(Errno::ISDIR.into()),
        _ => check_can_create_in(Path::new(OsStr::from_bytes(folder))),
    }
}

/// Checks that a folder exists or could be created, with missing folders above it. Returns whether
/// it exists.
///
/// # Errors
///
/// A file of another kind has its name, or this process has no right to create it.
pub fn check_folder(folder: &Path) -> io::Result<bool> {
    for ancestor in folder.ancestors() {
        match std::fs::metadata(ancestor) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if ancestor.symlink_metadata().is_ok() {
                    return Err(Errno::EXIST.into());
                }
            }
            Err(error) => return Err(error),
            Ok(found) if !found.is_dir() => return Err(Errno::NOTDIR.into()),
            Ok(_) if ancestor == folder => return Ok(true),
            Ok(_) => return check_can_create_in(ancestor).map(|()| false),
        }
    }
    Err(Errno::NOENT.into())
}

/// The path to which a chain of links leads. The file there need not exist.
pub fn resolve_links(file: &Path) -> PathBuf {
    let mut file = file.to_path_buf();
    for _ in 0..MAX_LINKS {
        let Ok(target) = std::fs::read_link(&file) else { break };
        file = file.parent().map_or(target.clone(), |folder| folder.join(&target));
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_can_be_created_where_the_check_allows_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "").unwrap();
        symlink("made", path("to-made")).unwrap();
        symlink("to-made", path("to-link")).unwrap();
        symlink("/nowhere/at/all", path("to-nowhere")).unwrap();
        symlink("loop", path("loop")).unwrap();
        for name in ["new", "to-made", "to-link", "to-nowhere", "loop", "no/new", "file/new"] {
            let expected = check_can_create(&path(name)).is_ok();
            let made = fs::File::create_new(resolve_links(&path(name))).map(drop).is_ok();
            assert_eq!(made, expected, "{name}");
            let _ = fs::remove_file(path("made"));
        }
        for (name, expected) in
            [(".", Some(true)), ("a/b", Some(false)), ("file/a", None), ("to-nowhere/a", None)]
        {
            assert_eq!(check_folder(&path(name)).ok(), expected, "{name}");
        }
        assert!(check_can_create(Path::new("/proc/new")).is_err());
        assert!(check_can_create(&path("new/")).is_err());
    }
}
