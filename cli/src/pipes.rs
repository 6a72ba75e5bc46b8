//! Pipes of the shell: made as wide as the system lets everybody, so that programs on both sides work in larger pieces.

/// How wide a pipe may be, in bytes: Linux lets users without privileges have this by default.
#[cfg(target_os = "linux")]
const WIDTH: usize = 1 << 20;

/// Widens standard input or output, if it is a pipe. If it cannot be, it stays as it is.
#[cfg(target_os = "linux")]
pub(crate) fn widen(pipe: impl std::os::fd::AsFd) {
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, WIDTH);
}

/// Does nothing: this system has no call for it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn widen<P>(_: P) {}
