//! What the options of a bench mean.

use super::*;
use crate::architecture::SAMPLE;
use clap::Parser;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    bench: BenchArgs,
}

fn plan(words: &str) -> Result<BenchPlan, String> {
    let line = Line::try_parse_from(words.split(' ')).map_err(|error| error.to_string())?;
    line.bench.into_plan(SAMPLE, "2026-11-23T06:53:23Z", 7)
}

#[test]
fn defaults_are_all_architectures_and_the_fair_profile() {
    let plan = plan("bench").unwrap();
    assert_eq!(plan.entries.len(), SAMPLE.len());
    assert!(plan.settings.keep_alive && plan.settings.varied.is_empty());
    assert_eq!(plan.settings.clients, CLIENTS);
    assert_eq!(plan.out, PathBuf::from("bench-2026-11-23-065323"));
    assert!(plan.entries.iter().all(|entry| entry.subject.uses_store));
}

#[test]
fn the_default_takes_about_three_minutes() {
    let settings = plan("bench").unwrap().settings;
    let runs = SAMPLE.len() * settings.clients.len() * settings.rounds;
    let takes_s = runs as f64 * (settings.seconds + settings.warm_up_s + OVERHEAD_S);
    assert!((120.0..=210.0).contains(&takes_s), "{takes_s}");
    assert_eq!((seconds_per_run(1), seconds_per_run(1000)), (LONGEST_S, SHORTEST_S));
}

#[test]
fn every_option_can_be_given() {
    let name = SAMPLE[3].name;
    let words = format!(
        "bench --arch {name},{name} --clients 50,20,50 --path /index.html --no-keep-alive \
         --profile faithful-2019 --knob queue=10,99 --rounds 2 --seconds 0.5 --rate 100 \
         --seed 5"
    );
    let plan = plan(&words).unwrap();
    let names: Vec<_> = plan.entries.iter().map(|entry| entry.subject.name.clone()).collect();
    let varied = format!("{name} queue=99");
    assert_eq!(names, [name, &varied, &format!("{name} #2"), &format!("{varied} #2")]);
    assert_eq!((plan.settings.rounds, plan.settings.seed), (2, 5));
    assert_eq!(plan.settings.clients, [20, 50]);
    assert!(!plan.entries[0].subject.uses_store);
    assert!(!plan.entries[0].subject.keeps_alive);
}

#[test]
fn an_aa_bench_has_one_server_under_four_names() {
    let name = SAMPLE[3].name;
    let plan = plan(&format!("bench --aa --arch {name} --clients 50,20 --until 5%")).unwrap();
    let names: Vec<_> = plan.entries.iter().map(|entry| entry.subject.name.clone()).collect();
    assert_eq!((names.len(), names[0].as_str()), (4, name));
    let settings = plan.settings;
    assert_eq!((settings.clients, settings.is_aa), (vec![50], true));
    assert_eq!((settings.until_percent, settings.max_rounds), (Some(5.0), Some(30)));
}

#[test]
fn a_knob_with_one_value_is_set_and_not_varied() {
    let plan = plan("bench --knob queue=5").unwrap();
    assert_eq!(plan.entries.len(), SAMPLE.len());
    assert!(plan.entries[0].subject.command.contains("--backlog 5"));
    assert!(plan.settings.varied.is_empty());
}

#[test]
fn the_full_table_has_the_rows_of_the_articles() {
    let clients = plan("bench --full").unwrap().settings.clients;
    assert_eq!((clients.first(), clients.last()), (Some(&20), Some(&15_000)));
    assert_eq!(clients.len(), 24);
}

#[test]
fn options_without_sense_are_refused() {
    for words in [
        "bench --arch nothing",
        "bench --clients 0",
        "bench --full --clients 5",
        "bench --path guestbook",
        "bench --store embedded:mine.db",
        "bench --profile unfair",
        "bench --knob x=1",
        "bench --rounds 0",
        "bench --seconds 0",
        "bench --rate 0",
        "bench --until 0",
        "bench --until wide",
        "bench --max-rounds 9",
        "bench --aa --full",
        "bench --peer nonsense",
    ] {
        assert!(plan(words).is_err(), "{words}");
    }
}
