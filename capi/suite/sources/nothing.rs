//! Nothing: the package only names what its Cargo.toml depends on.
