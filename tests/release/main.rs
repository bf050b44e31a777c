//! The files of a release: `dist/release` makes them of this program, or `dist/try-release` names
//! those that it made of the optimised one.

#[path = "../support/mod.rs"]
mod support;

#[path = "../systemd_units/machine.rs"]
mod machine;

mod chroot;
mod debian;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

use support::program::{PROGRAM, command};
use support::{TempDir, package};

/// The folder with the files. It is made once, and stays in `target/`.
fn files() -> &'static Path {
    static FILES: OnceLock<PathBuf> = OnceLock::new();
    FILES.get_or_init(|| match std::env::var_os("ZEROHTTPD_RELEASE") {
        Some(folder) => folder.into(),
        None => {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("release-files");
            make(Path::new(PROGRAM), &folder, "022");
            folder
        }
    })
}

/// Runs `dist/release` on a program.
fn make(program: &Path, folder: &Path, umask: &str) {
    let mut shell = command("/bin/sh");
    shell.args(["-c", r#"umask "$1"; exec "$0" --program "$2" --out "$3""#]);
    shell.arg(package().join("dist/release")).arg(umask).arg(program).arg(folder);
    run(&mut shell);
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

#[test]
fn the_same_program_makes_the_same_files_whatever_its_path_and_the_umask() {
    let folder = TempDir::beside_program();
    let programs = ["a", "b"].map(|name| folder.join(name).join("zerohttpd"));
    for program in &programs {
        fs::create_dir(program.parent().expect("a folder")).expect("a folder");
        fs::hard_link(PROGRAM, program).expect("a link");
    }
    let outs = ["first", "second"].map(|name| folder.join(name));
    thread::scope(|scope| {
        for ((program, out), umask) in programs.iter().zip(&outs).zip(["022", "077"]) {
            scope.spawn(move || make(program, out, umask));
        }
    });
    let sums = outs.map(|out| fs::read_to_string(out.join("SHA256SUMS")).expect("checksums"));
    assert_eq!(sums[0], sums[1]);
    assert_eq!(sums[0].lines().count(), 3, "{}", sums[0]);
}

#[test]
fn the_checksums_are_those_of_the_files() {
    run(command("sha256sum").args(["--strict", "-c", "SHA256SUMS"]).current_dir(files()));
}
