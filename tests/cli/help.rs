//! The help: one page, and everything else on request.

use std::process::Output;

use crate::support::architectures;
use crate::support::program::{program, run, shell};

fn text(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_help_is_one_page_that_says_where_the_rest_is() {
    let page = text(run(&["--help"]));
    for words in [&["-h"][..], &["help"], &["epoll", "--help"]] {
        assert_eq!(text(run(words)), page, "{words:?}");
    }
    let (_, site) = page.split_once("Site and guestbook:").expect("a heading");
    assert!(text(run(&["serve", "--help"])).ends_with(site));
    let lines = page.lines().count();
    assert!(lines <= 60, "{lines} lines");
    let longest = page.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(100), "{longest:?} columns");
    let example = page.find("Examples:").expect("examples");
    assert!(example < page.find("Usage:").expect("the usage"), "{page}");
    let last = page.lines().last().expect("lines");
    for word in ["help all", "help WORD", "man"] {
        assert!(last.contains(word), "{last}");
    }
}

#[test]
fn the_examples_of_the_help_are_understood() {
    let page = text(run(&["--help"]));
    let examples = page.lines().skip_while(|line| *line != "Examples:").skip(1);
    let mut count = 0;
    for line in examples.take_while(|line| !line.is_empty()) {
        let words = line.trim_start().trim_start_matches("sudo ").split("  ").next();
        let words: Vec<_> = words.expect("an example").split(' ').skip(1).collect();
        text(program(&words).arg("--help").output().expect("the program"));
        count += 1;
    }
    assert!(count >= 5, "{count} examples");
}

#[test]
fn every_option_is_in_the_whole_help() {
    let (page, whole) = (text(run(&["--help"])), text(run(&["help", "all"])));
    let options = |text: &str| -> Vec<String> {
        let words = text.split_whitespace().filter(|word| word.starts_with("--"));
        words.map(|word| word.trim_end_matches([',', ';', ')', ':', '.']).to_owned()).collect()
    };
    let whole_options = options(&whole);
    for option in options(&page) {
        assert!(whole_options.contains(&option), "{option}");
    }
    for word in ["--read-bytes", "--max-header", "SIGUSR2", "LISTEN_FDS", "guestbook.db"] {
        assert!(whole.contains(word) && !page.contains(word), "{word}");
    }
}

#[test]
fn each_architecture_and_each_command_is_explained() {
    for name in architectures() {
        let page = text(run(&["help", &name.to_uppercase()]));
        assert!(page.starts_with(&format!("{name}: ")), "{page}");
        for part in ["\nIdea:\n", "\nIn the C original:\n", "\nOptions that matter to it:\n"] {
            assert!(page.contains(part), "{part:?} in {page}");
        }
        assert!(!page.contains(['`', '#']), "{page}");
    }
    for command in ["list", "store", "load", "bench", "report", "doctor", "completions", "man"] {
        let page = text(run(&["help", command]));
        assert!(page.contains(&format!("Usage: zerohttpd {command}")), "{page}");
        assert_eq!(page, text(run(&[command, "--help"])));
    }
    assert_eq!(text(run(&["help", "LOAD"])), text(run(&["help", "load"])));
    assert_eq!(text(run(&["help", "ALL"])), text(run(&["help", "all"])));
    assert_eq!(text(run(&["version"])), text(run(&["--version"])));
}

#[test]
fn a_reader_that_leaves_is_no_panic() {
    let output = shell("\"$0\" help all | true", std::process::Stdio::null()).output();
    let said = String::from_utf8(output.expect("a shell").stderr).expect("UTF-8");
    assert!(!said.contains("panicked"), "{said}");
}
