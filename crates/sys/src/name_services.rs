//! nsswitch.conf(5): which services look up hosts and users.

/// Restricts a statically linked program to the services that are linked into it: files and DNS.
/// The others are libraries of this machine, and need the C library that they were built for;
/// loaded into a program that is linked with another one, they crash it. Call this before any
/// lookup. In a program that is linked dynamically, it does nothing.
pub fn use_linked_ones() {
    #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
    for (database, services) in
        [(c"hosts", c"files dns"), (c"passwd", c"files"), (c"group", c"files")]
    {
        // SAFETY: both strings end with a zero and are copied. No other thread runs yet, or looks
        // anything up.
        unsafe { __nss_configure_lookup(database.as_ptr(), services.as_ptr()) };
    }
}

#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
// SAFETY: the declaration is that of glibc's `nss.h`.
unsafe extern "C" {
    /// Replaces a line of nsswitch.conf(5). It fails only for an unknown database, or for a lack of
    /// memory.
    fn __nss_configure_lookup(
        database: *const std::ffi::c_char,
        services: *const std::ffi::c_char,
    ) -> std::ffi::c_int;
}
