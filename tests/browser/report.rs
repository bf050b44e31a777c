//! The report of a bench, opened as a file: on a wide and a narrow screen, light and dark, and in
//! print.

use std::fs;

use crate::driver::Browser;
use crate::support::server::run;
use crate::support::{TempDir, results};

/// JavaScript for the texts of plots that lie outside of their plot or overlap another text.
const MISPLACED: &str = "(() => {
    const wrong = [];
    for (const svg of document.querySelectorAll('.plots svg')) {
        const frame = svg.getBoundingClientRect();
        const all = [...svg.querySelectorAll('text')].map(text => [text.textContent,
            text.getBoundingClientRect()]);
        all.forEach(([text, box], at) => {
            if (box.left < frame.left - 1 || box.right > frame.right + 1
                || box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
                wrong.push(`${text} is outside`);
            for (const [other, near] of all.slice(at + 1)) {
                const across = Math.min(box.right, near.right) - Math.max(box.left, near.left);
                const down = Math.min(box.bottom, near.bottom) - Math.max(box.top, near.top);
                if (across > 1 && down > 3) wrong.push(`${text} touches ${other}`);
            }
        });
    }
    return wrong.join('; ');
})()";

/// JavaScript for the texts whose contrast with their background is less than 4.5 (WCAG 2, 1.4.3).
const FAINT: &str = "(() => {
    const parts = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => {
        const [r, g, b] = parts(colour).slice(0, 3).map(part => part / 255)
            .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = element => {
        for (let at = element; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if ((parts(colour)[3] ?? 1) > 0) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const wrong = new Set();
    for (const element of document.querySelectorAll('body *')) {
        const own = [...element.childNodes].some(node => node.nodeType == 3 && node.data.trim());
        if (!own || !element.checkVisibility() || element.tagName == 'title') continue;
        const style = getComputedStyle(element);
        const ink = element.tagName == 'text' ? style.fill : style.color;
        const [a, b] = [light(ink), light(behind(element))].sort((a, b) => b - a);
        const contrast = (a + 0.05) / (b + 0.05);
        if (contrast < 4.5) wrong.add(`${element.textContent.slice(0, 30)}: ${contrast}`);
    }
    return [...wrong].join('; ');
})()";

/// JavaScript that scrolls the table: the distance of its header from the top of the scrolled box
/// in pixels, or -1 if the box did not scroll.
const HEADER_DISTANCE: &str = "(() => {
    const box = document.querySelector('.results').parentElement;
    box.scrollTop = 200;
    const head = document.querySelector('.results thead th').getBoundingClientRect();
    return box.scrollTop > 0 ? Math.abs(head.top - box.getBoundingClientRect().top) : -1;
})()";

#[test]
fn a_report_can_be_read_wherever_it_is_shown() {
    let folder = TempDir::new();
    fs::write(folder.join("results.json"), results::sample().to_string()).expect("a file");
    let drawn = run(&["report", &folder.path().display().to_string()]);
    assert!(drawn.status.success(), "{drawn:?}");
    let browser = Browser::start();
    browser.open(&format!("file://{}", folder.join("report.html").display()));
    browser.await_page("ZeroHTTPd bench");
    for (width, media, scheme) in [
        (1280, "screen", "light"),
        (1280, "screen", "dark"),
        (400, "screen", "light"),
        (794, "print", "light"),
    ] {
        let setting = format!("{width} px, {media}, {scheme}");
        browser.emulate(width, media, scheme);
        assert_eq!(browser.text(MISPLACED), "", "{setting}: misplaced texts");
        assert_eq!(browser.text(FAINT), "", "{setting}: texts with too little contrast");
        let fits = format!("document.documentElement.scrollWidth <= {width}");
        assert_eq!(browser.value(&fits), true, "{setting}: the page is wider than the screen");
    }
    browser.emulate(1280, "screen", "light");
    assert_eq!(browser.value(HEADER_DISTANCE), 0, "the header stays in view");
    assert_eq!(browser.log("browser"), [""; 0], "errors that the browser logged");
}
