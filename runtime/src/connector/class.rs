//! Classes of connectors: what the engine has to grant one, told from what it is made of.

use serde::Serialize;
use wasmparser::{Encoding, Instance, Parser, Payload};

use super::engine::{CORE_INSTANCES, MEMORIES};
use super::error::UploadError;
use super::inspect::malformed;

/// Bytes from which on a component carries the runtime of a language.
const SMALL_BYTES: usize = 2 << 20;
/// Bytes of memory that a small connector begins with at most.
const SMALL_MEMORY: u64 = 4 << 20;
pub(super) const PAGE: u64 = 64 << 10;

/// Which pool a connector's instances come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectorClass {
    /// One memory, few modules: what Rust, C, C++ and Zig compile to.
    Small,
    /// It brings the runtime of its language along: JavaScript, Python, Go.
    Large,
}

impl ConnectorClass {
    /// Linear memories that a component of the class may have.
    pub(super) const fn memories(self) -> u32 {
        match self {
            Self::Small => 1,
            Self::Large => MEMORIES,
        }
    }

    /// Core instances that a component of the class may have.
    pub(super) const fn core_instances(self) -> u32 {
        match self {
            Self::Small => 16,
            Self::Large => CORE_INSTANCES,
        }
    }

    /// The class of a component. Reads its sections and skips its code.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, UploadError> {
        if bytes.len() > SMALL_BYTES {
            return Ok(Self::Large);
        }
        let (mut memories, mut instances, mut pages) = (0, 0, 0_u64);
        let mut open = Vec::new();
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(malformed)?;
            let nested = open.len() > 1;
            match payload {
                // A component within it may only pass functions on: how often it is instantiated is not looked into.
                Payload::Version {
                    encoding: Encoding::Module,
                    ..
                }
                | Payload::InstanceSection(_)
                    if nested =>
                {
                    return Ok(Self::Large);
                }
                Payload::Version { encoding, .. } => open.push(encoding),
                Payload::End(_) => drop(open.pop()),
                Payload::MemorySection(section) => {
                    for memory in section {
                        memories += 1;
                        pages = pages.saturating_add(memory.map_err(malformed)?.initial);
                    }
                }
                Payload::InstanceSection(section) => {
                    for instance in section {
                        let instance = instance.map_err(malformed)?;
                        instances += u32::from(matches!(instance, Instance::Instantiate { .. }));
                    }
                }
                _ => {}
            }
        }
        let small = memories <= Self::Small.memories()
            && instances <= Self::Small.core_instances()
            && pages.saturating_mul(PAGE) <= SMALL_MEMORY;
        Ok(if small { Self::Small } else { Self::Large })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(text: &str) -> ConnectorClass {
        ConnectorClass::of(&wat::parse_str(text).unwrap()).unwrap()
    }

    #[test]
    fn what_one_memory_and_few_modules_do_is_small() {
        let module = "(core module $m (memory 17) (table 74 funcref))";
        let few = "(core instance (instantiate $m))".repeat(16);
        assert_eq!(
            class(&format!("(component {module})")),
            ConnectorClass::Small
        );
        let shim = "(component (import \"send\" (func $send)) (export \"send\" (func $send)))";
        assert_eq!(
            class(&format!("(component {module} {few} {shim})")),
            ConnectorClass::Small
        );
    }

    #[test]
    fn what_a_language_brings_along_is_large() {
        let large = [
            "(component (core module (memory 1)) (core module (memory 1)))".to_owned(),
            "(component (core module (memory 65)))".to_owned(),
            "(component (component (core module)))".to_owned(),
            format!(
                "(component (core module $m) {})",
                "(core instance (instantiate $m))".repeat(17)
            ),
            format!(
                "(component (core module (memory 1) (data (i32.const 0) \"{}\")))",
                "x".repeat(SMALL_BYTES)
            ),
        ];
        for text in large {
            assert_eq!(class(&text), ConnectorClass::Large, "{}", &text[..40]);
        }
    }
}
