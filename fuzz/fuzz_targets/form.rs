//! Forms: whatever is posted, the guestbook stores only text within its limits, and shows it as
//! text.

#![no_main]

#[path = "../../crates/core/tests/driven/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "../../crates/core/tests/driven/world.rs"]
#[allow(dead_code)]
mod world;

use libfuzzer_sys::fuzz_target;
use zerohttpd_core::limits::{NAME_CHARS, REMARK_CHARS};

use client::Client;

fuzz_target!(|body: &[u8]| {
    let mut client = Client::new();
    let head = format!(
        "POST /guestbook HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\
        Content-Type: application/x-www-form-urlencoded\r\n\r\n",
        body.len()
    );
    client.push(&[head.as_bytes(), body].concat());
    let stored = client.store.remarks.clone();
    let expected = match (&stored[..], body.len()) {
        ([], zerohttpd_core::limits::BODY_BYTES..) if client.statuses() == [413] => return,
        ([], _) => 400,
        ([item], _) => {
            check_item(item);
            303
        }
        _ => panic!("one form was stored {} times", stored.len()),
    };
    assert_eq!(client.statuses(), [expected]);
    let answer = String::from_utf8(client.take()).expect("an answer in UTF-8");
    assert!(expected == 303 || answer.contains("<ul><li>"), "refused without a reason: {answer}");
    client.get("/guestbook");
    let page = String::from_utf8(client.take()).expect("a page in UTF-8");
    check_page(&page, stored.len());
});

/// Checks an item, which is `remark - name`. Both can contain ` - ` too.
fn check_item(item: &[u8]) {
    let text = std::str::from_utf8(item).expect("an item in UTF-8");
    let control = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!text.contains(control), "control characters in {text:?}");
    assert!(text.chars().count() <= REMARK_CHARS + 3 + NAME_CHARS, "too long: {text:?}");
    let (_, end_of_name) = text.rsplit_once(" - ").expect("a name");
    assert!(!end_of_name.contains(char::is_control), "lines in the name: {text:?}");
    let parts = text.match_indices(" - ").map(|(at, between)| {
        let (remark, name) = (&text[..at], &text[at + between.len()..]);
        (remark.chars().count(), name.chars().count())
    });
    let fits =
        |(remark, name)| (1..=REMARK_CHARS).contains(&remark) && (1..=NAME_CHARS).contains(&name);
    assert!(parts.into_iter().any(fits), "no remark and name within their limits: {text:?}");
}

/// Checks that a page shows `remarks` remarks, and that none of them contains HTML.
fn check_page(page: &str, remarks: usize) {
    let entries: Vec<_> = page.split("<p class=\"guest-entry\">").skip(1).collect();
    assert_eq!(entries.len(), remarks);
    for entry in entries {
        let shown = entry.split("</p>").next().unwrap_or_default();
        let shown =
            shown.strip_prefix("<bdi>").and_then(|shown| shown.strip_suffix("</bdi></span>"));
        let between = "</bdi><span class=\"guest-name\"> - <bdi>";
        let (remark, name) = shown.and_then(|shown| shown.split_once(between)).expect("two parts");
        let shown = [remark, name].concat();
        assert!(!shown.contains(['<', '>', '"', '\'']), "HTML in {shown:?}");
    }
}
