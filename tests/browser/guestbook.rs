//! The guestbook in a browser.

use crate::driver::Browser;
use crate::support::{Server, Store, architectures, package};

const NAME: &str = "Ada \"<i>\" O'Hara";
const REMARK: &str = "<b>bold</b> & \"quoted\" 'so' <script>alert(1)</script>";

/// JavaScript for the text of all entries, the newest first.
const ENTRIES: &str =
    "[...document.querySelectorAll('.guest-entry')].map(entry => entry.textContent).join('|')";

#[test]
fn a_browser_signs_the_guestbook_of_every_architecture() {
    let browser = Browser::start();
    let root = package().join("public").display().to_string();
    for arch in architectures() {
        let store = Store::embedded();
        let server = Server::start(arch, &store.url(), &["--root", &root]);
        let site = format!("http://127.0.0.1:{}", server.port);
        browser.open(&site);
        browser.await_page("ZeroHTTPd");
        browser.open(&format!("{site}/guestbook"));
        sign(&browser, &store);
        correct_a_refused_form(&browser, &store);
        check_contrast_in_both_schemes(&browser);
        let mut errors = browser.log("browser");
        // The refused form is the only expected error.
        errors.retain(|line| !line.contains("the server responded with a status of 400"));
        assert_eq!(errors, [""; 0], "{arch}: errors that the browser logged");
        browser.open("about:blank");
    }
}

#[track_caller]
fn sign(browser: &Browser, store: &Store) {
    browser.await_page("Guestbook");
    assert!(browser.text("document.querySelector('.ticket').innerText").contains("number 1"));
    browser.type_into("#name", NAME);
    browser.type_into("#remark", REMARK);
    browser.click("button");
    browser.await_page("Thank you");
    // Reloading the page does not sign again.
    browser.reload();
    browser.await_page("Thank you");
    browser.click(".next a");
    browser.await_page("Guestbook");
    assert!(browser.text("document.querySelector('.ticket').innerText").contains("number 2"));
    let kept = format!("{REMARK} - {NAME}");
    assert_eq!(browser.text(ENTRIES), kept);
    let parts = "[...document.querySelectorAll('.guest-entry bdi')].map(part => part.innerHTML)";
    let shown = browser.text(&format!("{parts}.join('|')"));
    assert!(!shown.contains('<'), "remark and author contain no elements: {shown}");
    assert_eq!(shown.split('|').count(), 2, "remark and author are two elements: {shown}");
    assert_eq!(store.remarks(), [kept]);
}

#[track_caller]
fn correct_a_refused_form(browser: &Browser, store: &Store) {
    browser.type_into("#name", NAME);
    // The browser accepts blanks in a field that is required; the server does not.
    browser.type_into("#remark", "   ");
    browser.click("button");
    browser.await_page("Not signed yet");
    let problems = browser.text("document.querySelector('#problems').innerText");
    assert!(problems.to_lowercase().contains("remark"), "{problems}");
    assert_eq!(browser.text("document.querySelector('#name').value"), NAME, "the name is kept");
    browser.type_into("#remark", "here it is");
    browser.click("button");
    browser.await_page("Thank you");
    browser.click(".next a");
    browser.await_page("Guestbook");
    let newest = format!("here it is - {NAME}");
    assert_eq!(browser.text(ENTRIES), format!("{newest}|{REMARK} - {NAME}"));
    assert_eq!(store.remarks().len(), 2);
}

/// Text that is written from right to left, or characters that set this direction, do not reverse
/// the text beside it.
#[test]
fn a_direction_ends_with_its_remark() {
    let browser = Browser::start();
    let store = Store::embedded();
    let root = package().join("public").display().to_string();
    let server = Server::start("epoll", &store.url(), &["--root", &root]);
    // The left edge of each character of a text, in pixels.
    let left_edges = |selector: &str| -> Vec<f64> {
        let script = format!(
            "[...document.querySelector('{selector}').firstChild.data].map((_, at) => {{
                const text = document.querySelector('{selector}').firstChild;
                const range = document.createRange();
                range.setStart(text, at);
                range.setEnd(text, at + 1);
                return range.getBoundingClientRect().left;
            }})"
        );
        serde_json::from_value(browser.value(&script)).expect("numbers")
    };
    let top = |selector: &str| {
        let script = format!("document.querySelector('{selector}').getBoundingClientRect().top");
        browser.value(&script).as_f64().expect("a number")
    };
    for (name, remark) in [
        ("Ada", "\u{202e}turned round"),
        ("Ada", "\u{2069}\u{202e}out of its isolation"),
        ("Ada", "\u{2067}open"),
        ("Ada", "\u{5e9}\u{5dc}\u{5d5}\u{5dd}"),
        ("\u{202e}adA", "plain"),
        ("\u{5e2}\u{5d3}\u{5d4}", "plain"),
    ] {
        assert_eq!(server.client().sign(name, remark).status, 303);
        browser.open(&format!("http://127.0.0.1:{}/guestbook", server.port));
        browser.await_page("Guestbook");
        // The part of the entry that is plain text.
        let plain = if name == "Ada" { ".guest-name bdi" } else { ".guest-entry > bdi" };
        assert!(left_edges(plain).is_sorted(), "{name:?} beside {remark:?}");
        assert!(top(".guest-name") > top(".guest-entry > bdi"), "the author has its own line");
    }
}

/// Visitors who prefer a dark page get one, and both pages have enough contrast.
#[track_caller]
fn check_contrast_in_both_schemes(browser: &Browser) {
    let brightness = |property: &str| {
        let color = browser.text(&format!("getComputedStyle(document.body).{property}"));
        let digits = color.split(|c: char| !c.is_ascii_digit());
        let parts: Vec<u32> = digits.filter_map(|number| number.parse().ok()).collect();
        parts[..3].iter().sum::<u32>() / 3
    };
    for (scheme, is_dark) in [("dark", true), ("light", false)] {
        browser.emulate_media("screen", scheme);
        let (background, text) = (brightness("backgroundColor"), brightness("color"));
        assert_eq!(background < text, is_dark, "{scheme}: text {text} on {background}");
        let contrast = background.abs_diff(text);
        assert!(contrast > 127, "{scheme}: text {text} on {background} can't be read");
    }
}
