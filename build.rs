//! Links the unwinder into the program, where the compiler has it as an archive. As a shared
//! library (`libgcc_s`) it is five mappings more, which every forked child has to copy and to take
//! down again: some 6 % of the time of a request of `forking`.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_CFG_TARGET_ENV").is_none_or(|libc| libc != "gnu") {
        return;
    }
    let Ok(compiler) = cc::Build::new().try_get_compiler() else { return };
    let mut question = compiler.to_command();
    let Ok(answer) = question.arg("-print-file-name=libgcc_eh.a").output() else { return };
    let path = String::from_utf8_lossy(&answer.stdout);
    // A compiler that has no such file says its bare name.
    if let Some(folder) = Path::new(path.trim()).parent().filter(|folder| folder.is_absolute()) {
        println!("cargo:rustc-link-search=native={}", folder.display());
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
}
