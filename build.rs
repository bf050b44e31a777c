//! Links the unwinder into the program, where the compiler has it as an archive. As a shared
//! library (`libgcc_s`) it is five mappings more, which every forked child has to copy and to take
//! down again: 7 % of the time of a request of `forking`.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let Ok(compiler) = cc::Build::new().try_get_compiler() else { return };
    let answer = compiler.to_command().arg("-print-file-name=libgcc_eh.a").output();
    let Ok(path) = answer.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned()) else {
        return;
    };
    // A compiler that has no such file says its bare name.
    if let Some(folder) = Path::new(path.trim()).parent().filter(|folder| folder.is_absolute()) {
        println!("cargo:rustc-link-search=native={}", folder.display());
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
}
