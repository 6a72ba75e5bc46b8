//! The programs of `examples/apps`, each with what its README says may be broken.

mod big_file;
mod calculator_kernel;
mod market_data;
mod telemetry;
mod web_service;
