//! Completions in a real bash, zsh and fish.

use crate::support::TempDir;
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

/// What zsh makes of a line when Tab is pressed at its end.
fn completed_by_zsh(line: &str) -> String {
    let folder = TempDir::new();
    // zsh edits lines, and completes, only in an interactive shell with a terminal: script(1)
    // provides one.
    folder.write(
        ".zshrc",
        "autoload -Uz compinit; compinit -D -u\n\
         source <(\"$PROGRAM\" completions zsh)\n\
         zle-line-init() {\n\
         BUFFER=$LINE CURSOR=$#LINE; zle complete-word\n\
         print -rn -- \"$BUFFER\" >\"$ZDOTDIR/line\"\n\
         BUFFER=exit; zle accept-line\n\
         }\n\
         zle -N zle-line-init\n",
    );
    let mut script = command("script");
    script.args(["--quiet", "--return", "--command", "zsh -i", "/dev/null"]);
    script.env("ZDOTDIR", folder.path()).env("PROGRAM", PROGRAM).env("LINE", line);
    let output = script.output().expect("script(1)");
    let completed = std::fs::read_to_string(folder.join("line"));
    completed.unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn zsh_completes_options_before_and_after_a_port() {
    for words in ["epoll", "epoll 8080", "8080", "--root site 8080", "serve 8080"] {
        let completed = completed_by_zsh(&format!("zerohttpd {words} --no-g"));
        assert_eq!(completed.trim_end(), format!("zerohttpd {words} --no-guestbook"));
    }
}

#[test]
fn fish_completes_options_before_and_after_a_port() {
    for words in ["epoll", "epoll 8080", "8080", "--root site 8080", "serve 8080"] {
        let mut fish = command("fish");
        let script = "$PROGRAM completions fish | source; complete -C \"zerohttpd $WORDS --no-g\"";
        fish.args(["--no-config", "-c", script]).env("PROGRAM", PROGRAM).env("WORDS", words);
        let output = fish.output().expect("fish");
        let offered = String::from_utf8(output.stdout).expect("words in UTF-8");
        assert!(offered.starts_with("--no-guestbook\t"), "{words}: {offered}");
    }
}
