//! Completions in a real bash.

use crate::support::program::{PROGRAM, command};

/// What bash offers for the last of these words.
fn offered(words: &[&str]) -> Vec<String> {
    // As bash calls a function for completions: Programmable Completion in bash(1).
    let script = "source <(\"$0\" completions bash)\n\
        COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1))\n\
        _zerohttpd \"$1\" \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"\n\
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut bash = command("/bin/bash");
    let output = bash.args(["-c", script, PROGRAM]).args(words).output().expect("bash");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("words in UTF-8");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_architectures_commands_options_and_values() {
    assert_eq!(offered(&["zerohttpd", "epo"]), ["epoll"]);
    assert_eq!(offered(&["zerohttpd", "doc"]), ["doctor"]);
    assert_eq!(offered(&["zerohttpd", "serve", "pref"]), ["preforked"]);
    assert_eq!(offered(&["zerohttpd", "epoll", "--no-g"]), ["--no-guestbook"]);
    assert_eq!(offered(&["zerohttpd", "--access-log", "j"]), ["json"]);
    assert_eq!(offered(&["zerohttpd", "epoll", "--sandbox", "al"]), ["always"]);
    assert_eq!(offered(&["zerohttpd", "serve", "poll", "--acc"]), ["--accept", "--access-log"]);
    assert_eq!(offered(&["zerohttpd", "load", "--thr"]), ["--threads"]);
    assert_eq!(offered(&["zerohttpd", "man", "lo"]), ["load"]);
    assert_eq!(offered(&["zerohttpd", "help", "it"]), ["iterative"]);
    assert_eq!(offered(&["zerohttpd", "completions", "f"]), ["fish"]);
}
