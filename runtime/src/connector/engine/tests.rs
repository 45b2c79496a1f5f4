//! Whether the engine is set up as the sandbox needs it.

use wasmtime::Module;
use wasmtime::component::Component;

use super::*;

/// Slots of a small pool, as the configuration asks for.
fn slots(config: &EngineConfig) -> Slots {
    Slots {
        count: config.pool_slots,
        resident: config.memory_resident,
    }
}

fn engine() -> Engine {
    let config = EngineConfig {
        pool_slots: 2,
        ..EngineConfig::default()
    };
    start(&config, ConnectorClass::Small, slots(&config)).unwrap()
}

#[test]
fn only_the_features_that_connectors_need_are_on() {
    let engine = engine();
    let compiles = |text: &str| Module::new(&engine, wat::parse_str(text).unwrap()).is_ok();
    for on in [
        "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 1))))",
        "(module (func (result i32 i32) i32.const 0 i32.const 1))",
        "(module (func (param f64) (result i32) local.get 0 i32.trunc_sat_f64_s))",
    ] {
        assert!(compiles(on), "{on}");
    }
    for off in [
        "(module (table 1 externref))",
        "(module (memory 1 1 shared))",
        "(module (memory i64 1))",
        "(module (memory 1) (memory 1))",
        "(module (memory 1 (pagesize 1)))",
        "(module (func (result v128) (v128.const i32x4 0 0 0 0)))",
        "(module (func (result v128) (v128.const i32x4 0 0 0 0) (v128.const i32x4 0 0 0 0) (i8x16.relaxed_swizzle)))",
        "(module (func $f (return_call $f)))",
        "(module (type $t (func)) (func (param (ref $t)) (call_ref $t (local.get 0))))",
        "(module (type $s (struct)) (func (drop (struct.new $s))))",
        "(module (tag))",
        "(module (func (param i64 i64 i64 i64) (result i64 i64) (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3))))",
    ] {
        assert!(!compiles(off), "{off}");
    }
    let asynchronous = r#"(component (type (future)) (core func (canon future.new 0)))"#;
    assert!(Component::new(&engine, wat::parse_str(asynchronous).unwrap()).is_err());
}

#[test]
fn the_engine_is_set_as_required() {
    let config = EngineConfig::default();
    let settings = format!(
        "{:?}",
        engine_config(&config, ConnectorClass::Small, slots(&config))
    );
    for expected in [
        "epoch_interruption: true",
        "memory_init_cow: true",
        "wasm_threads: false",
        "wasm_simd: false",
        "wasm_relaxed_simd: false",
        "wasm_gc: false",
        "wasm_exceptions: false",
        "wasm_tail_call: false",
        "wasm_memory64: false",
        "wasm_multi_memory: false",
        "wasm_cm_async: false",
        "signals_based_traps: true",
    ] {
        assert!(settings.contains(expected), "{expected} in {settings}");
    }
}

#[test]
fn the_pool_has_room_for_every_slot() {
    let config = EngineConfig {
        pool_slots: 10,
        large_pool_slots: 5,
        ..EngineConfig::default()
    };
    for (class, slots) in [(ConnectorClass::Small, 10), (ConnectorClass::Large, 5)] {
        let resident = config.resident(class);
        let pool = pool(
            &config,
            class,
            Slots {
                count: slots,
                resident,
            },
        );
        assert_eq!(pool.get_total_component_instances(), slots);
        assert_eq!(pool.get_total_stacks(), slots);
        assert_eq!(pool.get_total_memories(), slots.max(class.memories()));
        assert_eq!(pool.get_total_tables(), slots * TABLES);
        let core_instances = slots * class.core_instances();
        assert_eq!(pool.get_total_core_instances(), core_instances);
        assert_eq!(pool.get_table_elements(), TABLE_ELEMENTS);
        assert_eq!(pool.get_max_memory_size(), MEMORY_MAX);
        assert_eq!(pool.get_pagemap_scan(), pagemap_scan(class));
    }
}

#[test]
fn the_tick_ends_with_its_engine() {
    let engine = engine();
    let weak = engine.weak();
    drop(engine);
    assert!(weak.upgrade().is_none());
    tick(&weak);
}
