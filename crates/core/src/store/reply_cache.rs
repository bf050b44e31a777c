//! The reply cache: keeps the last page, and renders a new one only if the store sends other bytes.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::remarks::Remarks;
use super::resp::RespValue;

/// The bytes of a reply, and the page rendered from them.
pub(super) struct CachedPage {
    page: u32,
    wire: Vec<u8>,
    remarks: Arc<Remarks>,
}

impl CachedPage {
    /// Renders a page from a reply with the bytes `wire`; none if the reply is no list of strings.
    pub(super) fn new(page: u32, reply: &RespValue<'_>, wire: &[u8]) -> Option<CachedPage> {
        let RespValue::Array(Some(items)) = reply else { return None };
        let text = |item| if let &RespValue::Bulk(text) = item { text } else { None };
        let oldest_first: Vec<&[u8]> = items.iter().map(text).collect::<Option<_>>()?;
        let remarks = Arc::new(Remarks::new(page, &oldest_first));
        Some(CachedPage { page, wire: wire.to_vec(), remarks })
    }

    /// The length of this reply if `input` begins with its bytes. Comparing costs less than
    /// decoding and is as exact, since no value of RESP2 is the beginning of another.
    pub(super) fn matching_len(&self, page: u32, input: &[u8]) -> Option<usize> {
        (self.page == page && input.starts_with(&self.wire)).then_some(self.wire.len())
    }

    /// The page.
    pub(super) fn remarks(&self) -> Arc<Remarks> {
        self.remarks.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Pipeline, Query, Reply, resp};

    fn cached(page: u32, wire: &[u8]) -> Option<CachedPage> {
        let (value, used) = resp::decode(wire).unwrap().unwrap();
        CachedPage::new(page, &value, &wire[..used])
    }

    #[test]
    fn a_page_matches_the_same_bytes_of_the_same_page() {
        let wire = b"*2\r\n$1\r\na\r\n$1\r\nb\r\n";
        let page = cached(3, wire).unwrap();
        assert_eq!(*page.remarks(), Remarks::new(3, &[b"a", b"b"]));
        assert_eq!(page.matching_len(3, &[&wire[..], b":1\r\n"].concat()), Some(wire.len()));
        assert_eq!(page.matching_len(2, wire), None, "another page has other links");
        assert_eq!(page.matching_len(3, &wire[..wire.len() - 1]), None, "the input is incomplete");
        assert_eq!(page.matching_len(3, b"*2\r\n$1\r\na\r\n$1\r\nc\r\n"), None);
    }

    #[test]
    fn a_reply_that_is_no_list_of_strings_is_not_cached() {
        for wire in [&b"-ERR no\r\n"[..], b"*-1\r\n", b"*1\r\n$-1\r\n", b"*1\r\n:1\r\n"] {
            assert!(cached(1, wire).is_none(), "{}", wire.escape_ascii());
        }
    }

    #[test]
    fn a_cached_page_is_used_until_another_reply_comes() {
        let mut pipeline = Pipeline::greeted();
        let mut visit = |reply: &[u8]| {
            pipeline.ask((), Query::Visit { page: 1, is_counted: true });
            let count = pipeline.outgoing().len();
            pipeline.wrote(count);
            pipeline.received(reply).unwrap();
            match pipeline.reply() {
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
