//! The version of the library that a peer is built on.

/// For build scripts: the locked version of a dependency, as an environment
/// variable that the peer can print.
pub fn emit_locked_version(package: &str) {
    let dir = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo:rerun-if-changed=Cargo.lock");
    let lock = std::fs::read_to_string(format!("{dir}/Cargo.lock")).unwrap_or_default();
    let mut hit = false;
    let mut version = "unknown".to_string();
    for line in lock.lines() {
        if let Some(n) = line.strip_prefix("name = ") {
            hit = n.trim_matches('"') == package;
        } else if hit {
            if let Some(v) = line.strip_prefix("version = ") {
                version = v.trim_matches('"').to_string();
                hit = false;
            }
        }
    }
    println!("cargo:rustc-env=RIVAL_VERSION={version}");
}
