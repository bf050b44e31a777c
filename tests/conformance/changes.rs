//! Files that change, come and go while they are served.

use std::fs;

use crate::support::{Server, Store, TempDir, for_each_architecture, wait_until};

#[test]
fn changed_and_added_files_show_and_vanished_ones_are_gone() {
    for_each_architecture(|arch| {
        let (root, store) = (TempDir::new(), Store::embedded());
        root.write("page.txt", "one\n");
        root.write("index.html", "home\n");
        let folder = root.path().display().to_string();
        let server = Server::start(arch, &store.url(), &["--root", &folder]);
        let body = |target: &str| {
            let answer = server.client().get(target);
            (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
        };
        let shows = |target: &str, text: &str| body(target) == (200, text.to_string());
        assert!(shows("/page.txt", "one\n"));
        // Of the same length, so that its time alone tells.
        root.write("page.txt", "two\n");
        wait_until("a changed file that shows", || shows("/page.txt", "two\n"));
        root.write("new.txt", "three\n");
        fs::rename(root.join("new.txt"), root.join("page.txt")).expect("a file is replaced");
        wait_until("a replaced file that shows", || shows("/page.txt", "three\n"));
        assert_eq!(body("/added.txt").0, 404);
        root.write("added.txt", "four\n");
        wait_until("an added file that shows", || shows("/added.txt", "four\n"));
        // From kept in memory to sent from the disk, and back.
        root.write("page.txt", "x".repeat(200_000));
        wait_until("a file that has grown", || shows("/page.txt", &"x".repeat(200_000)));
        root.write("page.txt", "five\n");
        wait_until("a file that has shrunk", || shows("/page.txt", "five\n"));
        fs::remove_file(root.join("page.txt")).expect("a file is removed");
        wait_until("a vanished file that is not found", || body("/page.txt").0 == 404);
        fs::remove_file(root.join("index.html")).expect("a file is removed");
        wait_until("a vanished index that is not found", || body("/").0 == 404);
    });
}
