//! Guests: clients that send requests during the faults, and record the answers.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::misbehaving;
use crate::support::client::{is_last, last_request, request, show, signature, visitor};
use crate::support::script::{Answer, read_answer};
use crate::support::{Client, wait_for, wait_until};

/// Requests for a file on one connection.
const FILES_PER_CONNECTION: usize = 5;

/// The answers that guests got.
pub(crate) struct Guests {
    address: SocketAddr,
    /// Remarks that were acknowledged.
    remarks: Mutex<Vec<String>>,
    /// Remarks that were sent. The store can have those whose connection broke, or not.
    sent: Mutex<HashSet<String>>,
    /// The visitors' numbers.
    numbers: Mutex<Vec<u64>>,
    /// How many files were served.
    files: AtomicUsize,
    /// How many requests were answered with 503.
    refused: AtomicUsize,
    /// How many connections ended without an answer.
    broken: AtomicUsize,
    /// Answers that no client must get.
    wrong: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// Runs guests in threads while `meanwhile` runs; panics if one got a wrong answer.
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
        // The guests stop even if this panics.
        let _stop = StopOnDrop(&guests.stop);
        meanwhile(guests);
    });
    guests.assert_no_wrong_answer();
    guests
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guests {
    fn repeat(&self, mut once: impl FnMut(usize)) {
        (0..).take_while(|_| !self.stop.load(Relaxed)).for_each(&mut once);
    }

    /// Connects as soon as a server listens; none if the test ends first.
    fn connect(&self) -> Option<Client> {
        wait_for("a server that listens", || match Client::try_connect(self.address) {
            Ok(client) => Some(Some(client)),
            Err(_) if self.stop.load(Relaxed) => Some(None),
            Err(_) => None,
        })
    }

    /// Sends a request: its answer, or none if the connection breaks. A connection on which neither
    /// an answer nor an end comes is wrong, whatever process was killed.
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
                    self.record_wrong(format!("{why}: {}", show(&client.input)));
                    return None;
                }
            }
            match client.read_some(64 * 1024) {
                Ok(1..) => continue,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    let input = show(&client.input);
                    self.record_wrong(format!("neither an answer nor an end, after {input}"));
                }
                Ok(0) | Err(_) => {}
            }
            self.broken.fetch_add(1, Relaxed);
            return None;
        }
    }

    fn record_wrong(&self, what: String) {
        lock(&self.wrong).push(what);
    }

    fn read_files(&self) {
        let Some(mut client) = self.connect() else { return };
        for _ in 0..FILES_PER_CONNECTION {
            let asked = request("GET", "/hello.txt");
            let Some(answer) = self.ask(&mut client, &asked) else { return };
            match answer.status {
                200 if answer.body == b"hello\n" => drop(self.files.fetch_add(1, Relaxed)),
                _ => return self.record_wrong(format!("a file: {answer:?}")),
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
                200 => lock(&self.numbers).extend(visitor(&answer)),
                _ => self.record_refusal(&answer),
            }
        }
    }

    fn sign(&self, name: &str, count: usize) {
        let Some(mut client) = self.connect() else { return };
        let (remark, kept) = (format!("r{count}"), format!("r{count} - {name}"));
        lock(&self.sent).insert(kept.clone());
        if let Some(answer) = self.ask(&mut client, &signature(name, &remark)) {
            match answer.status {
                303 => lock(&self.remarks).push(kept),
                _ => self.record_refusal(&answer),
            }
        }
    }

    /// Counts a 503 with Retry-After, the only answer by which the guestbook can refuse a request.
    fn record_refusal(&self, answer: &Answer) {
        let has_retry = answer.field("Retry-After").is_ok_and(|field| field.is_some());
        if answer.status == 503 && has_retry {
            self.refused.fetch_add(1, Relaxed);
        } else {
            self.record_wrong(format!("{} {}", answer.status, show(&answer.body)));
        }
    }

    /// Waits until `more` files were served; the guestbook need not work meanwhile.
    #[track_caller]
    pub(crate) fn await_files(&self, more: usize) {
        let enough = self.files.load(Relaxed) + more;
        wait_until("files that are served", || {
            self.assert_no_wrong_answer();
            self.files.load(Relaxed) >= enough
        });
    }

    /// Waits until visits, remarks and files were each served three more times.
    #[track_caller]
    pub(crate) fn await_progress(&self) {
        let served =
            || [lock(&self.numbers).len(), lock(&self.remarks).len(), self.files.load(Relaxed)];
        let before = served();
        wait_until("visits, remarks and files that are served", || {
            self.assert_no_wrong_answer();
            served().iter().zip(before).all(|(now, before)| *now >= before + 3)
        });
    }

    #[track_caller]
    fn assert_no_wrong_answer(&self) {
        assert_eq!(*lock(&self.wrong), [""; 0], "answers that no client must get");
    }

    /// Checks that the store holds each acknowledged remark, none twice, and none that was not
    /// sent, and that no two visitors got the same number.
    #[track_caller]
    pub(crate) fn check(&self, store: &[String]) {
        let ours: Vec<_> = store.iter().filter(|remark| *remark != misbehaving::REMARK).collect();
        let kept: HashSet<_> = ours.iter().copied().collect();
        assert_eq!(kept.len(), ours.len(), "a remark is kept twice");
        let (remarks, sent) = (lock(&self.remarks), lock(&self.sent));
        let lost: Vec<_> = remarks.iter().filter(|remark| !kept.contains(remark)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        let unsent: Vec<_> = kept.iter().filter(|remark| !sent.contains(**remark)).collect();
        assert!(unsent.is_empty(), "stored, but never sent: {unsent:?}");
        let numbers = lock(&self.numbers);
        let distinct: HashSet<_> = numbers.iter().collect();
        assert_eq!(distinct.len(), numbers.len(), "a number was given twice");
    }

    /// The numbers of answers of each kind, in a line.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{} remarks, {} visits, {} files, {} refused with 503, {} connections broken",
            lock(&self.remarks).len(),
            lock(&self.numbers).len(),
            self.files.load(Relaxed),
            self.refused.load(Relaxed),
            self.broken.load(Relaxed)
        )
    }
}
