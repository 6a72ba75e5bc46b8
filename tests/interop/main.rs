//! Our sockets with other implementations: every type with libzmq and pyzmq, over each transport and in both roles, and
//! programs of the shape that real ones have (brokers, notebooks, nodes, meshes), each with either implementation.

mod bitcoind;
mod broker;
mod browser;
mod datagrams;
mod drafts;
mod jszmq;
mod jupyter;
mod libzmq;
mod mesh;
mod pyzmq;
mod requester;
mod service;
mod streams;
mod websocket;
