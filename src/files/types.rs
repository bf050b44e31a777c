//! The media types of files, by their extensions.

use std::borrow::Cow;

use zerohttpd_core::Encoding;

/// Types that `mime_guess` lacks, or for which it has outdated or wrong names. These are from
/// IANA's registry, or else from nginx or Debian.
const TYPES: [(&str, &str); 56] = [
    ("3mf", "model/3mf"),
    ("amr", "audio/AMR"),
    ("arrow", "application/vnd.apache.arrow.file"),
    ("avci", "image/avci"),
    ("azw3", "application/vnd.amazon.mobi8-ebook"),
    ("bib", "text/x-bibtex"),
    ("cbor", "application/cbor"),
    // The registry has application/node, which no browser runs.
    ("cjs", "text/javascript"),
    ("dcm", "application/dicom"),
    ("deb", "application/vnd.debian.binary-package"),
    ("diff", "text/x-diff"),
    ("dwg", "image/vnd.dwg"),
    ("dxf", "image/vnd.dxf"),
    ("emf", "image/emf"),
    ("fits", "image/fits"),
    ("gpkg", "application/geopackage+sqlite3"),
    ("jsonl", "application/x-ndjson"),
    ("ktx2", "image/ktx2"),
    ("lz4", "application/x-lz4"),
    // For HTTP Live Streaming (RFC 8216), like .ts.
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("m4a", "audio/mp4"),
    ("m4s", "video/iso.segment"),
    ("m2ts", "video/mp2t"),
    ("map", "application/json"),
    ("mid", "audio/midi"),
    ("midi", "audio/midi"),
    ("mjs", "text/javascript"),
    ("mml", "application/mathml+xml"),
    ("mtl", "model/mtl"),
    ("mts", "video/mp2t"),
    ("ndjson", "application/x-ndjson"),
    ("obj", "model/obj"),
    ("otf", "font/otf"),
    ("p12", "application/pkcs12"),
    ("patch", "text/x-diff"),
    ("pfx", "application/pkcs12"),
    ("psd", "image/vnd.adobe.photoshop"),
    ("rar", "application/vnd.rar"),
    ("rpm", "application/x-redhat-package-manager"),
    ("sql", "application/sql"),
    ("step", "model/step"),
    ("stl", "model/stl"),
    ("stp", "model/step"),
    ("tgz", "application/gzip"),
    ("toml", "application/toml"),
    ("ts", "video/mp2t"),
    ("usdz", "model/vnd.usdz+zip"),
    ("vcf", "text/vcard"),
    ("wmf", "image/wmf"),
    ("woff", "font/woff"),
    ("wrl", "model/vrml"),
    ("xlf", "application/xliff+xml"),
    ("xslt", "application/xslt+xml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zst", "application/zstd"),
];

/// The media type for a file's extension, in upper or lower case. Text is declared as UTF-8, except
/// XML: a charset would override the encoding that XML itself declares (RFC 7303 §3).
pub fn content_type(name: &[u8]) -> Cow<'static, str> {
    let kind = extension(name).and_then(|extension| {
        let own = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension));
        own.map(|(_, kind)| *kind).or_else(|| mime_guess::from_ext(extension).first_raw())
    });
    match kind {
        None => Cow::Borrowed("application/octet-stream"),
        Some(kind) if is_text(kind) => Cow::Owned(format!("{kind}; charset=utf-8")),
        Some(kind) => Cow::Borrowed(kind),
    }
}

/// The coding that is part of a file's format. `.svgz` is compressed SVG, which browsers show only
/// with `Content-Encoding: gzip`. A client that accepts no gzip gets it too, because there is no
/// other version.
pub fn own_encoding(name: &[u8]) -> Option<Encoding> {
    extension(name)?.eq_ignore_ascii_case("svgz").then_some(Encoding::Gzip)
}

/// The extension of a file's name, without the dot.
fn extension(name: &[u8]) -> Option<&str> {
    let file = name.rsplit(|&byte| byte == b'/').next()?;
    let dot = file.iter().rposition(|&byte| byte == b'.')?;
    std::str::from_utf8(&file[dot + 1..]).ok()
}

fn is_text(kind: &str) -> bool {
    let is_xml = kind.ends_with("/xml") || kind.ends_with("+xml");
    let is_text = kind.starts_with("text/") && !is_xml;
    is_text || matches!(kind, "application/javascript" | "application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_by_extension_in_any_case() {
        for (name, kind) in [
            ("a/index.html", "text/html; charset=utf-8"),
            ("A.HTML", "text/html; charset=utf-8"),
            ("a.PnG", "image/png"),
            ("a.svg", "image/svg+xml"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.MJS", "text/javascript; charset=utf-8"),
            ("a.wasm", "application/wasm"),
            ("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
            ("a.vcf", "text/vcard; charset=utf-8"),
            ("a.tar.zst", "application/zstd"),
            ("a.xml", "text/xml"),
            ("a.xhtml", "application/xhtml+xml"),
            ("a.rss", "application/rss+xml"),
            ("a.unheard-of", "application/octet-stream"),
            ("README", "application/octet-stream"),
            ("html", "application/octet-stream"),
            ("a.b/html", "application/octet-stream"),
            ("a.html/b", "application/octet-stream"),
            ("a.", "application/octet-stream"),
        ] {
            assert_eq!(content_type(name.as_bytes()), kind, "{name}");
        }
    }

    #[test]
    fn our_types_differ_from_those_of_mime_guess() {
        for (extension, kind) in TYPES {
            assert_eq!(extension, extension.to_lowercase());
            let count = TYPES.iter().filter(|(other, _)| *other == extension).count();
            assert_eq!(count, 1, "{extension}");
            assert_ne!(mime_guess::from_ext(extension).first_raw(), Some(kind), "{extension}");
        }
    }

    /// Compares our types with those in nginx's table, extension by extension.
    #[test]
    fn types_agree_with_nginx_or_have_a_reason() {
        const EXCEPTIONS: [&str; 9] = [
            // The registry has better names for these (RFC 9239 and others).
            "bmp", "js", "m4a", "mml", "pdb", "prc", "ra", "rar", "sea",
        ];
        let Ok(table) = std::fs::read_to_string("/etc/nginx/mime.types") else {
            return zerohttpd_sys::say!("skipped: nginx has no table here");
        };
        let (_, table) = table.split_once('{').unwrap();
        for line in table.split([';', '}']) {
            let mut words = line.split_whitespace();
            let Some(kind) = words.next() else { continue };
            for extension in words.filter(|word| !EXCEPTIONS.contains(word)) {
                let own = content_type(format!("a.{extension}").as_bytes());
                let own = own.split(';').next().unwrap();
                let is_unknown = kind == "application/octet-stream";
                assert!(own == kind || is_unknown, "{extension}: {own}, nginx {kind}");
            }
        }
    }
}
