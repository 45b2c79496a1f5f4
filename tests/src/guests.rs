//! Guests as built components.

/// Does what its settings say: `{"act":"echo"}` and more.
pub static ACTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/acts.wasm"));

/// Composes and hands over: `{"act":"compose"}` and worse.
pub static COMPOSER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/composer.wasm"));

/// Grows its table for ever: a core module in text, to be made a component.
pub static TABLE_GROWTH: &str = include_str!("../guests/table-growth.wat");

/// Looks for what the instance before it left, and leaves what it can: a core module in text, as above.
pub static CANARY: &str = include_str!("../guests/canary.wat");

/// Calls each import with the worst that can be passed: `{"act":"wasi:io/streams read"}`, or tells what it calls.
pub static WORST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/worst.wasm"));
