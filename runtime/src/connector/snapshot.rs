//! Runs a core module's start once, when it is built, and keeps the memory that it leaves: a runtime such
//! as Go's takes milliseconds to start, which every send would pay again.
//!
//! For authors, on their own machine: what runs here is not sandboxed beyond having nothing to reach.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasmtime::{Caller, Config, Engine, Extern, Instance, Linker, Module, OptLevel, Store, Val};
use wasmtime_wizer::{InstanceState, SnapshotVal, ValType, Wizer};

mod segments;

/// What WASI's first preview calls a module's start.
const START: &str = "_initialize";

/// What a start may ask for; any other import ends it.
const WASI: &str = "wasi_snapshot_preview1";

/// Numbers of errors in WASI's first preview.
const SUCCESS: i32 = 0;
const BAD_FILE: i32 = 8;

/// Time and chance are the same in every build, so that its output is. A guest that wants them at a send
/// asks the host then. Go's runtime takes a clock of 0 for a broken one.
const NANOSECONDS: u64 = 1;
const RANDOM: u8 = 0x53;

/// Why a module could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The module's own start failed; what it says of that is on standard error.
    #[error("the module's initialisation failed: {0}")]
    Start(String),
    /// It is no module, or none that can be kept.
    #[error("the module's memory cannot be kept: {0}")]
    Module(String),
}

/// The module as it is after its start, with no start to run any more.
///
/// # Errors
/// Where the start ends with a trap, or the module is none that can be kept.
pub fn started(module: &[u8]) -> Result<Vec<u8>, SnapshotError> {
    let broken = |error: wasmtime::Error| SnapshotError::Module(format!("{error:#}"));
    let mut wizer = Wizer::new();
    wizer.init_func(START);
    let (context, instrumented) = wizer.instrument(module).map_err(broken)?;

    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::None);
    let engine = Engine::new(&config).map_err(broken)?;
    let compiled = Module::new(&engine, instrumented).map_err(broken)?;
    let mut linker = Linker::new(&engine);
    link(&mut linker).map_err(broken)?;
    linker
        .define_unknown_imports_as_traps(&compiled)
        .map_err(broken)?;
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &compiled).map_err(broken)?;
    let start = instance
        .get_typed_func::<(), ()>(&mut store, START)
        .map_err(broken)?;
    start
        .call(&mut store, ())
        .map_err(|error| SnapshotError::Start(format!("{error:#}")))?;

    let mut kept = Kept {
        store,
        instance,
        lost: false,
    };
    let kept_module = {
        let snapshot = pin!(wizer.snapshot(&context, &mut kept));
        // Nothing in it waits: the engine's calls have ended.
        match snapshot.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(module) => module.map_err(broken)?,
            Poll::Pending => return Err(SnapshotError::Module("it waits".to_owned())),
        }
    };
    if kept.lost {
        return Err(SnapshotError::Module(
            "it has a global of a reference".to_owned(),
        ));
    }
    segments::merge(&kept_module).map_err(|error| SnapshotError::Module(error.to_string()))
}

/// The started instance, as the snapshot asks for it.
struct Kept {
    store: Store<()>,
    instance: Instance,
    /// Whether something could not be read.
    lost: bool,
}

impl InstanceState for Kept {
    async fn global_get(&mut self, name: &str, _: ValType) -> SnapshotVal {
        let global = self.instance.get_global(&mut self.store, name);
        match global.map(|global| global.get(&mut self.store)) {
            Some(Val::I32(value)) => SnapshotVal::I32(value),
            Some(Val::I64(value)) => SnapshotVal::I64(value),
            Some(Val::F32(value)) => SnapshotVal::F32(value),
            Some(Val::F64(value)) => SnapshotVal::F64(value),
            _ => {
                self.lost = true;
                SnapshotVal::I32(0)
            }
        }
    }

    async fn memory_contents(&mut self, name: &str, contents: impl FnOnce(&[u8]) + Send) {
        match self.instance.get_memory(&mut self.store, name) {
            Some(memory) => contents(memory.data(&self.store)),
            None => self.lost = true,
        }
    }
}

/// A machine without arguments, environment or files, whose time and chance stand still.
fn link(linker: &mut Linker<()>) -> wasmtime::Result<()> {
    type Host<'a> = Caller<'a, ()>;
    for name in ["args_sizes_get", "environ_sizes_get"] {
        linker.func_wrap(WASI, name, |mut host: Host<'_>, count: u32, bytes: u32| {
            write(&mut host, count, &[0; 4])?;
            write(&mut host, bytes, &[0; 4])
        })?;
    }
    for name in ["args_get", "environ_get"] {
        linker.func_wrap(WASI, name, |_: u32, _: u32| SUCCESS)?;
    }
    for name in ["fd_prestat_get", "fd_fdstat_get"] {
        linker.func_wrap(WASI, name, |_: u32, _: u32| BAD_FILE)?;
    }
    linker.func_wrap(WASI, "sched_yield", || SUCCESS)?;
    linker.func_wrap(
        WASI,
        "clock_time_get",
        |mut host: Host<'_>, _: u32, _: u64, at: u32| {
            write(&mut host, at, &NANOSECONDS.to_le_bytes())
        },
    )?;
    linker.func_wrap(
        WASI,
        "random_get",
        |mut host: Host<'_>, at: u32, length: u32| {
            write(&mut host, at, &vec![RANDOM; length as usize])
        },
    )?;
    linker.func_wrap(
        WASI,
        "poll_oneoff",
        |mut host: Host<'_>, _: u32, _: u32, _: u32, count: u32| write(&mut host, count, &[0; 4]),
    )?;
    linker.func_wrap(WASI, "fd_write", say)?;
    Ok(())
}

/// What the module writes is for the author, whichever file it writes to.
fn say(
    mut host: Caller<'_, ()>,
    _: u32,
    buffers: u32,
    count: u32,
    written: u32,
) -> wasmtime::Result<i32> {
    let mut length = 0_u32;
    for index in 0..count {
        let buffer = buffers.saturating_add(index.saturating_mul(8));
        let word = |bytes: Option<&[u8]>| {
            let bytes = bytes.and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
            bytes.map_or(0, u32::from_le_bytes)
        };
        let at = word(read(&mut host, buffer, 4));
        let size = word(read(&mut host, buffer.saturating_add(4), 4));
        if let Some(text) = read(&mut host, at, size) {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), text);
        }
        length = length.saturating_add(size);
    }
    write(&mut host, written, &length.to_le_bytes())
}

fn read<'a>(host: &'a mut Caller<'_, ()>, at: u32, length: u32) -> Option<&'a [u8]> {
    let memory = host.get_export("memory").and_then(Extern::into_memory)?;
    let start = at as usize;
    memory
        .data(host)
        .get(start..start.checked_add(length as usize)?)
}

fn write(host: &mut Caller<'_, ()>, at: u32, bytes: &[u8]) -> wasmtime::Result<i32> {
    if let Some(memory) = host.get_export("memory").and_then(Extern::into_memory) {
        memory.write(host, at as usize, bytes)?;
    }
    Ok(SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTER: &str = r#"(module
        (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
        (memory (export "memory") 1)
        (global $seen (mut i32) (i32.const 0))
        (func (export "_initialize")
            (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 64)))
            (global.set $seen (i32.const 7)))
        (func (export "seen") (result i32) (i32.add (global.get $seen) (i32.load (i32.const 64)))))"#;

    #[test]
    fn a_module_is_kept_as_its_start_has_left_it() {
        let module = started(&wat::parse_str(COUNTER).unwrap()).unwrap();
        let engine = Engine::default();
        let compiled = Module::new(&engine, module).unwrap();
        assert!(compiled.get_export(START).is_none());
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&compiled).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &compiled).unwrap();
        let seen = instance
            .get_typed_func::<(), i32>(&mut store, "seen")
            .unwrap();
        assert_eq!(seen.call(&mut store, ()).unwrap(), 8);
    }

    #[test]
    fn a_start_that_traps_is_the_authors_failure() {
        let module =
            r#"(module (memory (export "memory") 1) (func (export "_initialize") unreachable))"#;
        let error = started(&wat::parse_str(module).unwrap()).unwrap_err();
        assert!(matches!(error, SnapshotError::Start(_)), "{error}");
    }
}
