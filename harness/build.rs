//! Records the compiler and its flags, so that a result can say what built it.

use std::env;
use std::process::Command;

fn main() {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = Command::new(rustc)
        .arg("-vV")
        .output()
        .map(|out| String::from_utf8_lossy(&out.stdout).into_owned())
        .unwrap_or_default();
    let llvm = version.lines().find_map(|l| l.strip_prefix("LLVM version: ")).unwrap_or("unknown");
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default().replace('\x1f', " ");
    for (name, value) in [
        ("RUSTC", version.lines().next().unwrap_or("unknown")),
        ("LLVM", llvm),
        ("TARGET", &env::var("TARGET").unwrap_or_default()),
        ("RUSTFLAGS", &flags),
        ("PROFILE", &profile()),
    ] {
        println!("cargo::rustc-env=ANNVIL_BUILD_{name}={value}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}

/// The profile's name: cargo tells scripts only `debug` or `release`, but it names the folder that
/// holds `build/<package>-<hash>/out` after the profile itself.
fn profile() -> String {
    let out = env::var("OUT_DIR").unwrap_or_default();
    let folder = std::path::Path::new(&out).ancestors().nth(3).and_then(|p| p.file_name());
    folder
        .map(|name| name.to_string_lossy().into_owned())
        .or_else(|| env::var("PROFILE").ok())
        .unwrap_or_default()
}
