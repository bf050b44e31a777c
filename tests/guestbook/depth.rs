//! A guestbook with more remarks than it shows.

use crate::support::client::entries;
use crate::support::{Kind, Server, Store, cases::test};

/// How many pages are shown, with 20 remarks each.
const PAGES: usize = 500;

fn fill(store: &Store, remarks: std::ops::RangeInclusive<usize>) {
    let items: Vec<String> = remarks.map(|number| format!("remark {number} - Ada")).collect();
    for chunk in items.chunks(1000) {
        let mut words = vec!["rpush", "guestbook_remarks"];
        words.extend(chunk.iter().map(String::as_str));
        store.cli(&words);
    }
}

test!(Pair, the_last_page_says_if_there_are_older_remarks_that_are_not_shown);
fn the_last_page_says_if_there_are_older_remarks_that_are_not_shown(arch: &str, kind: Kind) {
    let store = Store::new(kind);
    let server = Server::start(arch, &store.url(), &[]);
    let text = |answer: &crate::support::script::Answer| {
        String::from_utf8(answer.body.clone()).expect("UTF-8")
    };
    for has_more in [false, true] {
        fill(&store, if has_more { 1..=1 } else { 1..=PAGES * 20 });
        let mut client = server.client();
        let last = client.get("/guestbook?page=500");
        assert_eq!(entries(&last).len(), 20);
        assert!(!text(&last).contains("page=501"));
        assert_eq!(text(&last).contains("Older remarks are kept"), has_more);
        let beyond = client.get("/guestbook?page=501");
        assert_eq!(beyond.status, 404);
        assert!(text(&beyond).contains("newest 10,000 remarks"), "{}", text(&beyond));
    }
}
