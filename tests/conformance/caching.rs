//! The memory that the processes of a server use for cached files.

use crate::support::cases::test;
use crate::support::{Server, Store, TempDir, for_each};

const MIB: u64 = 1024 * 1024;

/// 18 MB in all: more than any of these processes can cache.
const FILES: usize = 300;
const FILE_BYTES: usize = 60_000;

/// How much the process that serves the client can grow by beside its cache.
const GROWTH: u64 = 2 * MIB;

test!(Once, a_process_caches_at_most_its_share_of_a_site);
fn a_process_caches_at_most_its_share_of_a_site() {
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
            // One process serves the client; the others do nothing.
            let processes = server.processes();
            let memory = || processes.iter().map(|process| process.memory()).sum::<u64>();
            let before = memory();
            for number in 0..FILES {
                let answer = client.get(&format!("/{number}.bin"));
                assert_eq!((answer.status, answer.body.len()), (200, FILE_BYTES));
            }
            let after = memory();
            assert!(before > 0 && after > 0, "the processes' memory can be read");
            assert!(after < before + share + GROWTH, "{before} bytes before, {after} after");
        },
    );
}
