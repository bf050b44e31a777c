//! A page as it was shown last. While the store sends the same bytes, it is shown again.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::resp::Value;
use crate::app::Remarks;

/// The bytes of a page, and what was made of them.
pub(super) struct Shown {
    page: u32,
    wire: Vec<u8>,
    remarks: Arc<Remarks>,
}

impl Shown {
    /// Makes a page of a reply, whose bytes are `wire`; none of one that is no list of strings.
    pub(super) fn new(page: u32, reply: &Value<'_>, wire: &[u8]) -> Option<Shown> {
        let Value::Array(Some(items)) = reply else { return None };
        let text = |item| if let &Value::Bulk(text) = item { text } else { None };
        let oldest_first: Vec<&[u8]> = items.iter().map(text).collect::<Option<_>>()?;
        let remarks = Arc::new(Remarks::new(page, &oldest_first));
        Some(Shown { page, wire: wire.to_vec(), remarks })
    }

    /// How long the reply is that `input` begins with, if it is this one. To compare it is cheaper
    /// than to read it, and as exact: no value of RESP2 is the beginning of another.
    pub(super) fn is_again(&self, page: u32, input: &[u8]) -> Option<usize> {
        (self.page == page && input.starts_with(&self.wire)).then_some(self.wire.len())
    }

    /// What visitors are shown.
    pub(super) fn remarks(&self) -> Arc<Remarks> {
        self.remarks.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Dialogue, Query, Reply, resp};

    fn shown(page: u32, wire: &[u8]) -> Option<Shown> {
        let (value, used) = resp::decode(wire).unwrap().unwrap();
        Shown::new(page, &value, &wire[..used])
    }

    #[test]
    fn a_page_is_the_same_while_its_bytes_are() {
        let wire = b"*2\r\n$1\r\na\r\n$1\r\nb\r\n";
        let page = shown(3, wire).unwrap();
        assert_eq!(*page.remarks(), Remarks::new(3, &[b"a", b"b"]));
        assert_eq!(page.is_again(3, &[&wire[..], b":1\r\n"].concat()), Some(wire.len()));
        assert_eq!(page.is_again(2, wire), None, "it leads to other pages");
        assert_eq!(page.is_again(3, &wire[..wire.len() - 1]), None, "it is not whole");
        assert_eq!(page.is_again(3, b"*2\r\n$1\r\na\r\n$1\r\nc\r\n"), None);
    }

    #[test]
    fn what_is_no_page_is_not_shown() {
        for wire in [&b"-ERR no\r\n"[..], b"*-1\r\n", b"*1\r\n$-1\r\n", b"*1\r\n:1\r\n"] {
            assert!(shown(1, wire).is_none(), "{}", wire.escape_ascii());
        }
    }

    #[test]
    fn who_visits_later_is_shown_the_same_until_something_else_comes() {
        let mut dialogue = Dialogue::greeted();
        let mut visit = |reply: &[u8]| {
            dialogue.ask((), Query::Visit { page: 1, counts: true });
            let count = dialogue.outgoing().len();
            dialogue.wrote(count);
            dialogue.received(reply).unwrap();
            match dialogue.reply() {
                Some(((), Ok(Reply::Visited { number, remarks }))) => (number, remarks),
                other => panic!("{other:?}"),
            }
        };
        let (_, first) = visit(b":1\r\n*1\r\n$1\r\na\r\n");
        let (number, again) = visit(b":2\r\n*1\r\n$1\r\na\r\n");
        assert!(number == 2 && Arc::ptr_eq(&first, &again));
        let (_, other) = visit(b":3\r\n*1\r\n$1\r\nb\r\n");
        assert_eq!(*other, Remarks::new(1, &[b"b"]));
    }
}
