//! Programs that read listings. They request only one page, and have to see every name on it.

use std::fs;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

use crate::run;
use crate::support::{Server, Store, TempDir, architectures, for_each_architecture};

const FILES: usize = 20_000;

fn name(number: usize) -> String {
    format!("demo-1.0.{number}-py3-none-any.whl")
}

#[test]
fn rclone_lftp_and_pip_see_all_of_twenty_thousand_names() {
    let root = TempDir::new();
    root.write(".wheel", "");
    for number in 0..FILES {
        fs::hard_link(root.join(".wheel"), root.join(&name(number))).expect("a link");
    }
    let mut expected: Vec<_> = (0..FILES).map(name).collect();
    expected.sort_unstable();
    for_each_architecture(|arch| {
        let store = Store::embedded();
        let folder = root.path().display().to_string();
        let server = Server::start(arch, &store.url(), &["--listing", "--root", &folder]);
        let url = format!("http://127.0.0.1:{}/", server.port);
        // The programs take long, so each architecture is tested with one of them.
        let index = architectures().iter().position(|name| name == arch).expect("its index");
        let seen = match index % 3 {
            0 => {
                let words = ["lsf", "--http-url", &url, "--http-no-head", "--config", "", ":http:"];
                lines(&run("rclone", "rclone", words))
            }
            1 => lines(&run("lftp", "lftp", ["-c", &format!("open {url}; cls -1")])),
            _ => match versions_that_pip_finds(&url) {
                Some(versions) => versions,
                None => return println!("skipped: pip is not installed"),
            },
        };
        assert_eq!(seen.len(), expected.len(), "{:?}", seen.first());
        assert!(seen == expected, "{:?}", seen.first());
    });
}

/// The lines of an output, sorted, without that of the parent folder, which lftp lists.
fn lines(text: &str) -> Vec<String> {
    let names = text.lines().filter(|line| !line.starts_with(".."));
    let mut lines: Vec<_> = names.map(str::to_string).collect();
    lines.sort_unstable();
    lines
}

/// The names of the files of all versions; pip lists the versions in its error for a missing one.
/// None if pip is not installed.
fn versions_that_pip_finds(url: &str) -> Option<Vec<String>> {
    let mut pip = Command::new("pip");
    pip.args(["download", "--no-index", "--no-deps", "--disable-pip-version-check", "-f", url]);
    pip.args(["--no-input", "demo==2.0"]).stdin(Stdio::null());
    let output = match pip.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        output => output.expect("pip"),
    };
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, versions) = stderr.split_once("(from versions: ").expect("versions");
    let (versions, _) = versions.split_once(')').expect("an end of the versions");
    let numbers = versions.split(", ").filter_map(|version| version.strip_prefix("1.0."));
    let mut names: Vec<_> = numbers.map(|number| name(number.parse().expect("a number"))).collect();
    names.sort_unstable();
    Some(names)
}
