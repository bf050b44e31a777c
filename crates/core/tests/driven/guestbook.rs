//! The guestbook: which visitors are counted, the order of remarks, and the answers while the store
//! is down.

use zerohttpd_core::store::{Query, StoreDown};
use zerohttpd_core::{CloseReason, Completion, Operation, Want};

use crate::client::{Client, SIGNED, get};

fn page(client: &mut Client, target: &str) -> String {
    client.take();
    client.get(target);
    String::from_utf8(client.take()).expect("a page")
}

#[test]
fn a_get_counts_its_visitor_and_a_head_never_does() {
    let mut client = Client::new();
    for (method, counted) in [("GET", 1), ("HEAD", 1), ("GET", 2), ("HEAD", 2), ("OPTIONS", 2)] {
        client.push(format!("{method} /guestbook HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        assert_eq!(client.store.visits, counted, "after {method}");
    }
    assert_eq!(client.statuses(), [200, 200, 200, 200, 204]);
    client.conn.received(b"HEAD /guestbook?page=3 HTTP/1.1\r\nHost: x\r\n\r\n");
    let want = client.poll();
    let expected = Query::Visit { page: 3, is_counted: false };
    assert!(
        matches!(&want, Want::Perform(_, Operation::Ask(query)) if *query == expected),
        "{want:?}"
    );
}

#[test]
fn every_page_counts_a_visit_and_a_page_that_does_not_exist_counts_none() {
    let mut client = Client::new();
    for target in ["/guestbook", "/guestbook?page=2", "/guestbook?page=500"] {
        client.get(target);
    }
    assert_eq!(client.store.visits, 3);
    client.get("/guestbook?page=501");
    client.get("/guestbook/thanks");
    assert_eq!(client.store.visits, 3);
}

#[test]
fn a_visitor_has_a_number_with_commas() {
    let mut client = Client::new();
    client.store.visits = 1_234_566;
    assert!(page(&mut client, "/guestbook").contains("visitor 1,234,567 "));
}

#[test]
fn remarks_are_shown_the_newest_first_a_page_at_a_time() {
    let mut client = Client::new();
    client.store.remarks = (1..=45).map(|n| format!("remark <{n}>").into_bytes()).collect();
    let shown = |text: &str| -> Vec<u32> {
        let parts = text.split("remark &lt;").skip(1);
        parts.map(|part| part.split('&').next().unwrap_or_default().parse().unwrap()).collect()
    };
    let first = page(&mut client, "/guestbook");
    assert_eq!(shown(&first), (26..=45).rev().collect::<Vec<_>>());
    assert!(first.contains("href=\"/guestbook?page=2\"") && !first.contains("rel=\"prev\""));
    let second = page(&mut client, "/guestbook?page=2");
    assert_eq!(shown(&second), (6..=25).rev().collect::<Vec<_>>());
    assert!(second.contains("rel=\"prev\" href=\"/guestbook\""));
    assert!(second.contains("rel=\"next\" href=\"/guestbook?page=3\""));
    let third = page(&mut client, "/guestbook?page=3");
    assert_eq!(shown(&third), (1..=5).rev().collect::<Vec<_>>());
    assert!(third.contains("href=\"/guestbook?page=2\"") && !third.contains("rel=\"next\""));
    let fourth = page(&mut client, "/guestbook?page=4");
    assert_eq!(shown(&fourth), []);
    assert!(fourth.contains("rel=\"prev\""), "a link to newer remarks");
}

#[test]
fn a_full_last_page_has_no_link_to_an_older_one() {
    let mut client = Client::new();
    client.store.remarks = vec![b"x".to_vec(); 20];
    assert!(!page(&mut client, "/guestbook").contains("<nav"));
    client.store.remarks = vec![b"x".to_vec(); 500 * 20];
    let last = page(&mut client, "/guestbook?page=500");
    assert!(!last.contains("rel=\"next\"") && !last.contains("Older remarks"), "{last}");
}

#[test]
fn the_last_page_says_that_older_remarks_are_not_shown() {
    let mut client = Client::new();
    client.store.remarks = vec![b"x".to_vec(); 500 * 20 + 1];
    let last = page(&mut client, "/guestbook?page=500");
    assert!(!last.contains("rel=\"next\""), "no link beyond the last page");
    assert!(last.contains("rel=\"prev\" href=\"/guestbook?page=499\""), "{last}");
    assert!(last.contains("shows its newest 10,000 remarks. Older remarks are kept"), "{last}");
    let before = page(&mut client, "/guestbook?page=499");
    assert!(before.contains("href=\"/guestbook?page=500\"") && !before.contains("Older remarks"));
    for target in ["/guestbook?page=501", "/guestbook?page=4294967296"] {
        let beyond = page(&mut client, target);
        assert!(beyond.starts_with("HTTP/1.1 404 "), "{beyond}");
        assert!(beyond.contains("newest 10,000 remarks, on at most 500 pages"), "{beyond}");
    }
}

#[test]
fn a_visitor_whose_condition_rules_the_page_out_is_not_counted() {
    let mut client = Client::new();
    let conditional = |method, field| {
        format!("{method} /guestbook HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\n").into_bytes()
    };
    client.push(&conditional("GET", "If-None-Match: *"));
    client.push(&conditional("HEAD", "If-None-Match: *"));
    client.push(&conditional("GET", "If-Match: \"a\""));
    assert_eq!((client.store.visits, client.statuses()), (0, vec![304, 304, 412]));
    client.push(&conditional("GET", "If-None-Match: \"a\""));
    assert_eq!(client.store.visits, 1);
    // Without the store there is no page, so there is no 304 either.
    client.store.down = Some(StoreDown::Unreachable);
    client.push(&conditional("GET", "If-None-Match: *"));
    assert_eq!(client.statuses()[3..], [200, 503]);
}

#[test]
fn remarks_that_another_program_wrote_are_shown_whatever_their_bytes() {
    let mut client = Client::new();
    client.store.remarks = vec![b"\xff<b>\0".to_vec(), Vec::new()];
    let shown = page(&mut client, "/guestbook");
    let expected = "<p class=\"guest-entry\"><bdi></bdi></p>\n\
         <p class=\"guest-entry\"><bdi>\u{fffd}&lt;b&gt;\0</bdi></p>";
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn the_author_is_the_text_after_the_last_separator() {
    let mut client = Client::new();
    for (item, remark, name) in [
        ("Hello - Ada", "Hello", Some("Ada")),
        ("one - two - Ada", "one - two", Some("Ada")),
        ("one\n - two - Ada", "one\n - two", Some("Ada")),
        (" - Ada", "", Some("Ada")),
        ("Hello - <i>", "Hello", Some("&lt;i&gt;")),
        ("\u{202e}olleH\u{2069} - \u{202e}adA", "\u{202e}olleH\u{2069}", Some("\u{202e}adA")),
        // Items that other programs wrote.
        ("Hello", "Hello", None),
        ("Hello - ", "Hello - ", None),
        ("Hello -Ada", "Hello -Ada", None),
        (" - ", " - ", None),
        ("", "", None),
    ] {
        client.store.remarks = vec![item.into()];
        let shown = page(&mut client, "/guestbook");
        let name =
            name.map(|name| format!("<span class=\"guest-name\"> - <bdi>{name}</bdi></span>"));
        let expected = format!(
            "<p class=\"guest-entry\"><bdi>{remark}</bdi>{}</p>\n",
            name.unwrap_or_default()
        );
        assert!(shown.contains(&expected), "{expected} in {shown}");
    }
}

#[test]
fn a_remark_is_stored_as_the_original_program_stored_it() {
    let mut client = Client::new();
    client.push(SIGNED);
    assert_eq!(client.store.remarks, [b"Hello - Ada"]);
    assert_eq!(client.statuses(), [303]);
}

#[test]
fn every_store_failure_affects_the_guestbook_only() {
    for why in StoreDown::ALL {
        let mut client = Client::new();
        client.store.down = Some(why);
        client.get("/guestbook");
        client.push(SIGNED);
        client.push(b"HEAD /guestbook HTTP/1.1\r\nHost: x\r\n\r\n");
        let out = String::from_utf8(client.take()).expect("pages");
        assert_eq!(out.matches("HTTP/1.1 503 ").count(), 3, "{why}");
        assert_eq!(out.matches("\r\nRetry-After: 5\r\n").count(), 3, "{why}");
        assert!(!out.contains("Connection: close"), "{why}");
        client.get("/hello.txt");
        client.get("/guestbook/thanks");
        client.push(b"OPTIONS /guestbook HTTP/1.1\r\nHost: x\r\n\r\n");
        client.store.down = None;
        client.get("/guestbook");
        assert_eq!(client.statuses(), [503, 503, 503, 200, 200, 204, 200], "{why}");
    }
}

#[test]
fn a_form_is_sent_back_when_the_store_does_not_keep_its_remark() {
    for why in StoreDown::ALL {
        let mut client = Client::new();
        client.store.down = Some(why);
        let body = "guest-name=%22Ada%22&guest-remarks=%0Done%0D%0A%3C/textarea%3E+-+two";
        client.push(
            format!(
                "POST /guestbook HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        );
        assert_eq!(client.statuses(), [503], "{why}");
        let page = String::from_utf8(client.take()).expect("a page");
        assert!(page.contains("&quot;Ada&quot;"), "{why}: {page}");
        assert!(page.ends_with("<textarea>one\n&lt;/textarea&gt; - two"), "{why}: {page}");
        assert!(page.contains("\r\nRetry-After: 5\r\n"), "{why}: {page}");
        // If the store may have kept the remark, the page says so: sent again, the remark could be
        // stored twice.
        let is_known = !matches!(why, StoreDown::Broken | StoreDown::TimedOut);
        assert_eq!(page.contains("Not signed yet<ul>"), is_known, "{why}: {page}");
        assert_eq!(page.contains("did not keep your remark"), is_known, "{why}: {page}");
        assert_eq!(page.contains("Perhaps signed<ul>"), !is_known, "{why}: {page}");
        assert_eq!(page.contains("before you send it again"), !is_known, "{why}: {page}");
    }
}

#[test]
fn a_form_that_is_refused_never_reaches_the_store() {
    let mut client = Client::new();
    client.store.down = Some(StoreDown::Unreachable);
    client.push(
        b"POST /guestbook HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\
        Content-Type: application/x-www-form-urlencoded\r\n\r\n",
    );
    assert_eq!(client.statuses(), [400], "not 503: the store was not asked");
}

#[test]
fn a_ticket_completes_one_operation_once() {
    let mut client = Client::new();
    client.conn.received(&get("/guestbook").repeat(2));
    let Want::Perform(first, Operation::Ask(query)) = client.poll() else { panic!("a question") };
    let reply = client.store.ask(&query);
    client.conn.completed(first, Completion::Answered(reply.clone()));
    client.conn.completed(first, Completion::Answered(Err(StoreDown::Broken)));
    let transmit = client.poll_transmit();
    client.conn.completed(first, Completion::Answered(Err(StoreDown::Broken)));
    client.deliver(transmit);
    let Want::Perform(second, Operation::Ask(_)) = client.poll() else {
        panic!("the second question")
    };
    client.conn.completed(first, Completion::Answered(Err(StoreDown::Broken)));
    assert!(matches!(client.poll(), Want::Wait));
    client.conn.completed(second, Completion::Answered(reply));
    client.perform_all();
    assert_eq!((client.statuses(), client.end), (vec![200, 200], None::<CloseReason>));
}
