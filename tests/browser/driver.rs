//! Drives a browser by W3C WebDriver, a protocol of JSON over HTTP.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::process::{self, Process};
use crate::support::server::read;
use crate::support::{Client, TempDir, wait_for, wait_until};

const MISSING: &str = "these tests need chromium and chromedriver: install them \
    (`apt-get install chromium chromium-driver`)";

/// The key of an element's identifier in the protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// An environment variable that all processes of a browser have, with a value of its own.
const MARK: &str = "ZEROHTTPD_TEST";

/// A browser with one page. All of its processes end when it is dropped.
pub(crate) struct Browser {
    driver: Child,
    folder: TempDir,
    address: SocketAddr,
    session: String,
}

impl Browser {
    #[track_caller]
    pub(crate) fn start() -> Browser {
        let folder = TempDir::new();
        let output = File::create(folder.join("output")).expect("a file for output");
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env(MARK, folder.path()).env("HOME", folder.path());
        command.stdin(Stdio::null()).stdout(output).stderr(Stdio::null());
        let driver = command.spawn().unwrap_or_else(|e| match e.kind() {
            ErrorKind::NotFound => panic!("{MISSING}"),
            _ => panic!("chromedriver: {e}"),
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut browser = Browser { driver, folder, address, session: String::new() };
        let port = wait_for("a chromedriver that says where it listens", || {
            let said = read(&browser.folder.join("output"));
            let (_, rest) = said.split_once("successfully on port ")?;
            rest.split_once('.')?.0.parse().ok()
        });
        browser.address.set_port(port);
        let opened = browser.command("POST", "/session", &capabilities(&browser.folder));
        browser.session = format!("/session/{}", text(&opened["sessionId"]));
        browser
    }

    /// Sends a command to chromedriver, and returns the value of the answer.
    #[track_caller]
    fn command(&self, method: &str, path: &str, parameters: &Value) -> Value {
        let body = parameters.to_string();
        let mut client = Client::try_connect(self.address).expect("a chromedriver");
        client.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ));
        let (is_good, said) = loop {
            if let Some(answer) = whole_answer(&client.input) {
                break answer;
            }
            let more = client.read_some(64 * 1024).expect("an answer of chromedriver");
            assert!(more > 0, "chromedriver hung up");
        };
        assert!(is_good, "{method} {path} {body}: {said}");
        let mut said: Value = serde_json::from_str(said).expect("JSON");
        said["value"].take()
    }

    /// Sends a command of this session.
    #[track_caller]
    fn post(&self, path: &str, parameters: &Value) -> Value {
        self.command("POST", &format!("{}{path}", self.session), parameters)
    }

    /// Goes to a page, and waits until it is loaded.
    #[track_caller]
    pub(crate) fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Loads the page again, as the browser's button does.
    #[track_caller]
    pub(crate) fn reload(&self) {
        self.post("/refresh", &json!({}));
    }

    /// The identifier of the first element that a CSS selector matches.
    #[track_caller]
    fn find(&self, selector: &str) -> String {
        let how = json!({ "using": "css selector", "value": selector });
        text(&self.post("/element", &how)[ELEMENT])
    }

    /// Types into a field.
    #[track_caller]
    pub(crate) fn type_into(&self, selector: &str, keys: &str) {
        let path = format!("/element/{}/value", self.find(selector));
        self.post(&path, &json!({ "text": keys }));
    }

    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        self.post(&format!("/element/{}/click", self.find(selector)), &json!({}));
    }

    /// The value of a JavaScript expression on the page.
    #[track_caller]
    pub(crate) fn value(&self, expression: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": format!("return {expression}"), "args": [] }))
    }

    /// The value of a JavaScript expression that is a string.
    #[track_caller]
    pub(crate) fn text(&self, expression: &str) -> String {
        text(&self.value(expression))
    }

    /// Waits until a page is loaded whose title begins with this, as [`click`](Browser::click) does
    /// not wait.
    #[track_caller]
    pub(crate) fn await_page(&self, title: &str) {
        wait_until(&format!("a page whose title begins with {title:?}"), || {
            self.value("document.readyState") == "complete"
                && self.text("document.title").starts_with(title)
        });
    }

    /// Sets the page's width in pixels, its medium (`screen` or `print`), and the user's colour
    /// scheme (`dark` or `light`).
    #[track_caller]
    pub(crate) fn emulate(&self, width: u32, media: &str, scheme: &str) {
        let size =
            json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        let command = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": size });
        self.post("/goog/cdp/execute", &command);
        self.emulate_media(media, scheme);
    }

    /// Sets the page's medium and the user's colour scheme.
    #[track_caller]
    pub(crate) fn emulate_media(&self, media: &str, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let parameters = json!({ "media": media, "features": features });
        let command = json!({ "cmd": "Emulation.setEmulatedMedia", "params": parameters });
        self.post("/goog/cdp/execute", &command);
    }

    /// The entries of a log since the last call: `browser` has the page's errors, `performance` the
    /// events of the network.
    #[track_caller]
    pub(crate) fn log(&self, kind: &str) -> Vec<String> {
        let entries = self.post("/se/log", &json!({ "type": kind }));
        let entries = entries.as_array().expect("a list").iter();
        entries.map(|entry| text(&entry["message"])).collect()
    }
}

/// Whether an answer of chromedriver is a success, and its body; none while it is incomplete.
fn whole_answer(input: &[u8]) -> Option<(bool, &str)> {
    let (head, body) = std::str::from_utf8(input).ok()?.split_once("\r\n\r\n")?;
    let len = head.lines().find_map(|line| line.strip_prefix("Content-Length:"))?;
    let len: usize = len.trim().parse().expect("a length");
    Some((head.starts_with("HTTP/1.1 200 "), body.get(..len)?))
}

/// A browser that needs no display, sandbox or shared memory, which a container can lack, and that
/// makes no requests of its own.
fn capabilities(folder: &TempDir) -> Value {
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--no-proxy-server",
    ];
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let arguments: Vec<_> = arguments.into_iter().chain([&profile[..]]).collect();
    let log = json!({ "browser": "ALL", "performance": "ALL" });
    json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        "goog:chromeOptions": { "args": arguments },
        "goog:loggingPrefs": log,
    } } })
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no string")).to_string()
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let mark = format!("{MARK}={}", self.folder.path().display());
        wait_until("the end of all processes of a browser", || {
            let mut left = process::all();
            left.retain(|process| process.has_variable(&mark) && process.lives());
            left.iter().copied().for_each(Process::kill);
            left.is_empty()
        });
    }
}
