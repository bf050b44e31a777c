//! Folders without an index, with listings enabled or not.

use crate::client::Client;
use crate::script::{Answer, read_answer};

/// A client of a site with listings.
fn client() -> Client {
    let mut client = Client::new();
    client.app.listing = true;
    client
}

fn ask(client: &mut Client, line: &str, fields: &str) -> Answer {
    client.push(format!("{line} HTTP/1.1\r\nHost: x\r\n{fields}\r\n").as_bytes());
    let out = client.take();
    let (answer, used) = read_answer(&out, line.starts_with("HEAD")).unwrap().expect("an answer");
    assert_eq!(used, out.len(), "one answer");
    answer
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).expect("UTF-8")
}

#[test]
fn a_folder_is_shown_to_people_and_to_programs() {
    let mut client = client();
    let html = ask(&mut client, "GET /folder2/", "");
    assert_eq!(html.status, 200);
    assert_eq!(html.field("Content-Type"), Ok(Some(&b"text/html; charset=utf-8"[..])));
    assert_eq!(html.field("Vary"), Ok(Some(&b"Accept"[..])));
    assert!(text(&html).contains("<a href=\"./note.txt\"><bdi>note.txt</bdi></a>"));
    let json = ask(&mut client, "GET /folder2/", "Accept: application/json\r\n");
    assert_eq!(json.field("Content-Type"), Ok(Some(&b"application/json"[..])));
    assert_eq!(json.field("Vary"), Ok(Some(&b"Accept"[..])));
    assert_eq!(
        text(&json),
        "{\"path\":\"/folder2/\",\"page\":1,\"pages\":1,\"next\":null,\
         \"is_complete\":true,\"is_truncated\":false,\"entries\":[\n\
         {\"name\":\"note.txt\",\"href\":\"./note.txt\",\"type\":\"file\",\"size_bytes\":26,\
         \"modified_unix_s\":784111777}\n]}\n"
    );
    for answer in [&html, &json] {
        for field in ["Content-Security-Policy", "X-Content-Type-Options", "Cache-Control"] {
            assert!(answer.field(field).unwrap().is_some(), "{field}");
        }
        for field in ["ETag", "Last-Modified", "Accept-Ranges"] {
            assert!(answer.field(field).unwrap().is_none(), "{field}");
        }
    }
}

#[test]
fn a_folder_is_not_shown_unless_the_operator_wants_it() {
    let mut client = Client::new();
    assert_eq!(ask(&mut client, "GET /folder2/", "").status, 404);
    assert_eq!(ask(&mut client, "OPTIONS /folder2/", "").status, 404);
}

#[test]
fn a_folder_with_an_index_shows_it_and_a_missing_folder_is_not_found() {
    let mut client = client();
    assert!(text(&ask(&mut client, "GET /folder/", "")).contains("The index of a folder."));
    for target in ["/nothing/", "/.secret/", "/hello.txt/", "/folder2/note.txt/"] {
        assert_eq!(ask(&mut client, &format!("GET {target}"), "").status, 404, "{target}");
    }
    client.site.add("404.html", b"our own page\n".to_vec());
    let missing = ask(&mut client, "GET /nothing/", "");
    assert_eq!((missing.status, &missing.body[..]), (404, &b"our own page\n"[..]));
    let moved = ask(&mut client, "GET /folder2", "");
    assert_eq!((moved.status, moved.field("Location")), (301, Ok(Some(&b"/folder2/"[..]))));
}

#[test]
fn a_folder_answers_the_methods_of_a_file() {
    let mut client = client();
    let get = ask(&mut client, "GET /folder2/", "");
    let head = ask(&mut client, "HEAD /folder2/", "");
    assert_eq!((head.status, &head.fields), (200, &get.fields));
    assert_eq!(head.body, b"");
    let options = ask(&mut client, "OPTIONS /folder2/", "");
    assert_eq!(options.status, 204);
    assert_eq!(options.field("Allow"), Ok(Some(&b"GET, HEAD, OPTIONS"[..])));
    let post = ask(&mut client, "POST /folder2/", "");
    assert_eq!((post.status, post.field("Allow")), (405, options.field("Allow")));
}

#[test]
fn a_folder_has_no_version_and_no_parts() {
    let mut client = client();
    for (fields, status) in [
        ("If-None-Match: *\r\n", 304),
        ("If-Match: \"a\"\r\n", 412),
        ("If-Match: *\r\n", 200),
        ("If-None-Match: \"a\"\r\n", 200),
        ("If-Modified-Since: Sun, 06 Nov 2094 08:49:37 GMT\r\n", 200),
        ("Range: bytes=0-0\r\n", 200),
    ] {
        assert_eq!(ask(&mut client, "GET /folder2/", fields).status, status, "{fields}");
    }
    let not_modified = ask(&mut client, "GET /folder2/", "If-None-Match: *\r\n");
    assert_eq!(not_modified.field("Vary"), Ok(Some(&b"Accept"[..])));
    assert_eq!(ask(&mut client, "HEAD /folder2/", "If-None-Match: *\r\n").status, 304);
    // Conditions are ignored for a missing folder or a method without content (RFC 9110 §13.2.1).
    assert_eq!(ask(&mut client, "GET /nothing/", "If-None-Match: *\r\n").status, 404);
    assert_eq!(ask(&mut client, "OPTIONS /folder2/", "If-Match: \"a\"\r\n").status, 204);
    assert_eq!(ask(&mut client, "POST /folder2/", "If-None-Match: *\r\n").status, 405);
}

#[test]
fn a_large_folder_is_shown_in_pages() {
    let mut client = client();
    client.site.add_empty_folder("many");
    for name in ["a", "b", "c", "d", "e", "f", "g"] {
        client.site.add(&format!("many/{name}"), Vec::new());
    }
    let mut page = |query: &str| ask(&mut client, &format!("GET /many/{query}"), "");
    let first = text(&page(""));
    assert!(first.contains("./a\"") && first.contains("./c\"") && !first.contains("./d\""));
    assert!(first.contains("<span>page 1 of 3</span> <a rel=\"next\" href=\"./?page=2\">"));
    assert!(!first.contains("rel=\"prev\""));
    let link = page("").field("Link").map(|link| link.map(<[u8]>::to_vec));
    assert_eq!(link, Ok(Some(b"<./?page=2>; rel=\"next\"".to_vec())));
    assert_eq!(page("?page=3").field("Link"), Ok(None));
    let second = text(&page("?x=y&page=2"));
    assert!(second.contains("./d\"") && second.contains("./f\"") && !second.contains("./c\""));
    assert!(second.contains("rel=\"prev\" href=\"./\"") && second.contains("href=\"./?page=3\""));
    let third = text(&page("?page=3"));
    assert!(third.contains("rel=\"prev\" href=\"./?page=2\"") && !third.contains("rel=\"next\""));
    for query in ["?page=4", "?page=0", "?page=", "?page=-1", "?page=99999999999"] {
        assert_eq!(page(query).status, 404, "{query}");
    }
}

#[test]
fn well_known_files_are_served_and_not_listed() {
    let mut client = client();
    for name in ["security.txt", "a/b", ".hidden"] {
        client.site.add(&format!(".well-known/{name}"), b"here\n".to_vec());
    }
    let root = ask(&mut client, "GET /?page=1", "");
    client.site.add("folder2/.well-known/x", b"hidden\n".to_vec());
    for (target, status) in [
        ("/.well-known/security.txt", 200),
        ("/.well-known/a/b", 200),
        ("/.well-known/", 200),
        ("/.well-known/.hidden", 404),
        ("/folder2/.well-known/x", 404),
        ("/folder2/.well-known/", 404),
    ] {
        assert_eq!(ask(&mut client, &format!("GET {target}"), "").status, status, "{target}");
    }
    let text = text(&ask(&mut client, "GET /.well-known/", ""));
    assert!(text.contains("./security.txt") && !text.contains("hidden"), "{text}");
    assert_eq!(root.status, 200);
    assert!(!String::from_utf8(root.body).unwrap().contains("well-known"));
}

#[test]
fn an_empty_folder_has_a_note_and_a_link_to_the_folder_above() {
    let mut client = client();
    client.site.add_empty_folder("empty");
    let html = text(&ask(&mut client, "GET /empty/", ""));
    assert!(html.contains("There is nothing here to be shown.") && html.contains("href=\"../\""));
    let json = text(&ask(&mut client, "GET /empty/", "Accept: application/json\r\n"));
    assert!(json.contains("\"entries\":[\n]}"), "{json}");
}
