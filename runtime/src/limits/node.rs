//! What a server may take of its machine.

use serde::{Deserialize, Serialize};

/// Limits of the whole process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeLimits {
    /// Connections that are open at once; others wait to be taken.
    pub connections: u64,
    /// Milliseconds that one look-up of the API may take in the database.
    pub read_ms: u64,
    /// Bytes of the API's answers that their callers have not taken yet.
    pub answer_bytes: u64,
    /// Free bytes that the disk of the data folder must have for a new message; 0 lets it run full.
    pub free_disk_bytes: u64,
    /// Resident memory from which on no new message is taken; three quarters of the control group's limit by
    /// default, and none where that has none.
    pub memory_bytes: Option<u64>,
}

impl Default for NodeLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            read_ms: 2_000,
            answer_bytes: 256 << 20,
            free_disk_bytes: 256 << 20,
            memory_bytes: None,
        }
    }
}

impl NodeLimits {
    /// What no server can do with less of.
    pub const MINIMA: Self = Self {
        connections: 4,
        read_ms: 10,
        answer_bytes: 1 << 20,
        free_disk_bytes: 0,
        memory_bytes: Some(64 << 20),
    };

    /// What no configuration may go beyond.
    pub const MAXIMA: Self = Self {
        connections: 1_000_000,
        read_ms: 60_000,
        answer_bytes: 16 << 30,
        free_disk_bytes: 1 << 40,
        memory_bytes: Some(1 << 44),
    };
}
