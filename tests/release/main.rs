//! The files of a release: `dist/release` makes them of this program, or `dist/try-release` names
//! those that it made of the optimised one.

#[path = "../support/mod.rs"]
mod support;

#[path = "../systemd_units/machine.rs"]
mod machine;

mod chroot;
mod debian;
mod document;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use machine::Machine;
use support::program::{PROGRAM, command};
use support::{TempDir, package};

/// The folder with the files.
fn files() -> &'static Path {
    static TRIED: OnceLock<Option<PathBuf>> = OnceLock::new();
    let tried = TRIED.get_or_init(|| std::env::var_os("ZEROHTTPD_RELEASE").map(PathBuf::from));
    tried.as_deref().unwrap_or_else(|| made())
}

/// The folder with the files made of this program. They are made once, and stay in `target/`.
fn made() -> &'static Path {
    static FILES: OnceLock<PathBuf> = OnceLock::new();
    FILES.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("release-files");
        make(package(), Path::new(PROGRAM), &folder);
        folder
    })
}

/// Runs the `dist/release` of these sources on a program.
fn make(sources: &Path, program: &Path, folder: &Path) {
    let mut release = command("/bin/bash");
    release.arg(sources.join("dist/release")).arg("--program").arg(program);
    // The sources need not be a repository of git.
    run(release.arg("--out").arg(folder).env("SOURCE_DATE_EPOCH", "1700000000"));
}

/// Runs a command to its end: its output. Panics if it fails.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The file of the release whose name ends in this way.
fn file(end: &str) -> PathBuf {
    let listing = fs::read_dir(files()).expect("the files of a release");
    let mut found = listing.flatten().map(|entry| entry.path());
    let found = found.find(|path| path.to_string_lossy().ends_with(end));
    found.unwrap_or_else(|| panic!("{} has no file *{end}", files().display()))
}

/// Unpacks an archive into a folder, with the owners that it names.
fn unpack(archive: &Path, folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    let mut tar = command("tar");
    tar.args(["--numeric-owner", "-xf"]).arg(archive).arg("-C").arg(folder);
    run(&mut tar);
}

/// Copies the files of the release into the folder of the machine.
fn copy_files(machine: &Machine) {
    for entry in fs::read_dir(files()).expect("the files of a release").flatten() {
        machine.copy(&entry.path(), entry.file_name().to_str().expect("a name"));
    }
}

/// Runs a script in the machine: its output. Panics if it fails.
#[track_caller]
fn shell(machine: &Machine, script: &str) -> String {
    let output = machine.run(&["/bin/bash", "-c", script]);
    output.unwrap_or_else(|error| panic!("{script}: {error}\n{}", machine.errors()))
}

/// A checkout that was made with another umask, in another folder.
const PRIVATE_CHECKOUT: &str = r#"umask 077; mkdir -p "$1/sources"
    tar -C "$0" --exclude=target --exclude=.git -c . |
        tar -C "$1/sources" --no-same-permissions -x"#;

#[test]
fn the_same_program_makes_the_same_files_whatever_its_path_and_the_umask_of_the_checkout() {
    let folder = TempDir::beside_program();
    let mut shell = command("/bin/sh");
    run(shell.args(["-c", PRIVATE_CHECKOUT]).arg(package()).arg(folder.path()));
    let program = folder.join("zerohttpd");
    fs::hard_link(PROGRAM, &program).expect("a link");
    let out = folder.join("again");
    make(&folder.join("sources"), &program, &out);
    let sums =
        [made(), &*out].map(|out| fs::read_to_string(out.join("SHA256SUMS")).expect("checksums"));
    assert_eq!(sums[0], sums[1]);
    assert_eq!(sums[0].lines().count(), 3, "{}", sums[0]);
}

#[test]
fn the_checksums_are_those_of_the_files() {
    run(command("sha256sum").args(["--strict", "-c", "SHA256SUMS"]).current_dir(files()));
}
