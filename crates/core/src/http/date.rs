//! Dates of HTTP, `Sun, 06 Nov 1994 08:49:37 GMT` (IMF-fixdate, RFC 9110 §5.6.7), and the two
//! older formats that a recipient must accept.

use alloc::string::String;
use alloc::vec::Vec;

/// The days of the week, beginning with that of 1970-01-01.
const DAYS: [&str; 7] =
    ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// The last second of the year 9999; later years have five digits.
const LAST_S: u64 = 253_402_300_799;

/// The year, the month (1 to 12) and the day of the month of a day counted from 1970-01-01.
///
/// The calendar repeats every 400 years (146,097 days). If a year begins on 1 March, a leap day is
/// its last day, and the month is a linear function of the day.
fn civil(day: u64) -> (u64, usize, u64) {
    let day = day + 719_468;
    let era = day / 146_097;
    let day_of_era = day % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month as usize, day_of_year - (153 * march_month + 2) / 5 + 1)
}

/// Appends the date of `unix_s` seconds since 1970 in the format of RFC 3339,
/// `1994-11-06T08:49:37Z`: always 20 bytes.
pub(crate) fn append_rfc_3339(out: &mut Vec<u8>, unix_s: u64) {
    let unix_s = unix_s.min(LAST_S);
    let second = unix_s % 86_400;
    let (year, month, day_of_month) = civil(unix_s / 86_400);
    let mut text = *b"1970-01-01T00:00:00Z";
    two_digits(&mut text[..2], year / 100);
    two_digits(&mut text[2..4], year % 100);
    two_digits(&mut text[5..7], month as u64);
    two_digits(&mut text[8..10], day_of_month);
    two_digits(&mut text[11..13], second / 3600);
    two_digits(&mut text[14..16], second / 60 % 60);
    two_digits(&mut text[17..19], second % 60);
    out.extend_from_slice(&text);
}

/// Appends the date of `unix_s` seconds since 1970: always 29 bytes.
pub(crate) fn append(out: &mut Vec<u8>, unix_s: u64) {
    let unix_s = unix_s.min(LAST_S);
    let (day, second) = (unix_s / 86_400, unix_s % 86_400);
    let (year, month, day_of_month) = civil(day);
    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    text[..3].copy_from_slice(&DAYS[(day % 7) as usize].as_bytes()[..3]);
    two_digits(&mut text[5..7], day_of_month);
    text[8..11].copy_from_slice(MONTHS[month - 1]);
    two_digits(&mut text[12..14], year / 100);
    two_digits(&mut text[14..16], year % 100);
    two_digits(&mut text[17..19], second / 3600);
    two_digits(&mut text[20..22], second / 60 % 60);
    two_digits(&mut text[23..25], second % 60);
    out.extend_from_slice(&text);
}

/// Reads a date in any of the three formats of RFC 9110 §5.6.7, as seconds since 1970. A year of
/// two digits is in the current century, or in the previous one if the date would otherwise be more
/// than 50 years after `now_unix_s`. A day that its month does not have is an error. The day of the
/// week is not checked.
pub(crate) fn parse(text: &[u8], now_unix_s: u64) -> Option<u64> {
    let text = core::str::from_utf8(text).ok()?;
    let (day_name, rest) = text.split_at_checked(text.find([',', ' '])?)?;
    let (has_comma, rest) = match rest.strip_prefix(',') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let mut words = rest.split_ascii_whitespace();
    let mut word = || words.next();
    let mut has_century = true;
    let is_short = DAYS.iter().any(|name| name[..3] == *day_name);
    let (day, month, year, time) = match (has_comma, is_short) {
        // Sun, 06 Nov 1994 08:49:37 GMT
        (true, true) => (digits(word()?, 2)?, word()?, digits(word()?, 4)?, word()?),
        // Sunday, 06-Nov-94 08:49:37 GMT
        (true, false) if DAYS.contains(&day_name) => {
            let mut date = word()?.split('-');
            let (day, month) = (digits(date.next()?, 2)?, date.next()?);
            has_century = false;
            let year = digits(date.next()?, 2)?;
            date.next().is_none().then_some((day, month, year, word()?))?
        }
        // Sun Nov  6 08:49:37 1994
        (false, true) => {
            let (month, day, time) = (word()?, word()?, word()?);
            (digits(day, day.len().min(2))?, month, digits(word()?, 4)?, time)
        }
        _ => return None,
    };
    let is_gmt = if has_comma { word() == Some("GMT") } else { true };
    let month = MONTHS.iter().position(|name| name.as_slice() == month.as_bytes())? as u64 + 1;
    let second = time_of_day(time)?;
    if !is_gmt || word().is_some() || !(1..=31).contains(&day) {
        return None;
    }
    // Every date before 1970 counts as 1970.
    let at = |year| match year {
        ..1970 => 0,
        year => days_before(year, month, day) * 86_400 + second,
    };
    let year = if has_century {
        year
    } else {
        let (this_year, _, _) = civil(now_unix_s.min(LAST_S) / 86_400);
        let year = this_year / 100 * 100 + year;
        if at(year) > now_unix_s + FIFTY_YEARS_S { year - 100 } else { year }
    };
    (day <= days_in(year, month)).then(|| at(year))
}

fn days_in(year: u64, month: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Fifty years of 365.25 days.
const FIFTY_YEARS_S: u64 = 50 * 31_557_600;

/// `08:49:37`, or the leap second `23:59:60`.
fn time_of_day(text: &str) -> Option<u64> {
    let mut parts = text.split(':').map(|part| digits(part, 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let is_leap_second = (hour, minute, second) == (23, 59, 60);
    let is_valid = hour < 24 && minute < 60 && (second < 60 || is_leap_second);
    (is_valid && parts.next().is_none()).then_some(hour * 3600 + minute * 60 + second)
}

fn digits(text: &str, count: usize) -> Option<u64> {
    let is_valid = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_valid.then(|| text.parse().ok())?
}

/// Days from 1970-01-01 to a date: the inverse of [`civil`].
fn days_before(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let march_month = (month + 9) % 12;
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date of `unix_s` seconds since 1970 as access logs write it: `06/Nov/1994:08:49:37 +0000`.
pub fn common_log_date(unix_s: u64) -> String {
    let mut date = Vec::with_capacity(29);
    append(&mut date, unix_s);
    let [day, month, year, time] = [5..7, 8..11, 12..16, 17..25]
        .map(|part| core::str::from_utf8(&date[part]).unwrap_or_default());
    alloc::format!("{day}/{month}/{year}:{time} +0000")
}

/// The date of `unix_s` seconds since 1970 in the format of RFC 3339: `1994-11-06T08:49:37Z`.
pub fn rfc_3339_date(unix_s: u64) -> String {
    let mut date = Vec::with_capacity(20);
    append_rfc_3339(&mut date, unix_s);
    String::from_utf8(date).unwrap_or_default()
}

fn two_digits(out: &mut [u8], number: u64) {
    out[0] = b'0' + (number / 10) as u8;
    out[1] = b'0' + (number % 10) as u8;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    fn shown(unix_s: u64) -> Vec<u8> {
        let mut out = Vec::new();
        append(&mut out, unix_s);
        out
    }

    #[test]
    fn the_three_forms_of_a_date_are_read() {
        const NOW_S: u64 = 1_795_000_000;
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(text.as_bytes(), NOW_S), Some(784_111_777), "{text}");
        }
        for unix_s in (0..LAST_S).step_by(7_654_321) {
            assert_eq!(parse(&shown(unix_s), NOW_S), Some(unix_s), "{unix_s}");
        }
    }

    #[test]
    fn a_year_of_two_digits_is_at_most_fifty_years_ahead() {
        // 2026-11-23
        const NOW_S: u64 = 1_795_392_000;
        let year = |text: &str| parse(text.as_bytes(), NOW_S).map(|at| civil(at / 86_400).0);
        assert_eq!(year("Sunday, 22-Nov-76 00:00:00 GMT"), Some(2076));
        assert_eq!(year("Thursday, 31-Dec-76 00:00:00 GMT"), Some(1976));
        assert_eq!(year("Friday, 01-Jan-99 00:00:00 GMT"), Some(1999));
        assert_eq!(parse(b"Fri, 01 Jan 1960 00:00:00 GMT", NOW_S), Some(0), "before 1970");
    }

    #[test]
    fn malformed_dates_are_refused() {
        for text in [
            "",
            "Sun",
            "0",
            "1994-11-06T08:49:37Z",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nox 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT x",
            "Xxx, 06 Nov 1994 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun,, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94-1 08:49:37 GMT",
            "Sunfish, 06-Nov-94 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:60 GMT",
            "Sun, 06 Nov 1994 23:59:61 GMT",
            "Sun Nov  0 08:49:37 1994",
        ] {
            assert_eq!(parse(text.as_bytes(), 0), None, "{text}");
        }
    }

    #[test]
    fn a_day_that_its_month_does_not_have_is_refused() {
        // 2026-11-23
        const NOW_S: u64 = 1_795_392_000;
        let is_date = |text: &str| parse(text.as_bytes(), NOW_S).is_some();
        for (last, month, year) in [
            (31, "Jan", 1995),
            (28, "Feb", 1995),
            (29, "Feb", 1996),
            (29, "Feb", 2000),
            (28, "Feb", 1900),
            (28, "Feb", 2100),
            (31, "Mar", 1995),
            (30, "Apr", 1995),
            (30, "Jun", 1995),
            (30, "Sep", 1995),
            (30, "Nov", 1995),
            (31, "Dec", 9999),
        ] {
            let next = last + 1;
            assert!(is_date(&format!("Sun, {last} {month} {year} 08:49:37 GMT")));
            assert!(!is_date(&format!("Sun, {next} {month} {year} 08:49:37 GMT")));
            assert!(is_date(&format!("Sun {month} {last} 08:49:37 {year}")));
            assert!(!is_date(&format!("Sun {month} {next} 08:49:37 {year}")));
        }
        assert!(is_date("Tuesday, 29-Feb-00 00:00:00 GMT"), "of 2000");
        assert!(is_date("Saturday, 29-Feb-76 00:00:00 GMT"), "of 2076");
        assert!(!is_date("Monday, 29-Feb-99 00:00:00 GMT"), "of 1999");
        assert!(!is_date("Monday, 31-Feb-99 00:00:00 GMT"));
        assert_eq!(parse(b"Sat, 31 Dec 2016 23:59:60 GMT", NOW_S), Some(1_483_228_800));
    }

    #[test]
    fn a_date_for_the_log() {
        assert_eq!(common_log_date(784_111_777), "06/Nov/1994:08:49:37 +0000");
    }

    #[test]
    fn a_date_for_programs() {
        let mut out = Vec::new();
        append_rfc_3339(&mut out, 784_111_777);
        append_rfc_3339(&mut out, 951_782_400);
        append_rfc_3339(&mut out, u64::MAX);
        assert_eq!(rfc_3339_date(784_111_777).as_bytes(), &out[..20]);
        assert_eq!(out, b"1994-11-06T08:49:37Z2000-02-29T00:00:00Z9999-12-31T23:59:59Z");
    }

    #[test]
    fn known_dates() {
        assert_eq!(shown(0), b"Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(shown(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(shown(951_782_400), b"Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(shown(4_107_542_399), b"Sun, 28 Feb 2100 23:59:59 GMT");
        assert_eq!(shown(4_107_542_400), b"Mon, 01 Mar 2100 00:00:00 GMT");
        assert_eq!(shown(u64::MAX), b"Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
