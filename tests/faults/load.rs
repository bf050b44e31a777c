//! Visitors, signers and readers of files who keep coming, and write down what they were told.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::support::client::{is_last, last_request, show, signature, visitor};
use crate::support::script::Answer;
use crate::support::{Client, Store, wait_until};

/// What they were told.
pub(crate) struct Load {
    port: u16,
    /// A server's process is killed: its connections may break.
    may_break: bool,
    remarks: Mutex<Vec<String>>,
    numbers: Mutex<Vec<u64>>,
    pub(crate) files: AtomicUsize,
    pub(crate) refused: AtomicUsize,
    wrong: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// Keeps a load on a server while something is done to it.
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
        // The others go on for ever unless they are told of a failure.
        let _stop = StopOnDrop(&load.stop);
        load.await_progress();
        during(&load);
    });
    assert!(list(&load.wrong).is_empty(), "{:#?}", list(&load.wrong));
    load
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn list<T>(list: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    fn repeat(&self, mut once: impl FnMut(usize)) {
        let going_on = |_: &usize| !self.stop.load(Relaxed);
        (0..).take_while(going_on).for_each(&mut once);
    }

    /// One request on a connection of its own.
    fn ask(&self, request: &str) -> Option<Answer> {
        let mut client = Client::connect(self.port);
        client.send(request);
        match client.try_answer(false) {
            Ok(answer) => Some(answer),
            Err(why) => {
                if !self.may_break {
                    list(&self.wrong).push(why);
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
                list(&self.wrong).push(format!("a file: {answer:?}"));
            }
        }
    }

    fn visit(&self) {
        if let Some(answer) = self.ask(&last_request("/guestbook")) {
            match answer.status {
                200 => list(&self.numbers).extend(visitor(&answer)),
                _ => self.refusal(&answer),
            }
        }
    }

    fn sign(&self, name: &str, count: usize) {
        let request = signature(name, &format!("r{count}"));
        if let Some(answer) = self.ask(&request) {
            match answer.status {
                303 => list(&self.remarks).push(format!("r{count} - {name}")),
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
            list(&self.wrong).push(format!("{} {}", answer.status, show(&answer.body)));
        }
    }

    /// Waits until everybody has been served a few more times.
    #[track_caller]
    pub(crate) fn await_progress(&self) {
        let served =
            || [list(&self.numbers).len(), list(&self.remarks).len(), self.files.load(Relaxed)];
        let before = served();
        wait_until("visits, remarks and files that are served", || {
            let wrong = list(&self.wrong).clone();
            assert!(wrong.is_empty(), "{wrong:#?}");
            served().iter().zip(before).all(|(now, before)| *now >= before + 5)
        });
    }

    /// No remark that was acknowledged is missing, none is kept twice, and no number was given to
    /// two visitors.
    #[track_caller]
    pub(crate) fn check(&self, store: &[String]) {
        let kept: HashSet<_> = store.iter().collect();
        assert_eq!(kept.len(), store.len(), "a remark is kept twice: {store:?}");
        let remarks = list(&self.remarks);
        let lost: Vec<_> = remarks.iter().filter(|remark| !kept.contains(remark)).collect();
        assert!(lost.is_empty(), "acknowledged, and lost: {lost:?}");
        let numbers = list(&self.numbers);
        let distinct: HashSet<_> = numbers.iter().collect();
        assert_eq!(distinct.len(), numbers.len(), "a number was given twice");
    }
}

/// The remarks in a store that a server keeps running.
#[track_caller]
pub(crate) fn kept(store: &Store) -> Vec<String> {
    wait_until("a store that is back", || store.cli(&["ping"]) == "PONG");
    store.remarks()
}
