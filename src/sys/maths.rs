//! The functions of the C library's `libm` that the program uses, linked into it.
//!
//! A shared library is five mappings more, which every forked child has to copy and to take down
//! again. The names and signatures are those of log(3), pow(3) and hypot(3).

macro_rules! in_place_of_the_library {
    ($($name:ident($($argument:ident),+);)+) => {$(
        // SAFETY: it does what the function of that name in the C library does.
        #[unsafe(no_mangle)]
        extern "C" fn $name($($argument: f64),+) -> f64 {
            libm::$name($($argument),+)
        }
    )+};
}

in_place_of_the_library! {
    log(x);
    log2(x);
    log10(x);
    pow(x, y);
    hypot(x, y);
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_does_what_its_name_says() {
        // What the compiler can't work out beforehand.
        let from = |number: f64| std::hint::black_box(number);
        assert_eq!(from(1.0).ln(), 0.0);
        assert_eq!(from(8.0).log2(), 3.0);
        assert_eq!(from(1000.0).log10(), 3.0);
        assert_eq!(from(2.0).powf(from(0.5)), 2.0_f64.sqrt());
        assert_eq!(from(3.0).hypot(from(4.0)), 5.0);
    }
}
