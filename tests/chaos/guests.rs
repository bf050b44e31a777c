//! Guests who keep coming, whatever happens to the server, and write down what they were told.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::nuisances::IN_PASSING;
use crate::support::client::{is_last, last_request, request, show, signature, visitor};
use crate::support::script::{Answer, read_answer};
use crate::support::{Client, wait_for, wait_until};

/// Requests that a reader of files makes on one connection, if it lasts.
const KEPT: usize = 5;

/// What guests were told.
pub(crate) struct Guests {
    address: SocketAddr,
    /// Remarks that were acknowledged.
    remarks: Mutex<Vec<String>>,
    /// Remarks that were sent: those that broke off may be kept or not.
    sent: Mutex<HashSet<String>>,
    numbers: Mutex<Vec<u64>>,
    files: AtomicUsize,
    refused: AtomicUsize,
    broken: AtomicUsize,
    wrong: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// Has guests come while something is done.
pub(crate) fn with_guests(address: SocketAddr, meanwhile: impl FnOnce(&Guests)) -> Guests {
    let guests = Guests {
        address,
        remarks: Mutex::default(),
        sent: Mutex::default(),
        numbers: Mutex::default(),
        files: AtomicUsize::new(0),
        refused: AtomicUsize::new(0),
        broken: AtomicUsize::new(0),
        wrong: Mutex::default(),
        stop: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        let guests = &guests;
        scope.spawn(|| guests.repeat(|_| guests.read_files()));
        scope.spawn(|| guests.repeat(|_| guests.visit()));
        for name in ["Ada", "Bob"] {
            scope.spawn(move || guests.repeat(|count| guests.sign(name, count)));
        }
        // They would go on for ever if this failed.
        let _stop = StopOnDrop(&guests.stop);
        meanwhile(guests);
    });
    assert_eq!(*list(&guests.wrong), [""; 0], "what no client may be told");
    guests
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn list<T>(list: &Mutex<T>) -> MutexGuard<'_, T> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guests {
    fn repeat(&self, mut once: impl FnMut(usize)) {
        (0..).take_while(|_| !self.stop.load(Relaxed)).for_each(&mut once);
    }

    /// Connects, as soon as somebody listens; nothing once it is over.
    fn connect(&self) -> Option<Client> {
        wait_for("a server that listens", || match Client::try_connect(self.address) {
            Ok(client) => Some(Some(client)),
            Err(_) if self.stop.load(Relaxed) => Some(None),
            Err(_) => None,
        })
    }

    /// The answer to a request, if the connection lasts. One on which nothing comes at all, not
    /// even its end, is wrong whatever was killed.
    fn ask(&self, client: &mut Client, request: &str) -> Option<Answer> {
        client.send(request);
        loop {
            match read_answer(&client.input, false) {
                Ok(Some((answer, used))) => {
                    client.input.drain(..used);
                    return Some(answer);
                }
                Ok(None) => {}
                Err(why) => {
                    self.complain(format!("{why}: {}", show(&client.input)));
                    return None;
                }
            }
            match client.read_some(64 * 1024) {
                Ok(1..) => continue,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.complain(format!("no answer, and no end, after {}", show(&client.input)));
                }
                Ok(0) | Err(_) => {}
            }
            self.broken.fetch_add(1, Relaxed);
            return None;
        }
    }

    fn complain(&self, what: String) {
        list(&self.wrong).push(what);
    }

    fn read_files(&self) {
        let Some(mut client) = self.connect() else { return };
        for _ in 0..KEPT {
            let asked = request("GET", "/hello.txt");
            let Some(answer) = self.ask(&mut client, &asked) else { return };
            match answer.status {
                200 if answer.body == b"hello\n" => drop(self.files.fetch_add(1, Relaxed)),
                _ => return self.complain(format!("a file: {answer:?}")),
            }
            if is_last(&answer) {
                return;
            }
        }
    }

    fn visit(&self) {
        let Some(mut client) = self.connect() else { return };
        if let Some(answer) = self.ask(&mut client, &last_request("/guestbook")) {
            match answer.status {
                200 => list(&self.numbers).extend(visitor(&answer)),
                _ => self.refusal(&answer),
            }
        }
    }

    fn sign(&self, name: &str, count: usize) {
        let Some(mut client) = self.connect() else { return };
        let (remark, kept) = (format!("r{count}"), format!("r{count} - {name}"));
        list(&self.sent).insert(kept.clone());
        if let Some(answer) = self.ask(&mut client, &signature(name, &remark)) {
            match answer.status {
                303 => list(&self.remarks).push(kept),
                _ => self.refusal(&answer),
            }
        }
    }

    /// The guestbook may say 503, and when to come again; nothing else.
    fn refusal(&self, answer: &Answer) {
        let retry = answer.field("Retry-After").is_ok_and(|field| field.is_some());
        if answer.status == 503 && retry {
            self.refused.fetch_add(1, Relaxed);
        } else {
            self.complain(format!("{} {}", answer.status, show(&answer.body)));
        }
    }

    /// Waits until so many more files were read, whatever becomes of the guestbook.
    #[track_caller]
    pub(crate) fn await_files(&self, more: usize) {
        let enough = self.files.load(Relaxed) + more;
        wait_until("files that are served", || {
            self.assert_all_is_well();
            self.files.load(Relaxed) >= enough
        });
    }

    /// Waits until every kind of guest was served a few more times.
    #[track_caller]
    pub(crate) fn await_progress(&self) {
        let served =
            || [list(&self.numbers).len(), list(&self.remarks).len(), self.files.load(Relaxed)];
        let before = served();
        wait_until("visits, remarks and files that are served", || {
            self.assert_all_is_well();
            served().iter().zip(before).all(|(now, before)| *now >= before + 3)
        });
    }

    #[track_caller]
    fn assert_all_is_well(&self) {
        assert_eq!(*list(&self.wrong), [""; 0], "what no client may be told");
    }

    /// Each acknowledged remark is kept once, no other one twice, and none that nobody has sent; no
    /// number was given to two visitors.
    #[track_caller]
    pub(crate) fn check(&self, store: &[String]) {
        let ours: Vec<_> = store.iter().filter(|remark| *remark != IN_PASSING).collect();
        let kept: HashSet<_> = ours.iter().copied().collect();
        assert_eq!(kept.len(), ours.len(), "a remark is kept twice");
        let (remarks, sent) = (list(&self.remarks), list(&self.sent));
        let lost: Vec<_> = remarks.iter().filter(|remark| !kept.contains(remark)).collect();
        assert!(lost.is_empty(), "{} were acknowledged and lost, such as {}", lost.len(), lost[0]);
        let unsent: Vec<_> = kept.iter().filter(|remark| !sent.contains(**remark)).collect();
        assert!(unsent.is_empty(), "kept, and never sent: {unsent:?}");
        let numbers = list(&self.numbers);
        let distinct: HashSet<_> = numbers.iter().collect();
        assert_eq!(distinct.len(), numbers.len(), "a number was given twice");
    }

    /// What was told, in a line.
    pub(crate) fn account(&self) -> String {
        format!(
            "{} remarks, {} visits, {} files, {} told to come again, {} broken off",
            list(&self.remarks).len(),
            list(&self.numbers).len(),
            self.files.load(Relaxed),
            self.refused.load(Relaxed),
            self.broken.load(Relaxed)
        )
    }
}
