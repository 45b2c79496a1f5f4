//! The engine: which WebAssembly it accepts, how instances are pooled, and the tick that bounds guest CPU.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::{
    Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, OptLevel,
    PoolingAllocationConfig, Strategy, WasmFeatures,
};

use super::class::ConnectorClass;
use super::error::ConnectorError;
use super::memory::Slots;
use crate::id::Digest;

/// The most that [`EngineConfig::component_bytes`] may allow.
pub(super) const COMPONENT_BYTES_MAX: usize = 32 << 20;

/// How often the epoch moves: the step of CPU limits.
pub const TICK: Duration = Duration::from_millis(TICK_MS);
pub(super) const TICK_MS: u64 = 10;

/// Linear memories that a component may have, if it is large.
pub(super) const MEMORIES: u32 = 4;
/// Tables that a component may have. Runtimes of other languages are linked from many modules, each with one.
pub(super) const TABLES: u32 = 4;
/// Core instances that a component may have, if it is large.
pub(super) const CORE_INSTANCES: u32 = 64;
/// The most that one linear memory can have, whatever a send's limits say.
pub(super) const MEMORY_MAX: usize = 256 << 20;
/// The most elements that one table can have.
pub(super) const TABLE_ELEMENTS: usize = 20_000;

pub(super) const WASM_STACK: usize = 512 << 10;
const ASYNC_STACK: usize = 2 << 20;

/// The WebAssembly that a connector may be made of: what compilers of today emit by default.
/// Everything else is off, because a feature that is off is one that no guest can attack.
const FEATURES: WasmFeatures = WasmFeatures::FLOATS
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::BULK_MEMORY_OPT)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// Settings of the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// Sends of small connectors under way at once, fewer where [`Self::guest_memory`] has no room for what they
    /// keep; others wait for their turn, and a tenant has three quarters of them at most.
    pub pool_slots: u32,
    /// The same for connectors that bring the runtime of their language along.
    pub large_pool_slots: u32,
    /// Folder of compiled components, private to this process's user. Without one each process
    /// compiles for itself, on all cores.
    pub artifacts: Option<PathBuf>,
    /// Bytes that an uploaded component may have; 32 MiB at most.
    pub component_bytes: usize,
    /// Bytes of each slot's memory that stay mapped between sends: speed for memory.
    pub memory_resident: usize,
    /// The same for slots of large connectors, whose runtimes touch some MiB in each send.
    pub large_memory_resident: usize,
    /// Bytes of each slot's tables that stay mapped.
    pub table_resident: usize,
    /// Bytes of each slot's stack that stay mapped. A send that goes deeper has its pages taken away and mapped
    /// anew, which costs it a tenth of its time: an ordinary one, its host calls included, needs somewhat over 32 KiB.
    pub stack_resident: usize,
    /// The program that compiles in a process of its own: this one is `/proc/self/exe`. Without it
    /// components are compiled in the process that asks, with no limit. Needs `artifacts`.
    pub compiler: Option<PathBuf>,
    /// Seconds of CPU for one compilation; twice as many for a component of more than 4 MiB.
    pub compile_seconds: u64,
    /// Bytes of address space for one compilation; twice as many for a component of more than 4 MiB.
    pub compile_memory: u64,
    /// Compilations at once.
    pub compilations: usize,
    /// Connectors that are kept ready.
    pub loaded: u64,
    /// Bytes that all guests together may take: half for what slots keep between sends, half for what guests take
    /// beyond that. Half of what the control group or the machine has by default.
    pub guest_memory: Option<u64>,
    /// The components that come with the program: where the engine has a known way out of the sandbox, no other runs.
    #[serde(skip)]
    pub built_in: BTreeSet<Digest>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            pool_slots: 512,
            large_pool_slots: 64,
            artifacts: None,
            component_bytes: 32 << 20,
            memory_resident: 1 << 20,
            large_memory_resident: 16 << 20,
            table_resident: 64 << 10,
            stack_resident: 48 << 10,
            compiler: None,
            compile_seconds: 30,
            compile_memory: 1 << 30,
            compilations: 1,
            loaded: 512,
            guest_memory: None,
            built_in: BTreeSet::new(),
        }
    }
}

impl EngineConfig {
    /// What no engine can do with less of.
    pub const MINIMA: Self = Self {
        pool_slots: 1,
        large_pool_slots: 1,
        artifacts: None,
        component_bytes: 64 << 10,
        memory_resident: 0,
        large_memory_resident: 0,
        table_resident: 0,
        stack_resident: 0,
        compiler: None,
        compile_seconds: 1,
        compile_memory: 256 << 20,
        compilations: 1,
        loaded: 1,
        guest_memory: Some(64 << 20),
        built_in: BTreeSet::new(),
    };

    /// What no configuration may go beyond. Paths have none.
    pub const MAXIMA: Self = Self {
        // Each slot reserves address space for its memories: 47 bits hold twice as many.
        pool_slots: 2_048,
        large_pool_slots: 512,
        artifacts: None,
        component_bytes: COMPONENT_BYTES_MAX,
        memory_resident: MEMORY_MAX,
        large_memory_resident: MEMORY_MAX,
        table_resident: 1 << 20,
        stack_resident: ASYNC_STACK,
        compiler: None,
        compile_seconds: 120,
        compile_memory: 4 << 30,
        compilations: 16,
        loaded: 10_000,
        guest_memory: Some(1 << 44),
        built_in: BTreeSet::new(),
    };
}

impl EngineConfig {
    /// Slots of a class's pool.
    pub(super) const fn slots(&self, class: ConnectorClass) -> u32 {
        match class {
            ConnectorClass::Small => self.pool_slots,
            ConnectorClass::Large => self.large_pool_slots,
        }
    }

    pub(super) const fn resident(&self, class: ConnectorClass) -> usize {
        match class {
            ConnectorClass::Small => self.memory_resident,
            ConnectorClass::Large => self.large_memory_resident,
        }
    }
}

/// The engine of `config` for connectors of a class, with its tick running.
pub(super) fn start(
    config: &EngineConfig,
    class: ConnectorClass,
    slots: Slots,
) -> Result<Engine, ConnectorError> {
    let engine =
        Engine::new(&engine_config(config, class, slots)).map_err(ConnectorError::engine)?;
    let weak = engine.weak();
    std::thread::Builder::new()
        .name("sandbox-tick".to_owned())
        .spawn(move || tick(&weak))
        .map_err(|error| ConnectorError::Engine(error.to_string()))?;
    Ok(engine)
}

/// Moves the epoch until the engine is gone. A thread of its own: a busy async runtime must not stop the clock.
fn tick(engine: &EngineWeak) {
    loop {
        std::thread::sleep(TICK);
        match engine.upgrade() {
            Some(engine) => engine.increment_epoch(),
            None => return,
        }
    }
}

/// An engine that compiles for the one of [`start`], and runs nothing.
pub(super) fn for_compiling() -> Result<Engine, ConnectorError> {
    Engine::new(&code_config()).map_err(ConnectorError::engine)
}

fn engine_config(settings: &EngineConfig, class: ConnectorClass, slots: Slots) -> Config {
    let mut config = code_config();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(
            settings, class, slots,
        )))
        // Who keeps nothing is an author who waits for it, not a server whose sends want the cores.
        .parallel_compilation(settings.artifacts.is_none());
    config
}

/// All that compiled code depends on.
fn code_config() -> Config {
    let mut config = Config::new();
    config
        .wasm_features(WasmFeatures::all().difference(FEATURES), false)
        .wasm_features(FEATURES, true)
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .signals_based_traps(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        .async_stack_zeroing(true)
        .memory_init_cow(true)
        .guard_before_linear_memory(true)
        .generate_address_map(false)
        .parallel_compilation(false);
    config
}

/// How a slot's memory is made as new. The scan puts back the pages that a send wrote to, as long as they lie in few
/// places. A language's runtime writes all over its heap: page after page would be mapped anew in the next send, and
/// each asks the other cores to forget the old one. Copying all of it takes less.
const fn pagemap_scan(class: ConnectorClass) -> Enabled {
    match class {
        ConnectorClass::Small => Enabled::Auto,
        ConnectorClass::Large => Enabled::No,
    }
}

/// Counts are such that a send that has its turn always finds its room.
fn pool(settings: &EngineConfig, class: ConnectorClass, slots: Slots) -> PoolingAllocationConfig {
    let (slots, resident) = (slots.count.max(1), slots.resident);
    let (memories, core_instances) = (class.memories(), class.core_instances());
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(core_instances))
        // A component with several takes as many turns.
        .total_memories(slots.max(memories))
        .total_tables(slots.saturating_mul(TABLES))
        .total_stacks(slots)
        .max_core_instances_per_component(core_instances)
        .max_memories_per_component(memories)
        .max_tables_per_component(TABLES)
        .max_memories_per_module(1)
        .max_tables_per_module(TABLES)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(MEMORY_MAX)
        .linear_memory_keep_resident(resident)
        .table_keep_resident(settings.table_resident)
        .async_stack_keep_resident(settings.stack_resident)
        .pagemap_scan(pagemap_scan(class))
        // At once: a slot whose guest took much would keep all of it until as many others had ended.
        .decommit_batch_size(1);
    pool
}

#[cfg(test)]
mod tests;
