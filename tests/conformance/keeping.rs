//! What is kept of a site in memory, by all processes of a server together.

use crate::support::{Server, Store, TempDir, for_each};

const MIB: u64 = 1024 * 1024;

/// 18 MB in all: more than the share of any of these processes.
const FILES: usize = 300;
const FILE_BYTES: usize = 60_000;

/// Beside files, a process grows by what it needs for a request.
const REST: u64 = 2 * MIB;

#[test]
fn many_processes_keep_as_much_of_a_site_as_one() {
    let (root, store) = (TempDir::new(), Store::embedded());
    for number in 0..FILES {
        root.write(&format!("{number}.bin"), vec![b'x'; FILE_BYTES]);
    }
    let folder = root.path().display().to_string();
    let shares = [
        ("forking", &[][..], MIB / 4),
        ("preforked", &["--workers", "64"], MIB),
        ("epoll", &["--workers", "16"], 4 * MIB),
        ("poll", &["--workers", "16"], 4 * MIB),
    ];
    for_each(
        &shares,
        |(arch, ..)| arch.to_string(),
        |(arch, workers, share)| {
            let words = [&["--root", &folder], *workers].concat();
            let server = Server::start(arch, &store.url(), &words);
            let mut client = server.client();
            assert_eq!(client.get("/missing").status, 404);
            // One of them has the client; the others do nothing.
            let processes = server.processes();
            let memory = || processes.iter().map(|process| process.memory()).sum::<u64>();
            let before = memory();
            for number in 0..FILES {
                let answer = client.get(&format!("/{number}.bin"));
                assert_eq!((answer.status, answer.body.len()), (200, FILE_BYTES));
            }
            let after = memory();
            assert!(before > 0 && after > 0, "it is there, and says what it holds");
            assert!(after < before + share + REST, "{before} bytes before, {after} after");
        },
    );
}
