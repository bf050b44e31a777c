//! Forms that the store does not keep: the page of the 503 has a form with the text, to be sent
//! again.

use crate::fake::{Behaviour, FakeStore};
use crate::support::cases::test;
use crate::support::client::signature;
use crate::support::{Server, wait_for};

const NAME: &str = "Ada \"Byte\" <Lovelace>";
const REMARK: &str = "one\n</textarea> & 'two' - three";

/// Signs while the store behaves like that, and checks the page. `is_known` says whether the server
/// knows that the store did not keep the remark.
fn check_form(arch: &str, options: &[&str], behaviour: Behaviour, is_known: bool) {
    let fake = FakeStore::start();
    let server = Server::start(arch, &fake.url(), options);
    let mut client = server.client();
    assert_eq!(client.sign("fake", "well").status, 303);
    fake.behave(behaviour);
    client.send(signature(NAME, REMARK));
    let answer = client.answer();
    assert_eq!(answer.status, 503, "{behaviour:?}");
    assert!(answer.field("Retry-After").expect("at most one").is_some(), "{behaviour:?}");
    let page = String::from_utf8(answer.body).expect("UTF-8");
    for shown in [
        "<form method=\"post\" action=\"/guestbook\"",
        "value=\"Ada &quot;Byte&quot; &lt;Lovelace&gt;\"",
        ">\none\n&lt;/textarea&gt; &amp; &#39;two&#39; - three</textarea>",
    ] {
        assert!(page.contains(shown), "{behaviour:?}: no {shown} in {page}");
    }
    assert!(!page.contains("<Lovelace"), "{behaviour:?}: {page}");
    // Where the server does not know, the page warns that the store may have kept the remark.
    assert_eq!(page.contains("did not keep your remark"), is_known, "{behaviour:?}: {page}");
    assert_eq!(page.contains("look whether it is there"), !is_known, "{behaviour:?}: {page}");
    assert_eq!(client.get("/hello.txt").status, 200, "the connection stays open");
    drop(client);
    fake.behave(Behaviour::Good);
    let again = wait_for("a guestbook that works again", || {
        let answer = server.client().sign(NAME, REMARK);
        (answer.status == 303).then_some(answer)
    });
    assert_eq!(again.field("Location"), Ok(Some(&b"/guestbook/thanks"[..])));
}

test!(Architecture, a_form_comes_back_when_the_store_refuses_it);
fn a_form_comes_back_when_the_store_refuses_it(arch: &str) {
    let full = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    check_form(arch, &[], Behaviour::Sends(full), true);
}

test!(Architecture, a_form_comes_back_when_the_store_may_have_kept_it);
fn a_form_comes_back_when_the_store_may_have_kept_it(arch: &str) {
    check_form(arch, &[], Behaviour::SendsAndCloses(""), false);
    check_form(arch, &["--store-timeout", "0.2"], Behaviour::Silent, false);
}
