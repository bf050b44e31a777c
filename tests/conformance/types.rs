//! Media types, and the Content-Encoding of compressed SVG.

use crate::support::cases::test;
use crate::support::{Server, Store, TempDir};

const TYPES: [(&str, &str); 22] = [
    ("a.ts", "video/mp2t"),
    ("a.m3u8", "application/vnd.apple.mpegurl"),
    ("a.m4s", "video/iso.segment"),
    ("a.rpm", "application/x-redhat-package-manager"),
    ("a.woff", "font/woff"),
    ("a.otf", "font/otf"),
    ("a.vcf", "text/vcard; charset=utf-8"),
    ("a.mjs", "text/javascript; charset=utf-8"),
    ("a.cjs", "text/javascript; charset=utf-8"),
    ("a.zst", "application/zstd"),
    ("a.stl", "model/stl"),
    ("a.OBJ", "model/obj"),
    ("a.txt", "text/plain; charset=utf-8"),
    ("a.html", "text/html; charset=utf-8"),
    // Names without an extension.
    ("html", "application/octet-stream"),
    ("js", "application/octet-stream"),
    // XML declares its own charset.
    ("a.xml", "text/xml"),
    ("a.svg", "image/svg+xml"),
    ("a.atom", "application/atom+xml"),
    ("a.xsl", "text/xml"),
    ("a.dtd", "text/xml"),
    ("a.svgz", "image/svg+xml"),
];

test!(Architecture, files_have_the_types_of_their_extensions);
fn files_have_the_types_of_their_extensions(arch: &str) {
    let root = TempDir::new();
    TYPES.iter().for_each(|(name, _)| root.write(name, "1"));
    let (store, root) = (Store::embedded(), root.path().display().to_string());
    let server = Server::start(arch, &store.url(), &["--root", &root]);
    let mut client = server.client();
    for (name, kind) in TYPES {
        let answer = client.get(&format!("/{name}"));
        assert_eq!(answer.field("Content-Type"), Ok(Some(kind.as_bytes())), "{name}");
    }
}

test!(Architecture, compressed_svg_is_sent_with_its_content_encoding);
fn compressed_svg_is_sent_with_its_content_encoding(arch: &str) {
    let root = TempDir::new();
    root.write("a.svgz", "compressed");
    // This encoded version is never served, as the file itself is already compressed.
    root.write("a.svgz.gz", "compressed twice");
    let (store, root) = (Store::embedded(), root.path().display().to_string());
    let server = Server::start(arch, &store.url(), &["--root", &root]);
    let mut client = server.client();
    for accept in ["gzip", "identity", "gzip;q=0, br"] {
        client.send(format!(
            "GET /a.svgz HTTP/1.1\r\nHost: test\r\nAccept-Encoding: {accept}\r\n\r\n"
        ));
        let answer = client.answer();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"compressed"[..]), "{accept}");
        assert_eq!(answer.field("Content-Encoding"), Ok(Some(&b"gzip"[..])), "{accept}");
        assert_eq!(answer.field("Vary"), Ok(None), "{accept}");
    }
}
