//! Pages of a folder, as HTML and as JSON.

use alloc::string::String;
use alloc::vec;

use super::*;
use crate::app::template::placeholders_only;

/// The whole text of a page; checks its length.
fn text(mut rendering: ListingRendering) -> String {
    let (mut out, bytes) = (Vec::new(), rendering.bytes_left());
    while rendering.bytes_left() > 0 {
        let before = out.len();
        rendering.write(&mut out);
        assert!(out.len() > before, "a piece without bytes");
    }
    assert_eq!(out.len() as u64, bytes);
    String::from_utf8(out).unwrap()
}

fn rendered(form: Form, path: &[u8], entries: Vec<FolderEntry>) -> String {
    let (templates, path) = (placeholders_only(), SitePath::parse(path).unwrap());
    let mut listing = Listing::new(1, 1, false);
    entries.into_iter().for_each(|entry| listing.push(entry));
    text(Arc::new(listing).into_rendering(form, &path, &templates))
}

fn file(name: &[u8]) -> FolderEntry {
    FolderEntry { name: name.to_vec(), len: Some(1234), modified_unix_s: 784_111_777 }
}

#[test]
fn a_row_of_each_kind() {
    let folder = FolderEntry { len: None, ..file(b"docs") };
    let html = rendered(Form::Html, b"/a/", vec![folder.clone(), file(b"b.txt")]);
    assert!(html.contains("<a href=\"../\">the folder above</a>"));
    for row in [
        "<tr><td><a href=\"./docs/\"><bdi>docs</bdi>/</a></td><td></td>",
        "<tr><td><a href=\"./b.txt\"><bdi>b.txt</bdi></a></td><td>1.2 kB</td>",
        "<td><time datetime=\"1994-11-06T08:49:37Z\">1994-11-06 08:49</time></td></tr>\n",
    ] {
        assert!(html.contains(row), "{row} in {html}");
    }
    let json = rendered(Form::Json, b"/a/", vec![folder, file(b"b.txt")]);
    assert_eq!(
        json,
        "{\"path\":\"/a/\",\"page\":1,\"pages\":1,\"next\":null,\
         \"is_complete\":true,\"is_truncated\":false,\"entries\":[\n\
         {\"name\":\"docs\",\"href\":\"./docs/\",\"type\":\"directory\",\
         \"modified_unix_s\":784111777},\n\
         {\"name\":\"b.txt\",\"href\":\"./b.txt\",\"type\":\"file\",\"size_bytes\":1234,\
         \"modified_unix_s\":784111777}\n]}\n"
    );
}

#[test]
fn the_root_has_no_link_to_a_folder_above() {
    assert!(!rendered(Form::Html, b"/", vec![file(b"a")]).contains("../"));
}

#[test]
fn names_are_escaped_in_text_and_in_links() {
    for (name, href, html, json) in [
        ("javascript:alert(1)", "javascript%3Aalert%281%29", "javascript:alert(1)", None),
        ("a?b#c", "a%3Fb%23c", "a?b#c", None),
        ("100%41", "100%2541", "100%41", None),
        ("-rf", "-rf", "-rf", None),
        ("a b+c", "a%20b%2Bc", "a b+c", None),
        ("q\"'>", "q%22%27%3E", "q&quot;&#39;&gt;", Some("q\\\"'>")),
        ("<script>", "%3Cscript%3E", "&lt;script&gt;", Some("<script>")),
        ("&amp;", "%26amp%3B", "&amp;amp;", Some("&amp;")),
        ("a\\b", "a%5Cb", "a\\b", Some("a\\\\b")),
        ("\u{1b}[2J\t", "%1B%5B2J%09", "\u{1b}[2J\t", Some("\\u001b[2J\\u0009")),
        ("\u{202e}txt.exe", "%E2%80%AEtxt.exe", "\u{202e}txt.exe", None),
    ] {
        let text = rendered(Form::Html, b"/", vec![file(name.as_bytes())]);
        let row = alloc::format!("<a href=\"./{href}\"><bdi>{html}</bdi></a>");
        assert!(text.contains(&row), "{row} in {text}");
        let text = rendered(Form::Json, b"/", vec![file(name.as_bytes())]);
        let json = json.unwrap_or(name);
        let row = alloc::format!("{{\"name\":\"{json}\",\"href\":\"./{href}\",");
        assert!(text.contains(&row), "{row} in {text}");
    }
    let text = rendered(Form::Json, b"/", vec![file(b"a\xff\xfeb")]);
    assert!(text.contains("\"name\":\"a\u{fffd}\u{fffd}b\",\"href\":\"./a%FF%FEb\""));
    let text = rendered(Form::Html, b"/", vec![file(b"a\xffb")]);
    assert!(text.contains("<a href=\"./a%FFb\"><bdi>a\u{fffd}b</bdi></a>"));
    let text = rendered(Form::Html, b"/%3Cb%3E/\"/", Vec::new());
    assert!(text.contains("[/&lt;b&gt;/&quot;/]"), "{text}");
}

#[test]
fn a_page_links_to_the_next_and_says_whether_it_is_complete() {
    let (templates, path) = (placeholders_only(), SitePath::parse(b"/").unwrap());
    for (page, pages, is_truncated, json, html) in [
        (1, 1, false, "null,\"is_complete\":true,\"is_truncated\":false", ""),
        (1, 2, false, "\"./?page=2\",\"is_complete\":false,\"is_truncated\":false", "next"),
        (2, 2, false, "null,\"is_complete\":false,\"is_truncated\":false", "prev"),
        (1, 1, true, "null,\"is_complete\":false,\"is_truncated\":true", "There is more"),
    ] {
        let listing = Arc::new(Listing::new(page, pages, is_truncated));
        let page_text = text(listing.clone().into_rendering(Form::Json, &path, &templates));
        assert!(page_text.contains(&alloc::format!("\"next\":{json}")), "{page_text}");
        let page_text = text(listing.into_rendering(Form::Html, &path, &templates));
        assert!(page_text.contains(html), "{page_text}");
    }
}

#[test]
fn a_long_page_is_written_in_pieces() {
    for form in [Form::Html, Form::Json] {
        let mut listing = Listing::new(1, 1, false);
        let names = (0..3000).map(|number| alloc::format!("{number:05}.txt"));
        names.for_each(|name| listing.push(file(name.as_bytes())));
        let path = SitePath::parse(b"/").unwrap();
        let mut rendering = Arc::new(listing).into_rendering(form, &path, &placeholders_only());
        let (mut pieces, mut whole) = (0, Vec::new());
        while rendering.bytes_left() > 0 {
            let mut piece = Vec::new();
            rendering.write(&mut piece);
            assert!(piece.len() < limits::LISTING_PIECE_BYTES + 4096);
            whole.extend(piece);
            pieces += 1;
        }
        let whole = String::from_utf8(whole).unwrap();
        assert_eq!(whole.matches(".txt\"").count(), 3000 * (1 + usize::from(form == Form::Json)));
        assert!(pieces > 3, "{pieces}");
    }
}
