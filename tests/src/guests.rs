//! Guests as built components.

/// Does what its settings say: `{"act":"echo"}` and more.
pub static ACTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/acts.wasm"));

/// Composes and hands over: `{"act":"compose"}` and worse.
pub static COMPOSER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/composer.wasm"));

/// Grows its table for ever: a core module in text, to be made a component.
pub static TABLE_GROWTH: &str = include_str!("../guests/table-growth.wat");
