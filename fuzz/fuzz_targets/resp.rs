//! RESP2: any bytes can be decoded, and no prefix is decoded to a different value than the whole.

#![no_main]

use libfuzzer_sys::fuzz_target;
use zerohttpd_core::store::resp::{self, RespValue};

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
            Ok(None) => assert!(cut < needed, "a value of {cut} bytes was not decoded"),
            early => assert_eq!(early, whole, "the first {cut} bytes have another value"),
        }
    }
});

/// Checks that a value that is encoded again is decoded to itself.
fn check_encoders(value: &RespValue<'_>) {
    let mut wire = Vec::new();
    if encode(&mut wire, value) {
        let again = resp::decode(&wire).expect("RESP2").expect("a whole value");
        assert_eq!((&again.0, again.1), (value, wire.len()));
    }
}

/// Encodes a value. Returns false if there is no encoder for it, such as for the null array.
fn encode(out: &mut Vec<u8>, value: &RespValue<'_>) -> bool {
    let text = |bytes| std::str::from_utf8(bytes).ok().filter(|text| !text.contains(['\r', '\n']));
    match value {
        RespValue::Simple(bytes) => text(bytes).map(|text| resp::simple(out, text)).is_some(),
        RespValue::Error(bytes) => text(bytes).map(|text| resp::error(out, text)).is_some(),
        RespValue::Integer(number) => {
            resp::integer(out, *number);
            true
        }
        RespValue::Bulk(None) => {
            resp::null(out);
            true
        }
        RespValue::Bulk(Some(bytes)) => {
            resp::bulk(out, bytes);
            true
        }
        RespValue::Array(None) => false,
        RespValue::Array(Some(values)) => {
            resp::array(out, values.len());
            values.iter().all(|value| encode(out, value))
        }
    }
}
