//! A pipeline to a store that replies anything: every query is answered exactly once.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use zerohttpd_core::limits::PAGES;
use zerohttpd_core::store::resp::{self, RespValue};
use zerohttpd_core::store::{Credentials, Pipeline, Query, Reply, StoreDown, StoreFailure};

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
        is_counted: bool,
    },
    Sign(&'a [u8]),
    /// At most this many of the outgoing bytes are written.
    Write(u16),
    /// All outgoing bytes are written, and a reply comes in pieces of this size.
    Reply(Value<'a>, u8),
    /// Bytes come that need not be a value.
    Garbage(&'a [u8]),
    Fail,
}

/// A reply of the store.
#[derive(Arbitrary, Debug)]
enum Value<'a> {
    Simple,
    Error,
    NotServing,
    Integer(i64),
    Number(u8),
    Bulk(&'a [u8]),
    Null,
    Page(Vec<Option<&'a [u8]>>),
}

/// A pipeline, its queries, and the bytes that it wrote.
struct Conversation {
    pipeline: Pipeline<usize>,
    /// The query of each key, until it is answered.
    open: Vec<Option<Query>>,
    /// Bytes that were written and not yet decoded as commands.
    wire: Vec<u8>,
}

fuzz_target!(|script: Script<'_>| {
    let mut conversation = Conversation::new(&script);
    for event in &script.events {
        if conversation.apply(event).is_err() {
            conversation.pipeline.fail(StoreDown::Broken.into());
            break;
        }
        conversation.collect();
    }
    conversation.pipeline.fail(StoreDown::TimedOut.into());
    conversation.collect();
    assert!(!conversation.pipeline.has_pending(), "a query without an answer");
});

impl Conversation {
    fn new(script: &Script<'_>) -> Conversation {
        let pipeline = match &script.greeting {
            None => Pipeline::greeted(),
            Some(greeting) => Pipeline::new(&Credentials {
                user: greeting.user.map(<[u8]>::to_vec),
                password: greeting.password.map(<[u8]>::to_vec),
                database: greeting.database,
            }),
        };
        Conversation { pipeline, open: Vec::new(), wire: Vec::new() }
    }

    fn apply(&mut self, event: &Event<'_>) -> Result<(), StoreFailure> {
        match event {
            Event::Visit { page, is_counted } => {
                self.ask(Query::Visit {
                    page: 1 + u32::from(*page) % PAGES,
                    is_counted: *is_counted,
                });
            }
            Event::Sign(item) => self.ask(Query::Sign(item.to_vec())),
            Event::Write(max_bytes) => self.write(usize::from(*max_bytes)),
            Event::Reply(value, size) => {
                self.write(usize::MAX);
                assert!(self.wire.is_empty(), "half a command");
                let mut bytes = Vec::new();
                value.encode(&mut bytes);
                for piece in bytes.chunks(usize::from(*size).max(1)) {
                    self.pipeline.received(piece)?;
                }
            }
            Event::Garbage(bytes) => self.pipeline.received(bytes)?,
            Event::Fail => return Err(StoreDown::Broken.into()),
        }
        Ok(())
    }

    fn ask(&mut self, query: Query) {
        self.pipeline.ask(self.open.len(), query.clone());
        self.open.push(Some(query));
    }

    /// Writes at most `max_bytes` bytes, and checks that the bytes written so far are commands.
    fn write(&mut self, max_bytes: usize) {
        let outgoing = self.pipeline.outgoing();
        let count = outgoing.len().min(max_bytes);
        self.wire.extend_from_slice(&outgoing[..count]);
        self.pipeline.wrote(count);
        while let Some((command, used)) = resp::decode(&self.wire).expect("RESP2") {
            let RespValue::Array(Some(words)) = &command else { panic!("no command: {command:?}") };
            assert!(
                words.iter().all(|word| matches!(word, RespValue::Bulk(Some(_)))),
                "{command:?}"
            );
            self.wire.drain(..used);
        }
    }

    fn collect(&mut self) {
        while let Some((key, reply)) = self.pipeline.reply() {
            let query = self.open[key].take().expect("answered twice");
            match (query, reply) {
                (_, Err(_))
                | (Query::Sign(_), Ok(Reply::Signed))
                | (Query::Visit { .. }, Ok(Reply::Visited { .. })) => {}
                (query, reply) => panic!("{reply:?} is no answer to {query:?}"),
            }
        }
        let open = self.open.iter().flatten().count();
        assert_eq!(self.pipeline.has_pending(), open > 0, "{open} queries are open");
    }
}

impl Value<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Value::Simple => resp::simple(out, "OK"),
            Value::Error => resp::error(out, "ERR no"),
            Value::NotServing => resp::error(out, "READONLY no"),
            Value::Integer(number) => resp::integer(out, *number),
            Value::Number(number) => resp::integer(out, i64::from(*number)),
            Value::Bulk(bytes) => resp::bulk(out, bytes),
            Value::Null => resp::null(out),
            Value::Page(items) => {
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
