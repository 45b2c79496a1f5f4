//! Guests as built components.

/// Does what its settings say: `{"act":"echo"}` and more.
pub static ACTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/acts.wasm"));

/// Grows its table for ever: a core module in text, to be made a component.
pub static TABLE_GROWTH: &str = include_str!("../guests/table-growth.wat");
