//! nginx in front of the server, configured as docs/operating.md says.

use std::fs;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::blocks::blocks;
use crate::support::process::Process;
use crate::support::{Server, Store, TempDir, for_each_architecture, wait_until};

/// A configuration around the document's `location`, for an nginx that stays a child of the test
/// and listens at a socket in this folder.
fn configuration(folder: &str, location: &str) -> String {
    format!(
        "daemon off; master_process off; pid {folder}/pid; error_log stderr;\n\
         events {{}}\n\
         http {{ access_log off; client_body_temp_path {folder}/body; \
         proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi; \
         uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n\
         server {{ listen unix:{folder}/nginx.sock;\n{location}\n}} }}\n"
    )
}

/// Runs curl with these arguments through nginx: the answer, with its head.
fn ask(folder: &TempDir, words: &[&str]) -> String {
    let socket = folder.join("nginx.sock").display().to_string();
    let mut curl = Command::new("curl");
    curl.args(["-si", "--unix-socket", &socket]).args(words).stdin(Stdio::null());
    let output = curl.output().expect("curl (`apt-get install curl`)");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn nginx_as_the_document_configures_it_passes_on_what_browsers_send() {
    let blocks = blocks("docs/operating.md");
    let mut configured = blocks.iter().filter(|block| block.language == "nginx");
    let location = configured.next().expect("a block for nginx").lines.join("\n");
    for_each_architecture(|arch| {
        let (store, folder) = (Store::embedded(), TempDir::new());
        let server = Server::start(arch, &store.url(), &[]);
        let location = location.replace("127.0.0.1:8000", &format!("127.0.0.1:{}", server.port));
        let path = folder.path().display().to_string();
        fs::write(folder.join("nginx.conf"), configuration(&path, &location)).expect("a file");
        let mut nginx = Command::new("nginx");
        nginx.args(["-e", "stderr", "-p", &path, "-c", "nginx.conf"]).stdin(Stdio::null());
        let said = fs::File::create(folder.join("said")).expect("a file for output");
        let mut nginx = nginx.stderr(said).spawn().expect("nginx (`apt-get install nginx-light`)");
        let socket = folder.join("nginx.sock");
        wait_until("nginx", || UnixStream::connect(&socket).is_ok());

        let url = "http://site.example/guestbook";
        let form = ["-d", "guest-name=Ann", "-d", "guest-remarks=by way of nginx"];
        // The browser speaks TLS with nginx, so the scheme of its origin is https.
        let signed =
            ask(&folder, &[&form[..], &["-H", "Origin: https://site.example", url]].concat());
        let cross_site =
            ask(&folder, &[&form[..], &["-H", "Origin: https://other.example", url]].concat());
        let page = ask(&folder, &[url]);
        Process(nginx.id()).signal(Signal::TERM);
        nginx.wait().expect("a child of ours");
        assert!(signed.starts_with("HTTP/1.1 303 "), "{signed}");
        assert!(cross_site.starts_with("HTTP/1.1 403 "), "{cross_site}");
        assert!(page.starts_with("HTTP/1.1 200 ") && page.contains("by way of nginx"), "{page}");
    });
}
