//! placeholder

pub mod fault_registry;
