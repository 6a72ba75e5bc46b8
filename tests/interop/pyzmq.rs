//! Every socket type with pyzmq in a process of its own, in every role and over every transport, on
//! tokio's multi-thread runtime. The matrix is `tests/common/src/matrix.rs`.

use common::python::Pyzmq;

common::interop_matrix!(Pyzmq, "multi_thread");
