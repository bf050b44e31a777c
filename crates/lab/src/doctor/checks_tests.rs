//! Checks that pass, and checks that do not.

use super::*;

fn verdicts<const N: usize>(checks: [Check; N]) -> [Severity; N] {
    checks.map(|check| check.verdict)
}

#[test]
fn limits_are_compared_with_what_the_largest_table_needs() {
    assert_eq!(
        verdicts([descriptors(None), descriptors(Some(20_000)), descriptors(Some(1024))]),
        [Severity::Ok, Severity::Ok, Severity::Bad]
    );
    assert_eq!(descriptors(Some(10_000)).verdict, Severity::Warn);
    assert_eq!(verdicts([queue(4096), queue(128)]), [Severity::Ok, Severity::Bad]);
    assert!(queue(128).fix.unwrap().contains("net.core.somaxconn=4096"));
    assert_eq!(verdicts([memory(MEMORY_KIB), memory(1024)]), [Severity::Ok, Severity::Warn]);
}

#[test]
fn ports_are_counted() {
    let with = |client_ports| Machine { client_ports, ..Machine::default() };
    let found = [Some((32_768, 60_999)), Some((40_000, 41_000)), None];
    let verdicts = found.map(|range| ports(&with(range)).verdict);
    assert_eq!(verdicts, [Severity::Ok, Severity::Warn, Severity::Warn]);
}

#[test]
fn neighbours_disturb_if_they_use_much() {
    let with = |cores_used, stolen_cores| {
        let busiest = vec![("cc".to_owned(), cores_used)];
        neighbours(Neighbours { cores_used, stolen_cores, busiest })
    };
    let found = [with(0.05, 0.0), with(0.2, 0.0), with(0.0, 0.2), with(1.5, 0.0)];
    assert_eq!(verdicts(found), [Severity::Ok, Severity::Warn, Severity::Warn, Severity::Bad]);
    assert_eq!(with(1.5, 0.2).found, "others use 1.50 cores: cc 1.50, the host took 0.20");
}

#[test]
fn what_slows_processors_is_named() {
    let with = |cpu_quota_cores| quota(&Machine { cpu_quota_cores, ..Machine::default() });
    assert_eq!(verdicts([with(None), with(Some(1.5))]), [Severity::Ok, Severity::Bad]);
    let governors = [governor(None), governor(Some("performance")), governor(Some("powersave"))];
    assert_eq!(verdicts(governors), [Severity::Ok, Severity::Ok, Severity::Warn]);
    let with = |cores: usize| self::cores(&Machine { cores, ..Machine::default() });
    assert_eq!(verdicts([with(2), with(1)]), [Severity::Ok, Severity::Bad]);
}

#[test]
fn what_is_forbidden_is_reported() {
    let found = [io_uring(None), io_uring(Some(0)), io_uring(Some(1)), io_uring(Some(2))];
    assert_eq!(verdicts(found), [Severity::Ok, Severity::Ok, Severity::Ok, Severity::Warn]);
    assert_eq!(ptrace(None), None);
    assert_eq!(ptrace(Some(3)).unwrap().verdict, Severity::Warn);
    assert_eq!(verdicts([time_wait(Some(0)), time_wait(None)]), [Severity::Warn, Severity::Ok]);
}

#[test]
fn a_check_that_is_not_ok_says_why_and_none_is_listed_twice() {
    let checks = all();
    for check in &checks {
        assert_eq!(check.verdict == Severity::Ok, check.why.is_none(), "{check:?}");
        let same = checks.iter().filter(|other| other.what == check.what);
        assert_eq!(same.count(), 1, "{}", check.what);
    }
}

#[test]
fn a_program_that_is_not_installed_is_no_fault() {
    let check = program("no-such-program", "nothing");
    assert_eq!(check.verdict, Severity::Ok);
    assert!(check.found.starts_with("not installed"));
}
