//! One turn of the embedded store: what all clients ask at a time, answered in one transaction.
//!
//! A commit costs more than the commands in it, so the busier the store the cheaper a command.
//! Nobody hears of a change before it is committed; if that fails nothing has changed, and whoever
//! wanted to change something hears why.

use std::ops::Range;

use zero_core::store::resp;

use super::database::{Database, Effect};
use super::request::{Request, refuse};

/// Requests of one client in a turn, so that one that sends thousands at once starves nobody; and
/// enough of them that the commit is a small part of their cost.
pub(super) const REQUESTS_PER_TURN: usize = 256;

/// Bytes of replies with which a client's share of a turn ends: no more than one reply beyond this
/// is held for a client that doesn't read.
const REPLY_BYTES_PER_TURN: usize = 256 * 1024;

/// What one client asks in a turn.
pub(super) struct Share<'a> {
    /// Each with what the client has sent behind it.
    requests: Vec<(Request<'a>, &'a [u8])>,
    /// What of its input is left for later.
    pub(super) rest: &'a [u8],
    /// Whether there may be whole requests in the rest.
    pub(super) more: bool,
    /// Where the replies are among those of the turn.
    pub(super) replies: Range<usize>,
    /// Whether the connection ends behind these replies.
    pub(super) closes: bool,
}

impl<'a> Share<'a> {
    /// The requests in `input`, up to a bound.
    pub(super) fn new(input: &'a [u8]) -> Share<'a> {
        let mut requests = Vec::new();
        let mut rest = input;
        while requests.len() < REQUESTS_PER_TURN {
            let request = match resp::decode(rest) {
                Ok(Some((value, taken))) => {
                    rest = &rest[taken..];
                    Request::new(value)
                }
                Ok(None) => break,
                Err(garbage) => Err(garbage),
            };
            let Some(request) = request.unwrap_or(Some(Request::garbage())) else { continue };
            let closes = request.closes();
            requests.push((request, rest));
            if closes {
                rest = &[];
                break;
            }
        }
        let more = requests.len() == REQUESTS_PER_TURN;
        Share { requests, rest, more, replies: 0..0, closes: false }
    }

    /// Answers the requests in their order until that is enough. With a `refusal`, that is what
    /// those hear that would change something.
    fn answer(
        &mut self,
        database: &mut Database,
        replies: &mut Vec<u8>,
        refusal: Option<&str>,
    ) -> rusqlite::Result<()> {
        let start = replies.len();
        let mut answered = 0;
        for (request, _) in &self.requests {
            match (request.answer(database, replies, refusal), refusal) {
                (Ok(()), _) => {}
                // There is no transaction: it failed alone.
                (Err(error), Some(_)) => refuse(replies, &sentence(database, &error)),
                (Err(error), None) => return Err(error),
            }
            answered += 1;
            self.closes = request.closes();
            if replies.len() - start > REPLY_BYTES_PER_TURN {
                break;
            }
        }
        if answered < self.requests.len() {
            (self.rest, self.more) = (self.requests[answered - 1].1, true);
            // Should this turn fail, they are as little part of it.
            self.requests.truncate(answered);
        }
        self.replies = start..replies.len();
        Ok(())
    }
}

/// Answers all `shares`. The `replies` may be sent: what they tell is done.
pub(super) fn answer(database: &mut Database, shares: &mut [Share<'_>], replies: &mut Vec<u8>) {
    if let Err(error) = transaction(database, shares, replies) {
        database.rollback();
        replies.clear();
        let refusal = sentence(database, &error);
        for share in shares {
            // With a refusal there is an answer to every failure.
            let _ = share.answer(database, replies, Some(&refusal));
        }
    }
}

fn transaction(
    database: &mut Database,
    shares: &mut [Share<'_>],
    replies: &mut Vec<u8>,
) -> rusqlite::Result<()> {
    let requests = shares.iter().flat_map(|share| &share.requests);
    let effect = requests.map(|(request, _)| request.effect()).max().unwrap_or(Effect::Nothing);
    database.begin(effect)?;
    for share in shares {
        share.answer(database, replies, None)?;
    }
    database.commit()
}

fn sentence(database: &Database, error: &rusqlite::Error) -> String {
    format!("ERR {}", database.explain(error))
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::super::tests::{Folder, wire};
    use super::*;

    fn open(name: &str) -> (Database, Folder) {
        let folder = Folder::new(name);
        (Database::new(schema::open(&folder.0.join("guestbook")).unwrap()), folder)
    }

    /// What each client hears in one turn in which they send these commands.
    fn turn<const N: usize>(database: &mut Database, clients: [&[&str]; N]) -> [String; N] {
        let inputs = clients.map(wire);
        let mut shares: Vec<Share<'_>> = inputs.iter().map(|input| Share::new(input)).collect();
        let mut replies = Vec::new();
        answer(database, &mut shares, &mut replies);
        std::array::from_fn(|i| {
            assert!(shares[i].rest.is_empty() && !shares[i].more);
            let replies = &replies[shares[i].replies.clone()];
            String::from_utf8_lossy(replies).replace("\r\n", " ")
        })
    }

    #[test]
    fn a_counter_is_written_once_and_every_client_sees_the_others() {
        let (mut database, _folder) = open("turn-counters");
        let counting: &[&str] = &["INCRBY n 1", "LRANGE list -2 -1"];
        let before = database.connection.total_changes();
        let heard = turn(&mut database, [counting, counting, &["GET n", "TYPE n", "DBSIZE"]]);
        assert_eq!(heard, [":1 *0 ", ":2 *0 ", "$1 2 +string :1 "]);
        // DBSIZE has SQLite count the keys, so the counter is written before it.
        assert_eq!(database.connection.total_changes() - before, 1);
        assert_eq!(turn(&mut database, [counting; 100])[99], ":102 *0 ");
        assert_eq!(database.connection.total_changes() - before, 2);
        let heard = turn(&mut database, [&["INCR n", "SET n 7", "INCR n", "DEL n", "GET n"]]);
        assert_eq!(heard, [":103 +OK :8 :1 $-1 "]);
    }

    #[test]
    fn a_page_is_read_anew_when_the_list_has_changed() {
        let (mut database, _folder) = open("turn-pages");
        let heard = turn(
            &mut database,
            [
                &["RPUSH l a b", "LRANGE l -2 -1", "LRANGE l -2 -1", "RPUSH l c", "LRANGE l -2 -1"],
                &["LREM l 0 c", "LRANGE l -2 -1", "LTRIM l 1 1", "LRANGE l -2 -1"],
                &["DEL l", "LRANGE l -2 -1", "SET l x", "LRANGE l -2 -1"],
            ],
        );
        assert_eq!(heard[0], ":2 *2 $1 a $1 b *2 $1 a $1 b :3 *2 $1 b $1 c ");
        assert_eq!(heard[1], ":1 *2 $1 a $1 b +OK *1 $1 b ");
        assert!(heard[2].starts_with(":1 *0 +OK -WRONGTYPE "), "{}", heard[2]);
    }

    #[test]
    fn a_turn_that_cannot_be_written_changes_nothing_and_the_next_may_work() {
        let (mut database, _folder) = open("turn-full");
        turn(&mut database, [&["RPUSH l a", "SET n 5"]]);
        let limit = |database: &Database, pages: u32| {
            database.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
        };
        limit(&database, 1).unwrap();
        let long = format!("RPUSH l {}", "x".repeat(50_000));
        let heard = turn(
            &mut database,
            [&["INCR n", "GET n"], &["RPUSH l b", &long, "LRANGE l 0 -1"], &["PING", "FOO"]],
        );
        let error = "database or disk is full; make room on its disk ";
        assert!(heard[0].starts_with("-ERR cannot use /"), "{}", heard[0]);
        assert!(heard[0].ends_with(&format!("{error}$1 5 ")), "{}", heard[0]);
        assert_eq!(heard[1].matches(error).count(), 2);
        assert!(heard[1].ends_with("*1 $1 a "), "{}", heard[1]);
        assert!(heard[2].starts_with("+PONG -ERR unknown command 'FOO'"), "{}", heard[2]);
        limit(&database, 1_000).unwrap();
        assert_eq!(turn(&mut database, [&["INCR n", &long, "LLEN l"]]), [":6 :2 :2 "]);
    }

    #[test]
    fn a_commit_that_fails_is_a_turn_that_fails() {
        let (mut database, _folder) = open("turn-commit");
        // Nothing is written before the counters are, and they are with the commit.
        let trigger = "CREATE TEMP TRIGGER t BEFORE INSERT ON strings
                       BEGIN SELECT raise(ROLLBACK, 'no'); END";
        database.connection.execute_batch(trigger).unwrap();
        let heard = turn(&mut database, [&["INCR n", "GET n"]]);
        assert!(heard[0].starts_with("-ERR cannot use /") && heard[0].ends_with(" $-1 "));
        database.connection.execute_batch("DROP TRIGGER t").unwrap();
        assert_eq!(turn(&mut database, [&["INCR n"]]), [":1 "]);
    }

    #[test]
    fn what_is_left_for_the_next_turn_is_no_part_of_one_that_fails() {
        let (mut database, _folder) = open("turn-left");
        let echo = format!("ECHO {}", "x".repeat(REPLY_BYTES_PER_TURN));
        let wires = [wire(&[&echo, "INCR n"]), wire(&["INCR m"])];
        let mut shares: Vec<Share<'_>> = wires.iter().map(|wire| Share::new(wire)).collect();
        database.connection.pragma_update(None, "query_only", true).unwrap();
        let mut replies = Vec::new();
        answer(&mut database, &mut shares, &mut replies);
        assert_eq!((shares[0].rest, shares[0].more), (&wire(&["INCR n"])[..], true));
        assert!(replies[..shares[0].replies.end].ends_with(b"x\r\n"));
        assert!(replies[shares[1].replies.clone()].starts_with(b"-ERR cannot use /"));
    }

    #[test]
    fn a_share_is_bounded_and_the_rest_is_for_the_next_turn() {
        let (mut database, _folder) = open("turn-bounds");
        let many = wire(&vec!["PING"; REQUESTS_PER_TURN + 1]);
        let mut share = Share::new(&many);
        let mut replies = Vec::new();
        answer(&mut database, std::slice::from_mut(&mut share), &mut replies);
        assert_eq!((share.rest, share.more), (&wire(&["PING"])[..], true));

        let echo = format!("ECHO {}", "x".repeat(REPLY_BYTES_PER_TURN));
        let long = wire(&[&echo, "QUIT"]);
        let mut share = Share::new(&long);
        answer(&mut database, std::slice::from_mut(&mut share), &mut replies);
        assert_eq!((share.rest, share.more), (&wire(&["QUIT"])[..], true));
        assert!(!share.closes);
        let mut share = Share::new(share.rest);
        answer(&mut database, std::slice::from_mut(&mut share), &mut replies);
        assert!(share.closes && replies.ends_with(b"+OK\r\n"));

        // What asks nothing doesn't stay.
        let nothing = b"*0\r\n*-1\r\n*1\r\n$4";
        assert_eq!(Share::new(nothing).rest, b"*1\r\n$4");
    }
}
