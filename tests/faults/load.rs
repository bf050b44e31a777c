//! Clients that visit, sign and read a file during a fault, and record the answers.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::support::client::{is_last, last_request, show, signature, visitor};
use crate::support::script::Answer;
use crate::support::{Client, Store, wait_until};

/// The answers that the clients got.
pub(crate) struct Load {
    port: u16,
    /// Whether connections can break, as the test kills server processes.
    may_break: bool,
    /// Remarks that were acknowledged.
    remarks: Mutex<Vec<String>>,
    /// The visitors' numbers.
    numbers: Mutex<Vec<u64>>,
    /// How many files were served.
    pub(crate) files: AtomicUsize,
    /// How many requests were answered with 503.
    pub(crate) refused: AtomicUsize,
    /// Answers and errors that no client must get.
    wrong: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// Keeps a load on a server while `during` runs; panics if a client got a wrong answer.
pub(crate) fn under_load(port: u16, may_break: bool, during: impl FnOnce(&Load)) -> Load {
    let load = Load {
        port,
        may_break,
        remarks: Mutex::default(),
        numbers: Mutex::default(),
        files: AtomicUsize::new(0),
        refused: AtomicUsize::new(0),
        wrong: Mutex::default(),
        stop: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        scope.spawn(|| load.repeat(|_| load.read_file()));
        scope.spawn(|| load.repeat(|_| load.visit()));
        for name in ["a", "b"] {
            let load = &load;
            scope.spawn(move || load.repeat(|count| load.sign(name, count)));
        }
        // The clients stop even if `during` panics.
        let _stop = StopOnDrop(&load.stop);
        load.await_progress();
        during(&load);
    });
    assert!(lock(&load.wrong).is_empty(), "{:#?}", lock(&load.wrong));
    load
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    fn repeat(&self, mut once: impl FnMut(usize)) {
        (0..).take_while(|_| !self.stop.load(Relaxed)).for_each(&mut once);
    }

    /// Sends a request on a connection of its own: its answer, or none if the connection breaks.
    fn ask(&self, request: &str) -> Option<Answer> {
        let mut client = Client::connect(self.port);
        client.send(request);
        match client.try_answer(false) {
            Ok(answer) => Some(answer),
            Err(why) => {
                if !self.may_break {
                    lock(&self.wrong).push(why);
                }
                None
            }
        }
    }

    fn read_file(&self) {
        if let Some(answer) = self.ask(&last_request("/hello.txt")) {
            if answer.status == 200 && answer.body == b"hello\n" && is_last(&answer) {
                self.files.fetch_add(1, Relaxed);
            } else {
                lock(&self.wrong).push(format!("a file: {answer:?}"));
            }
        }
    }

    fn visit(&self) {
        if let Some(answer) = self.ask(&last_request("/guestbook")) {
            match answer.status {
                200 => lock(&self.numbers).extend(visitor(&answer)),
                _ => self.record_refusal(&answer),
            }
        }
    }

    fn sign(&self, name: &str, count: usize) {
        let request = signature(name, &format!("r{count}"));
        if let Some(answer) = self.ask(&request) {
            match answer.status {
                303 => lock(&self.remarks).push(format!("r{count} - {name}")),
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
            lock(&self.wrong).push(format!("{} {}", answer.status, show(&answer.body)));
        }
    }

    /// How many remarks were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        lock(&self.remarks).len()
    }

    /// Waits until visits, remarks and files were each served five more times.
    #[track_caller]
    pub(crate) fn await_progress(&self) {
        let served =
            || [lock(&self.numbers).len(), lock(&self.remarks).len(), self.files.load(Relaxed)];
        let before = served();
        wait_until("visits, remarks and files that are served", || {
            let wrong = lock(&self.wrong).clone();
            assert!(wrong.is_empty(), "{wrong:#?}");
            served().iter().zip(before).all(|(now, before)| *now >= before + 5)
        });
    }

    /// Checks that no acknowledged remark is missing in the store, none is stored twice, and no two
    /// visitors got the same number.
    #[track_caller]
    pub(crate) fn check(&self, store: &[String]) {
        let kept: HashSet<_> = store.iter().collect();
        assert_eq!(kept.len(), store.len(), "a remark is stored twice: {store:?}");
        let remarks = lock(&self.remarks);
        let lost: Vec<_> = remarks.iter().filter(|remark| !kept.contains(remark)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        let numbers = lock(&self.numbers);
        let distinct: HashSet<_> = numbers.iter().collect();
        assert_eq!(distinct.len(), numbers.len(), "a number was given twice");
    }
}

/// The remarks in a store, once it answers.
#[track_caller]
pub(crate) fn stored_remarks(store: &Store) -> Vec<String> {
    wait_until("a store that is back", || store.cli(&["ping"]) == "PONG");
    store.remarks()
}
