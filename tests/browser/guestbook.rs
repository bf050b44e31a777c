//! The guestbook as its guests see it.

use crate::driver::Browser;
use crate::support::{Server, Store, architectures, package};

const NAME: &str = "Ada \"<i>\" O'Hara";
const REMARK: &str = "<b>bold</b> & \"quoted\" 'so' <script>alert(1)</script>";

/// What the guestbook shows of remarks, the newest first.
const REMARKS: &str =
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
        be_refused_and_mend_it(&browser, &store);
        look_at_it_by_day_and_night(&browser);
        let mut said = browser.log("browser");
        // The refusal, and nothing else that a page may not do.
        said.retain(|line| !line.contains("the server responded with a status of 400"));
        assert_eq!(said, [""; 0], "{arch}: what the browser complains of");
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
    // To load the page anew is not to sign anew.
    browser.reload();
    browser.await_page("Thank you");
    browser.click(".next a");
    browser.await_page("Guestbook");
    assert!(browser.text("document.querySelector('.ticket').innerText").contains("number 2"));
    let kept = format!("{REMARK} - {NAME}");
    assert_eq!(browser.text(REMARKS), kept);
    let within = browser.value("document.querySelectorAll('.guest-entry *').length");
    assert_eq!(within, 0, "a remark is text and nothing else");
    assert_eq!(store.remarks(), [kept]);
}

#[track_caller]
fn be_refused_and_mend_it(browser: &Browser, store: &Store) {
    browser.type_into("#name", NAME);
    // Enough for the browser, which looks for any character.
    browser.type_into("#remark", "   ");
    browser.click("button");
    browser.await_page("Not signed yet");
    let problems = browser.text("document.querySelector('#problems').innerText");
    assert!(problems.to_lowercase().contains("remark"), "{problems}");
    assert_eq!(browser.text("document.querySelector('#name').value"), NAME, "what was typed");
    browser.type_into("#remark", "here it is");
    browser.click("button");
    browser.await_page("Thank you");
    browser.click(".next a");
    browser.await_page("Guestbook");
    let newest = format!("here it is - {NAME}");
    assert_eq!(browser.text(REMARKS), format!("{newest}|{REMARK} - {NAME}"));
    assert_eq!(store.remarks().len(), 2);
}

/// Whoever prefers a dark page gets one, and can read it.
#[track_caller]
fn look_at_it_by_day_and_night(browser: &Browser) {
    let brightness = |of: &str| {
        let color = browser.text(&format!("getComputedStyle(document.body).{of}"));
        let digits = color.split(|c: char| !c.is_ascii_digit());
        let parts: Vec<u32> = digits.filter_map(|number| number.parse().ok()).collect();
        parts[..3].iter().sum::<u32>() / 3
    };
    for (scheme, is_dark) in [("dark", true), ("light", false)] {
        browser.prefer(scheme);
        let (paper, ink) = (brightness("backgroundColor"), brightness("color"));
        assert_eq!(paper < ink, is_dark, "{scheme}: {paper} behind {ink}");
        assert!(paper.abs_diff(ink) > 127, "{scheme}: {paper} behind {ink} can't be read");
    }
}
