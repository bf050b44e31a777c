//! The lists of the embedded store. Each item has a number, its place. An item that is added at an
//! end of a list gets the next number in that direction.
//!
//! The index leads to both ends, so the last page of the guestbook costs the same with ten remarks
//! as with ten million. To read the middle of a list, SQLite walks there from the nearer end.

use rusqlite::{OptionalExtension, Result, params};

use super::database::{Bytes, Database, bytes};
use super::items::{Items, ListPage};

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Where LPUSH adds.
    Head,
    /// Where RPUSH adds.
    Tail,
}

impl Database {
    /// The items given to [`Database::cache_items`], if they are still valid.
    pub(super) fn cached_items(&self, list: &[u8], range: (i64, i64)) -> Option<&Items> {
        let page = self.page.as_ref()?;
        (page.range == range && page.list == list).then_some(&page.items)
    }

    /// Caches the items of a range until the batch ends or a list changes.
    pub(super) fn cache_items(&mut self, list: &[u8], range: (i64, i64), items: Items) {
        // An empty list is not cached: its key can become a counter, and that does not clear the
        // cache.
        if items.len() > 0 {
            self.page = Some(ListPage { list: list.to_vec(), range, items });
        }
    }

    /// The length of a list; none if there is no list of that name.
    pub(super) fn length(&self, list: &[u8]) -> Result<Option<i64>> {
        self.statement("SELECT length FROM lists WHERE key = ?1")?
            .query_row([Bytes(list)], |row| row.get(0))
            .optional()
    }

    /// Adds items at one end of a list, in their order.
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
            // After the largest integer there is no next number. SQLite refuses a number twice.
            place = place.saturating_add(step);
            insert.execute(params![place, Bytes(list), Bytes(item)])?;
        }
        Ok(())
    }

    /// Up to `count` items, counted from `end` after the first `skipped` items.
    pub(super) fn items(&self, list: &[u8], end: End, skipped: i64, count: i64) -> Result<Items> {
        let mut statement = self.statement(select(end))?;
        let mut rows = statement.query(params![Bytes(list), skipped, count])?;
        let mut items = Items::new(end == End::Tail);
        while let Some(row) = rows.next()? {
            if !items.push(&bytes(row.get_ref(0)?)) {
                break;
            }
        }
        Ok(items)
    }

    /// Removes up to `count` items equal to `item`, from `end` on, and returns their number. A
    /// negative `count` removes all of them.
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

    /// Removes `count` items from an end of a list.
    pub(super) fn trim(&mut self, list: &[u8], end: End, count: i64) -> Result<()> {
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
    use super::*;
    use rusqlite::StatementStatus;
    use tempfile::{TempDir, tempdir};

    fn open() -> (Database, TempDir) {
        let folder = tempdir().unwrap();
        (Database::new(schema::open(&folder.path().join("guestbook")).unwrap()), folder)
    }

    #[test]
    fn the_last_page_costs_the_same_however_long_the_list() {
        let (mut database, _folder) = open();
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
    fn items_beyond_the_longest_reply_are_not_read() {
        let (mut database, _folder) = open();
        let item = vec![b'x'; 1_000_000];
        database.push(b"l", &[item.as_slice(); 9], End::Tail).unwrap();
        let items = database.items(b"l", End::Head, 0, 9).unwrap();
        assert!(items.overflows());
        assert_eq!(items.len(), 5);
        assert!(!database.items(b"l", End::Tail, 0, 4).unwrap().overflows());
    }

    #[test]
    fn items_are_stored_as_text_if_possible() {
        let (mut database, _folder) = open();
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
