//! The program's file, by the name with which it was started. An upgrade executes the file that has
//! this name at the time of the upgrade.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// How this program was started.
pub struct Program {
    name: ProgramName,
    /// The arguments, including the name of the program.
    pub arguments: Vec<CString>,
}

/// The name of a program's file.
enum ProgramName {
    /// A path. Its links are followed anew for each upgrade, because deployments switch releases by
    /// changing a link.
    Path(PathBuf),
    /// A name to search for on the PATH (execvp(3)).
    OnPath(OsString),
}

/// A file that can be executed. Its identity distinguishes it from a later file of the same name.
#[derive(PartialEq, Eq)]
pub struct Executable {
    /// The path as named, with links not followed.
    pub path: PathBuf,
    /// Device, inode, and the time of change in seconds and nanoseconds.
    identity: (u64, u64, i64, i64),
}

impl Program {
    /// This program, as it was started.
    ///
    /// # Errors
    ///
    /// /proc is not mounted.
    pub fn current() -> io::Result<Program> {
        let arguments = std::env::args_os()
            .map(|argument| Ok(CString::new(argument.into_vec())?))
            .collect::<io::Result<Vec<_>>>()?;
        let argv_0 = arguments.first().map_or(&b""[..], |name| name.to_bytes());
        Ok(Program { name: find_name(OsStr::from_bytes(argv_0))?, arguments })
    }

    /// The file that has this name now.
    ///
    /// # Errors
    ///
    /// Those of stat(2), above all that the file does not exist.
    pub fn file(&self) -> io::Result<Executable> {
        match &self.name {
            ProgramName::Path(path) => Executable::at(path.clone()),
            ProgramName::OnPath(name) => search_path(name).ok_or_else(|| {
                let message = format!("{} is not on the PATH", Path::new(name).display());
                io::Error::new(io::ErrorKind::NotFound, message)
            }),
        }
    }
}

impl Executable {
    fn at(path: PathBuf) -> io::Result<Executable> {
        let found = std::fs::metadata(&path)?;
        let identity = (found.dev(), found.ino(), found.ctime(), found.ctime_nsec());
        Ok(Executable { path, identity })
    }

    fn is_same_file(&self, other: &Executable) -> bool {
        self.identity == other.identity
    }

    /// Its path, and the file that the path leads to if there are links in it.
    pub fn describe(&self) -> String {
        match self.path.canonicalize() {
            Ok(real) if real != self.path => {
                format!("{} ({})", self.path.display(), real.display())
            }
            _ => self.path.display().to_string(),
        }
    }
}

/// The name by which this process was executed. It is `argv_0` if a shell searched the PATH for
/// that. Otherwise it is the path that was passed to execve(2) (`AT_EXECFN` in getauxval(3)). A
/// caller can pass anything as either. If neither leads to the running file, the name is that
/// file's present path.
fn find_name(argv_0: &OsStr) -> io::Result<ProgramName> {
    let running = Executable::at("/proc/self/exe".into())?;
    let is_running = |file: &Executable| file.is_same_file(&running);
    if !argv_0.as_bytes().contains(&b'/') && search_path(argv_0).as_ref().is_some_and(is_running) {
        return Ok(ProgramName::OnPath(argv_0.to_owned()));
    }
    let executed = Path::new(OsStr::from_bytes(rustix::param::linux_execfn().to_bytes()));
    let executed = current_folder()?.join(executed);
    // fexecve(3) names the file by the number of a descriptor, which can be another file later.
    let is_lasting = !executed.starts_with("/proc") && !executed.starts_with("/dev/fd");
    if is_lasting && Executable::at(executed.clone()).as_ref().is_ok_and(is_running) {
        return Ok(ProgramName::Path(executed));
    }
    let file = std::env::current_exe()?.into_os_string().into_vec();
    // The kernel appends " (deleted)" when another file has replaced the running one
    // (proc_pid_exe(5)).
    let file = file.strip_suffix(b" (deleted)").unwrap_or(&file);
    Ok(ProgramName::Path(PathBuf::from(OsStr::from_bytes(file))))
}

/// The current folder as the shell names it in `PWD`, including links (`pwd -L`).
fn current_folder() -> io::Result<PathBuf> {
    let folder = |path: &Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino()));
    match std::env::var_os("PWD").map(PathBuf::from) {
        Some(named)
            if named.is_absolute() && folder(&named).ok() == folder(Path::new(".")).ok() =>
        {
            Ok(named)
        }
        _ => std::env::current_dir(),
    }
}

/// The first executable file with this name on the PATH.
fn search_path(name: &OsStr) -> Option<Executable> {
    if name.is_empty() {
        return None;
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let current = current_folder().ok()?;
    std::env::split_paths(&path).map(|folder| current.join(folder).join(name)).find_map(|path| {
        let found = std::fs::metadata(&path).ok()?;
        let can_be_executed = found.is_file() && found.permissions().mode() & 0o111 != 0;
        can_be_executed.then(|| Executable::at(path).ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_name_on_the_path() {
        let shell = search_path(OsStr::new("sh")).expect("a shell");
        assert!(shell.path.ends_with("sh") && shell.path.is_absolute());
        assert!(search_path(OsStr::new("no program of that name")).is_none());
        assert!(search_path(OsStr::new("")).is_none());
    }

    #[test]
    fn the_running_file_is_found_whatever_argv_0_is() {
        let running = Executable::at("/proc/self/exe".into()).unwrap();
        for argv_0 in ["", "sh", "/no/such/file", "-login"] {
            let name = find_name(OsStr::new(argv_0)).unwrap();
            let program = Program { name, arguments: vec![] };
            assert!(program.file().unwrap().is_same_file(&running), "{argv_0}");
        }
    }
}
