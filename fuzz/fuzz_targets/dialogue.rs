//! A dialogue with a store that says anything: every question is answered, and answered once.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zero_core::limits::PAGES;
use zero_core::store::resp::{self, Value};
use zero_core::store::{Credentials, Dialogue, Query, Reply, StoreDown};

#[derive(Arbitrary, Debug)]
struct Script<'a> {
    greeting: Option<Greeting<'a>>,
    events: Vec<Event<'a>>,
}

#[derive(Arbitrary, Debug)]
struct Greeting<'a> {
    user: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
    database: u32,
}

#[derive(Arbitrary, Debug)]
enum Event<'a> {
    Visit {
        page: u16,
        counts: bool,
    },
    Sign(&'a [u8]),
    /// So many of the outgoing bytes are written, at most.
    Write(u16),
    /// All of them are, and what the store says comes in pieces of that size.
    Say(Said<'a>, u8),
    /// What is no value, most of the time.
    Babble(&'a [u8]),
    Fail,
}

/// A value that the store says.
#[derive(Arbitrary, Debug)]
enum Said<'a> {
    Simple,
    Error,
    Integer(i64),
    Number(u8),
    Bulk(&'a [u8]),
    Null,
    Page(Vec<Option<&'a [u8]>>),
}

/// Both ends of the dialogue, and what is known of its questions.
struct Talk {
    dialogue: Dialogue<usize>,
    /// For each key the question, until it is answered.
    open: Vec<Option<Query>>,
    /// What was written and not yet read as commands.
    wire: Vec<u8>,
}

fuzz_target!(|script: Script<'_>| {
    let mut talk = Talk::new(&script);
    for event in &script.events {
        if talk.happen(event).is_err() {
            talk.dialogue.fail(StoreDown::Broken);
            break;
        }
        talk.collect();
    }
    talk.dialogue.fail(StoreDown::TimedOut);
    talk.collect();
    assert!(!talk.dialogue.owes(), "a question was forgotten");
});

impl Talk {
    fn new(script: &Script<'_>) -> Talk {
        let dialogue = match &script.greeting {
            None => Dialogue::greeted(),
            Some(greeting) => Dialogue::new(&Credentials {
                user: greeting.user.map(<[u8]>::to_vec),
                password: greeting.password.map(<[u8]>::to_vec),
                database: greeting.database,
            }),
        };
        Talk { dialogue, open: Vec::new(), wire: Vec::new() }
    }

    fn happen(&mut self, event: &Event<'_>) -> Result<(), StoreDown> {
        match event {
            Event::Visit { page, counts } => {
                self.ask(Query::Visit { page: 1 + u32::from(*page) % PAGES, counts: *counts });
            }
            Event::Sign(item) => self.ask(Query::Sign(item.to_vec())),
            Event::Write(most) => self.write(usize::from(*most)),
            Event::Say(said, size) => {
                self.write(usize::MAX);
                assert!(self.wire.is_empty(), "half a command");
                let mut bytes = Vec::new();
                said.encode(&mut bytes);
                for piece in bytes.chunks(usize::from(*size).max(1)) {
                    self.dialogue.received(piece)?;
                }
            }
            Event::Babble(bytes) => self.dialogue.received(bytes)?,
            Event::Fail => return Err(StoreDown::Broken),
        }
        Ok(())
    }

    fn ask(&mut self, query: Query) {
        self.dialogue.ask(self.open.len(), query.clone());
        self.open.push(Some(query));
    }

    /// What goes out is commands, however it is cut.
    fn write(&mut self, most: usize) {
        let outgoing = self.dialogue.outgoing();
        let count = outgoing.len().min(most);
        self.wire.extend_from_slice(&outgoing[..count]);
        self.dialogue.wrote(count);
        while let Some((command, used)) = resp::decode(&self.wire).expect("RESP2") {
            let Value::Array(Some(words)) = &command else { panic!("no command: {command:?}") };
            assert!(words.iter().all(|word| matches!(word, Value::Bulk(Some(_)))), "{command:?}");
            self.wire.drain(..used);
        }
    }

    fn collect(&mut self) {
        while let Some((key, reply)) = self.dialogue.reply() {
            let query = self.open[key].take().expect("answered twice");
            match (query, reply) {
                (_, Err(_))
                | (Query::Sign(_), Ok(Reply::Signed))
                | (Query::Visit { .. }, Ok(Reply::Visited { .. })) => {}
                (query, reply) => panic!("{reply:?} is no answer to {query:?}"),
            }
        }
        let open = self.open.iter().flatten().count();
        assert_eq!(self.dialogue.owes(), open > 0, "{open} questions are open");
    }
}

impl Said<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Said::Simple => resp::simple(out, "OK"),
            Said::Error => resp::error(out, "ERR no"),
            Said::Integer(number) => resp::integer(out, *number),
            Said::Number(number) => resp::integer(out, i64::from(*number)),
            Said::Bulk(bytes) => resp::bulk(out, bytes),
            Said::Null => resp::null(out),
            Said::Page(items) => {
                resp::array(out, items.len());
                for item in items {
                    match item {
                        Some(item) => resp::bulk(out, item),
                        None => resp::null(out),
                    }
                }
            }
        }
    }
}
