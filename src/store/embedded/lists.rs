//! The lists of the embedded store: each item has a place, outside of all others when it is added.
//!
//! So an end is found, and walked from, through the index: the last page of the guestbook costs
//! the same with ten remarks as with ten million. The middle costs a walk from the nearer end.

use rusqlite::{OptionalExtension, Result, params};
use zero_core::limits;

use super::database::{Bytes, Database, bytes};

/// The end of a list that something is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Where LPUSH adds.
    Head,
    /// Where RPUSH adds.
    Tail,
}

/// Items on their way out, in one buffer; to be told in the order of the list.
#[derive(Default)]
pub(super) struct Items {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    backwards: bool,
}

impl Items {
    /// Takes an item in, unless there would be more than one reply can carry to a client that
    /// [bounds](limits::STORE_VALUE_BYTES) it as we do.
    pub(super) fn take(&mut self, item: &[u8]) -> bool {
        self.bytes.extend_from_slice(item);
        self.ends.push(self.bytes.len());
        !self.overflows()
    }

    /// Whether an item was refused: these are not all.
    pub(super) fn overflows(&self) -> bool {
        /// `$4194304` and two line ends.
        const FRAME_BYTES: usize = 12;
        self.bytes.len() + FRAME_BYTES * (self.ends.len() + 1) > limits::STORE_VALUE_BYTES
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Calls `each` with the items, from head to tail.
    pub(super) fn each(&self, mut each: impl FnMut(&[u8])) {
        for i in 0..self.ends.len() {
            let i = if self.backwards { self.ends.len() - 1 - i } else { i };
            let start = if i == 0 { 0 } else { self.ends[i - 1] };
            each(&self.bytes[start..self.ends[i]]);
        }
    }
}

/// A stretch of a list that was read in this turn: most visitors of a turn read the same page.
pub(super) struct Page {
    list: Vec<u8>,
    /// As it was asked for.
    stretch: (i64, i64),
    items: Items,
}

impl Database {
    /// What [`Database::remember`] was given, if it still holds.
    pub(super) fn remembered(&self, list: &[u8], stretch: (i64, i64)) -> Option<&Items> {
        let page = self.page.as_ref()?;
        (page.stretch == stretch && page.list == list).then_some(&page.items)
    }

    /// Keeps what was read until the turn ends or a list changes.
    pub(super) fn remember(&mut self, list: &[u8], stretch: (i64, i64), items: Items) {
        // Where there is no list yet, a counter may be the next thing to get its name.
        if items.len() > 0 {
            self.page = Some(Page { list: list.to_vec(), stretch, items });
        }
    }

    /// The length of a list; none when there is no list of that name.
    pub(super) fn length(&self, list: &[u8]) -> Result<Option<i64>> {
        self.statement("SELECT length FROM lists WHERE key = ?1")?
            .query_row([Bytes(list)], |row| row.get(0))
            .optional()
    }

    /// Adds items at an end of a list, one after the other.
    pub(super) fn push(&mut self, list: &[u8], items: &[&[u8]], end: End) -> Result<()> {
        self.page = None;
        let (outermost, step) = match end {
            End::Head => ("SELECT min(place) FROM items", -1),
            End::Tail => ("SELECT max(place) FROM items", 1),
        };
        let found: Option<i64> = self.statement(outermost)?.query_row([], |row| row.get(0))?;
        let mut place = found.unwrap_or(0);
        let mut insert = self.statement("INSERT INTO items VALUES (?1, ?2, ?3)")?;
        for item in items {
            // At the end of all integers the place is taken, and SQLite refuses the second item.
            place = place.saturating_add(step);
            insert.execute(params![place, Bytes(list), Bytes(item)])?;
        }
        Ok(())
    }

    /// Up to `count` items, the first of which has `skipped` others between itself and `end`.
    pub(super) fn items(&self, list: &[u8], end: End, skipped: i64, count: i64) -> Result<Items> {
        let mut statement = self.statement(select(end))?;
        let mut rows = statement.query(params![Bytes(list), skipped, count])?;
        let mut items = Items { backwards: end == End::Tail, ..Items::default() };
        while let Some(row) = rows.next()? {
            if !items.take(&bytes(row.get_ref(0)?)) {
                break;
            }
        }
        Ok(items)
    }

    /// Removes up to `count` items equal to `item`, the nearest to `end` first; how many there
    /// were. A negative count is no bound.
    pub(super) fn remove_items(
        &mut self,
        list: &[u8],
        item: &[u8],
        end: End,
        count: i64,
    ) -> Result<usize> {
        self.page = None;
        let delete = match end {
            End::Head => {
                "DELETE FROM items WHERE place IN (SELECT place FROM items
                 WHERE list = ?1 AND item = ?2 ORDER BY place LIMIT ?3)"
            }
            End::Tail => {
                "DELETE FROM items WHERE place IN (SELECT place FROM items
                 WHERE list = ?1 AND item = ?2 ORDER BY place DESC LIMIT ?3)"
            }
        };
        self.statement(delete)?.execute(params![Bytes(list), Bytes(item), count])
    }

    /// Cuts `count` items off an end of a list.
    pub(super) fn cut(&mut self, list: &[u8], end: End, count: i64) -> Result<()> {
        self.page = None;
        let delete = match end {
            End::Head => {
                "DELETE FROM items WHERE place IN (SELECT place FROM items
                 WHERE list = ?1 ORDER BY place LIMIT ?2)"
            }
            End::Tail => {
                "DELETE FROM items WHERE place IN (SELECT place FROM items
                 WHERE list = ?1 ORDER BY place DESC LIMIT ?2)"
            }
        };
        self.statement(delete)?.execute(params![Bytes(list), count]).map(drop)
    }
}

const fn select(end: End) -> &'static str {
    match end {
        End::Head => "SELECT item FROM items WHERE list = ?1 ORDER BY place LIMIT ?3 OFFSET ?2",
        End::Tail => {
            "SELECT item FROM items WHERE list = ?1 ORDER BY place DESC LIMIT ?3 OFFSET ?2"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::super::tests::Folder;
    use super::*;
    use rusqlite::StatementStatus;

    fn open(name: &str) -> (Database, Folder) {
        let folder = Folder::new(name);
        (Database::new(schema::open(&folder.0.join("guestbook")).unwrap()), folder)
    }

    #[test]
    fn the_last_page_costs_the_same_however_long_the_list() {
        let (mut database, _folder) = open("list-cost");
        let mut cost = |list: &[u8], length: usize| {
            database.begin(super::super::database::Effect::Counts).unwrap();
            database.push(list, &vec![b"a remark".as_slice(); length], End::Tail).unwrap();
            database.commit().unwrap();
            assert_eq!(database.length(list).unwrap(), Some(length as i64));
            database.statement(select(End::Tail)).unwrap().reset_status(StatementStatus::VmStep);
            assert_eq!(database.items(list, End::Tail, 0, 20).unwrap().len(), 20);
            database.statement(select(End::Tail)).unwrap().get_status(StatementStatus::VmStep)
        };
        let (short, long) = (cost(b"short", 20), cost(b"long", 20_000));
        assert_eq!(short, long);
        assert!((20..400).contains(&long), "{long} steps");
    }

    #[test]
    fn what_no_client_would_take_is_not_gathered() {
        let (mut database, _folder) = open("list-bound");
        let item = vec![b'x'; 1_000_000];
        database.push(b"l", &[item.as_slice(); 9], End::Tail).unwrap();
        let items = database.items(b"l", End::Head, 0, 9).unwrap();
        assert!(items.overflows());
        assert_eq!(items.len(), 5);
        assert!(!database.items(b"l", End::Tail, 0, 4).unwrap().overflows());
    }

    #[test]
    fn items_are_text_where_they_can_be() {
        let (mut database, _folder) = open("list-text");
        let items = [b"caf\xc3\xa9".as_slice(), b"\xff", b"a\0b", b"", b"42"];
        database.push(b"l", &items, End::Tail).unwrap();
        let types = "SELECT group_concat(typeof(item)) FROM items ORDER BY place";
        let types: String = database.connection.query_row(types, [], |row| row.get(0)).unwrap();
        assert_eq!(types, "text,blob,blob,text,text");
        let mut read = Vec::new();
        database.items(b"l", End::Tail, 0, 9).unwrap().each(|item| read.push(item.to_vec()));
        assert_eq!(read, items);
    }
}
