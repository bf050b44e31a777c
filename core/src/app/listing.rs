//! A folder shown: what is in it, as HTML for people or as JSON for programs.
//!
//! Names are bytes that anybody may have chosen. As text they are escaped; what leads to a file is
//! its name with all but letters, digits and `-._~` percent-encoded behind `./`, which no name can
//! turn into another address.

use alloc::vec::Vec;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::{App, SitePath};
use crate::http::accept::Form;
use crate::http::date;
use crate::text::{decimal, escape, json_string, size};

/// A page of what is in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Which page it is, from 1.
    pub page: u32,
    /// How many there are, at least 1.
    pub pages: u32,
    /// Folders first, then by the bytes of their names.
    pub entries: Vec<FolderEntry>,
    /// There are more names in the folder than are read.
    pub is_cut: bool,
}

/// A file or a folder in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderEntry {
    /// Its name: any bytes but `/`, NUL, CR and LF.
    pub name: Vec<u8>,
    /// Its length in bytes if it is a file; none if it is a folder.
    pub len: Option<u64>,
    /// When it was last changed, in seconds since 1970.
    pub modified_unix_s: u64,
}

/// All but what stands for itself wherever it stands in a URI (RFC 3986 §2.3).
const NOT_UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Listing {
    /// The page in one of its forms. `path` is the folder's.
    pub(crate) fn show(&self, form: Form, path: &SitePath, app: &App) -> Vec<u8> {
        match form {
            Form::Json => self.json(path),
            Form::Html => app.templates.listing.fill(&[
                &|out| {
                    out.push(b'/');
                    escape(out, path.as_bytes());
                },
                &|out| self.html(out, path),
            ]),
        }
    }

    fn html(&self, out: &mut Vec<u8>, path: &SitePath) {
        out.extend_from_slice(
            b"<table class=\"listing\">\n<thead><tr><th scope=\"col\">Name</th>\
              <th scope=\"col\">Size</th><th scope=\"col\">Changed (UTC)</th></tr></thead>\n\
              <tbody>\n",
        );
        if !path.as_bytes().is_empty() {
            out.extend_from_slice(
                b"<tr><td><a href=\"../\">the folder above</a></td><td></td><td></td></tr>\n",
            );
        }
        for entry in &self.entries {
            entry.html(out);
        }
        out.extend_from_slice(b"</tbody>\n</table>\n");
        if self.entries.is_empty() {
            out.extend_from_slice(b"<p class=\"note\">There is nothing here to be shown.</p>\n");
        }
        if self.is_cut {
            out.extend_from_slice(
                b"<p class=\"note\">There is more in this folder than is listed.</p>\n",
            );
        }
        self.navigation(out);
    }

    fn navigation(&self, out: &mut Vec<u8>) {
        if self.pages == 1 {
            return;
        }
        out.extend_from_slice(b"<nav class=\"pages\">");
        if self.page > 1 {
            out.extend_from_slice(b"<a rel=\"prev\" href=\"");
            self.link(out, self.page - 1);
            out.extend_from_slice(b"\">previous page</a> ");
        }
        out.extend_from_slice(b"<span>page ");
        decimal(out, u64::from(self.page));
        out.extend_from_slice(b" of ");
        decimal(out, u64::from(self.pages));
        out.extend_from_slice(b"</span>");
        if self.page < self.pages {
            out.extend_from_slice(b" <a rel=\"next\" href=\"");
            self.link(out, self.page + 1);
            out.extend_from_slice(b"\">next page</a>");
        }
        out.extend_from_slice(b"</nav>\n");
    }

    fn link(&self, out: &mut Vec<u8>, page: u32) {
        out.extend_from_slice(b"./");
        if page > 1 {
            out.extend_from_slice(b"?page=");
            decimal(out, u64::from(page));
        }
    }

    fn json(&self, path: &SitePath) -> Vec<u8> {
        let mut out = Vec::with_capacity(128 + self.entries.len() * 128);
        out.extend_from_slice(b"{\"path\":");
        let mut target = Vec::new();
        path.write_folder_target(&mut target);
        json_string(&mut out, &target);
        out.extend_from_slice(b",\"page\":");
        decimal(&mut out, u64::from(self.page));
        out.extend_from_slice(b",\"pages\":");
        decimal(&mut out, u64::from(self.pages));
        out.extend_from_slice(b",\"is_complete\":");
        out.extend_from_slice(if self.is_cut { b"false" } else { b"true" });
        out.extend_from_slice(b",\"entries\":[");
        for (index, entry) in self.entries.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"\n" } else { b",\n" });
            entry.json(&mut out);
        }
        out.extend_from_slice(b"\n]}\n");
        out
    }
}

impl FolderEntry {
    /// A reference to it from its folder.
    fn write_href(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"./");
        out.extend(percent_encode(&self.name, NOT_UNRESERVED).flat_map(str::bytes));
        if self.len.is_none() {
            out.push(b'/');
        }
    }

    fn html(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<tr><td><a href=\"");
        self.write_href(out);
        // A name that is written from right to left must not turn its row around.
        out.extend_from_slice(b"\"><bdi>");
        escape(out, &self.name);
        out.extend_from_slice(b"</bdi>");
        if self.len.is_none() {
            out.push(b'/');
        }
        out.extend_from_slice(b"</a></td><td>");
        if let Some(len) = self.len {
            size(out, len);
        }
        out.extend_from_slice(b"</td><td><time datetime=\"");
        let start = out.len();
        date::append_rfc_3339(out, self.modified_unix_s);
        let (day, time) = (start..start + 10, start + 11..start + 16);
        out.extend_from_slice(b"\">");
        out.extend_from_within(day);
        out.push(b' ');
        out.extend_from_within(time);
        out.extend_from_slice(b"</time></td></tr>\n");
    }

    fn json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"name\":");
        json_string(out, &self.name);
        out.extend_from_slice(b",\"href\":\"");
        self.write_href(out);
        match self.len {
            None => out.extend_from_slice(b"\",\"type\":\"directory\""),
            Some(len) => {
                out.extend_from_slice(b"\",\"type\":\"file\",\"size_bytes\":");
                decimal(out, len);
            }
        }
        out.extend_from_slice(b",\"modified_unix_s\":");
        decimal(out, self.modified_unix_s);
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Templates;
    use crate::limits::Limits;
    use alloc::string::String;
    use alloc::vec;

    fn shown(form: Form, path: &[u8], entries: Vec<FolderEntry>) -> String {
        let text = b"$VISITOR_COUNT$$GUEST_REMARKS$$PROBLEMS$$GUEST_NAME$$GUEST_REMARK$$STATUS$\
            $REASON$$EXPLANATION$[$FOLDER$]$ENTRIES$";
        let load = |_| Ok::<_, crate::app::BadTemplate>(text.to_vec());
        let templates = Templates::load(load).unwrap();
        let limits = Limits::default();
        let app = App { templates, limits, guestbook: true, listing: true };
        let path = SitePath::parse(path).unwrap();
        let listing = Listing { page: 1, pages: 1, entries, is_cut: false };
        String::from_utf8(listing.show(form, &path, &app)).unwrap()
    }

    fn file(name: &[u8]) -> FolderEntry {
        FolderEntry { name: name.to_vec(), len: Some(1234), modified_unix_s: 784_111_777 }
    }

    #[test]
    fn a_row_of_each_kind() {
        let folder = FolderEntry { len: None, ..file(b"docs") };
        let html = shown(Form::Html, b"/a/", vec![folder.clone(), file(b"b.txt")]);
        assert!(html.contains("<a href=\"../\">the folder above</a>"));
        for row in [
            "<tr><td><a href=\"./docs/\"><bdi>docs</bdi>/</a></td><td></td>",
            "<tr><td><a href=\"./b.txt\"><bdi>b.txt</bdi></a></td><td>1.2 kB</td>",
            "<td><time datetime=\"1994-11-06T08:49:37Z\">1994-11-06 08:49</time></td></tr>\n",
        ] {
            assert!(html.contains(row), "{row} in {html}");
        }
        let json = shown(Form::Json, b"/a/", vec![folder, file(b"b.txt")]);
        assert_eq!(
            json,
            "{\"path\":\"/a/\",\"page\":1,\"pages\":1,\"is_complete\":true,\"entries\":[\n\
             {\"name\":\"docs\",\"href\":\"./docs/\",\"type\":\"directory\",\
             \"modified_unix_s\":784111777},\n\
             {\"name\":\"b.txt\",\"href\":\"./b.txt\",\"type\":\"file\",\"size_bytes\":1234,\
             \"modified_unix_s\":784111777}\n]}\n"
        );
    }

    #[test]
    fn nothing_is_above_the_root() {
        assert!(!shown(Form::Html, b"/", vec![file(b"a")]).contains("../"));
    }

    #[test]
    fn no_name_is_anything_but_a_name() {
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
            let text = shown(Form::Html, b"/", vec![file(name.as_bytes())]);
            let row = alloc::format!("<a href=\"./{href}\"><bdi>{html}</bdi></a>");
            assert!(text.contains(&row), "{row} in {text}");
            let text = shown(Form::Json, b"/", vec![file(name.as_bytes())]);
            let json = json.unwrap_or(name);
            let row = alloc::format!("{{\"name\":\"{json}\",\"href\":\"./{href}\",");
            assert!(text.contains(&row), "{row} in {text}");
        }
        let text = shown(Form::Json, b"/", vec![file(b"a\xff\xfeb")]);
        assert!(text.contains("\"name\":\"a\u{fffd}\u{fffd}b\",\"href\":\"./a%FF%FEb\""));
        let text = shown(Form::Html, b"/", vec![file(b"a\xffb")]);
        assert!(text.contains("<a href=\"./a%FFb\"><bdi>a\u{fffd}b</bdi></a>"));
        let text = shown(Form::Html, b"/%3Cb%3E/\"/", Vec::new());
        assert!(text.contains("[/&lt;b&gt;/&quot;/]"), "{text}");
    }

    #[test]
    fn what_was_not_read_is_owned_up_to() {
        let app_text = shown(Form::Json, b"/", Vec::new());
        assert!(app_text.contains("\"is_complete\":true"));
        let path = SitePath::parse(b"/").unwrap();
        let listing = Listing { page: 1, pages: 1, entries: Vec::new(), is_cut: true };
        let mut html = Vec::new();
        listing.html(&mut html, &path);
        assert!(String::from_utf8(html).unwrap().contains("There is more in this folder"));
        let json = String::from_utf8(listing.json(&path)).unwrap();
        assert!(json.contains("\"is_complete\":false"));
    }
}
