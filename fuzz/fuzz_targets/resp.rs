//! RESP2: any bytes are decoded without harm, and a prefix never says anything else than the whole.

#![no_main]

use libfuzzer_sys::fuzz_target;
use zero_core::store::resp::{self, Value};

fuzz_target!(|input: &[u8]| {
    let whole = resp::decode(input);
    let needed = match &whole {
        Ok(Some((value, used))) => {
            assert!(*used <= input.len(), "used {used} of {} bytes", input.len());
            check_encoders(value);
            *used
        }
        _ => input.len() + 1,
    };
    for cut in 0..input.len() {
        match resp::decode(&input[..cut]) {
            Ok(None) => assert!(cut < needed, "{cut} bytes are a value, and were not taken"),
            early => assert_eq!(early, whole, "the first {cut} bytes say something else"),
        }
    }
});

/// What is written as it was read is read as it was written.
fn check_encoders(value: &Value<'_>) {
    let mut wire = Vec::new();
    if encode(&mut wire, value) {
        let again = resp::decode(&wire).expect("RESP2").expect("a whole value");
        assert_eq!((&again.0, again.1), (value, wire.len()));
    }
}

/// Whether there are encoders for such a value: there is none for the null array.
fn encode(out: &mut Vec<u8>, value: &Value<'_>) -> bool {
    let text = |bytes| std::str::from_utf8(bytes).ok().filter(|text| !text.contains(['\r', '\n']));
    match value {
        Value::Simple(bytes) => text(bytes).map(|text| resp::simple(out, text)).is_some(),
        Value::Error(bytes) => text(bytes).map(|text| resp::error(out, text)).is_some(),
        Value::Integer(number) => {
            resp::integer(out, *number);
            true
        }
        Value::Bulk(None) => {
            resp::null(out);
            true
        }
        Value::Bulk(Some(bytes)) => {
            resp::bulk(out, bytes);
            true
        }
        Value::Array(None) => false,
        Value::Array(Some(values)) => {
            resp::array(out, values.len());
            values.iter().all(|value| encode(out, value))
        }
    }
}
