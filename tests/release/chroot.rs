//! The tarball's program, and the container image, in a folder that has `/proc` and nothing else of
//! this machine.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::support::program::command;
use crate::support::{Server, TempDir, skip, wait_until};
use crate::{file, run, unpack};

/// A new root folder; none if `/proc` can't be mounted there, which is said.
fn new_root() -> Option<TempDir> {
    let folder = TempDir::new();
    let proc = folder.join("root/proc");
    fs::create_dir_all(&proc).expect("a folder");
    let mut unshare = command("unshare");
    unshare.args(["--mount", "mount", "-t", "proc", "proc"]);
    if !unshare.arg(proc).output().is_ok_and(|output| output.status.success()) {
        skip("no /proc can be mounted in a namespace here");
        return None;
    }
    Some(folder)
}

/// Copies the libraries that a program is linked with: none if it is that of a release, but the one
/// that the tests use has some.
fn add_libraries(root: &Path, program: &str) {
    let listed = run(command("ldd").arg(root.join(program)));
    for library in listed.split_whitespace().filter(|word| word.starts_with('/')) {
        let to = root.join(&library[1..]);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(library, to).expect("a library");
    }
}

/// Starts a server whose root folder is `root`, where it sees `/proc`. The words are arguments of
/// chroot(8), followed by those that [`Server`] adds, unless `is_whole`.
fn start(root: &Path, words: &str, is_whole: bool) -> Server {
    let rest = if is_whole { "" } else { r#""$@""# };
    let root = root.display();
    let script = format!(
        r#"export ROOT={root}; exec unshare --mount /bin/sh -c 'mount -t proc proc "$ROOT/proc" &&
            exec chroot "$@"' sh {words} {rest}"#
    );
    let extra = ["--root", "/site", "--templates", "/templates"];
    Server::start_in_shell(&script, Stdio::null(), ("epoll", "embedded:/guestbook.db", &extra))
}

fn serves_page_and_guestbook(server: &Server, page: &str) {
    let answer = server.client().get("/");
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(answer.status == 200 && text.contains(page), "{text}");
    assert_eq!(server.client().sign("Ann", "from a small room").status, 303);
    let guestbook = server.client().get("/guestbook").body;
    assert!(String::from_utf8_lossy(&guestbook).contains("from a small room"));
}

#[test]
fn the_program_of_the_tarball_serves_where_there_is_only_proc() {
    let Some(folder) = new_root() else { return };
    let root = folder.join("root");
    unpack(&file("-x86_64-linux.tar.gz"), &folder.join("tarball"));
    let unpacked = fs::read_dir(folder.join("tarball")).expect("a folder").flatten().next();
    let unpacked = unpacked.expect("a folder in the tarball").path();
    fs::copy(unpacked.join("zerohttpd"), root.join("zerohttpd")).expect("the program");
    for folder in ["site", "templates"] {
        fs::create_dir(root.join(folder)).expect("a folder");
    }
    fs::copy(unpacked.join("examples/page/site/index.html"), root.join("site/index.html"))
        .expect("the page of an example");
    add_libraries(&root, "zerohttpd");
    let mut server = start(&root, r#""$ROOT" /zerohttpd"#, false);
    serves_page_and_guestbook(&server, "The reading circle");
    // The new program starts where the old one did.
    server.supervisor().signal(rustix::process::Signal::USR2);
    serves_page_and_guestbook(&server, "The reading circle");
    assert!(server.stop().success(), "{}", server.errors());
}

#[test]
fn the_image_serves_as_its_configuration_says() {
    let Some(folder) = new_root() else { return };
    let (image, root) = (folder.join("image"), folder.join("root"));
    unpack(&file("-x86_64-image.tar.gz"), &image);
    let json = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(image.join(name)).expect(name)).expect("JSON")
    };
    let manifest = json("manifest.json");
    let image_config = json(manifest[0]["Config"].as_str().expect("a name"));
    let [layer] = manifest[0]["Layers"].as_array().expect("layers").as_slice() else {
        panic!("one layer is expected: {manifest}");
    };
    let layer = image.join(layer.as_str().expect("a name"));
    let sum = run(command("sha256sum").arg(&layer));
    let listed = image_config["rootfs"]["diff_ids"][0].as_str().expect("a checksum");
    assert_eq!(Some(listed), sum.split(' ').next().map(|sum| format!("sha256:{sum}")).as_deref());
    unpack(&layer, &root);
    add_libraries(&root, "usr/bin/zerohttpd");
    let config = &image_config["config"];
    let words = ["Entrypoint", "Cmd"].map(|name| config[name].as_array().expect("words").clone());
    let words: Vec<_> = words.iter().flatten().map(|word| word.as_str().expect("text")).collect();
    // The test's port is one that the kernel chooses.
    let words = words.join(" ").replace(" 8000 ", " 0 --bind 127.0.0.1 ");
    let user = config["User"].as_str().expect("a user");
    let mut server = start(&root, &format!(r#"--userspec={user} "$ROOT" {words}"#), true);
    serves_page_and_guestbook(&server, "ZeroHTTPd");
    wait_until("a line of the access log", || server.output().contains("\"GET / HTTP/1.1\" 200 "));
    assert!(server.stop().success(), "{}", server.errors());
}
