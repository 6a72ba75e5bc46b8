//! Every socket type with pyzmq in a process of its own, in every role and over every transport, on
//! tokio's multi-thread runtime. The matrix is `tests/common/matrix.rs`.

mod common;

use common::python::Pyzmq;

interop_matrix!(Pyzmq, "multi_thread");
