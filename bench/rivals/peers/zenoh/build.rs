fn main() {
    common::emit_locked_version("zenoh");
}
