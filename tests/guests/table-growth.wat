;; Grows its table for ever. Core WebAssembly by hand, because no compiler emits `table.grow`; the
;; test makes a component of it.
(module
  (memory (export "memory") 1)
  (table $table 1 funcref)
  ;; id, channel (sms), version, titles, descriptions, settings-schema, hosts, secret-grants, readme
  (data (i32.const 64)
    "\00\04\00\00" "\0c\00\00\00"
    "\01\00\00\00"
    "\10\04\00\00" "\05\00\00\00"
    "\00\02\00\00" "\01\00\00\00"
    "\00\00\00\00" "\00\00\00\00"
    "\20\04\00\00" "\11\00\00\00"
    "\00\00\00\00" "\00\00\00\00"
    "\00\00\00\00" "\00\00\00\00"
    "\00\00\00\00" "\00\00\00\00")
  ;; titles: one pair of texts
  (data (i32.const 512) "\40\04\00\00" "\02\00\00\00" "\00\04\00\00" "\0c\00\00\00")
  (data (i32.const 1024) "table-growth")
  (data (i32.const 1040) "1.0.0")
  (data (i32.const 1056) "{\"type\":\"object\"}")
  (data (i32.const 1088) "en")
  (global $free (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $start i32)
    (global.set $free (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (local.set $start (global.get $free))
    (global.set $free (i32.add (global.get $free) (local.get 3)))
    (local.get $start))
  (func (export "sendbox:connector/send-message@0.1.0#describe") (result i32)
    (i32.const 64))
  (func (export "sendbox:connector/send-message@0.1.0#send") (param i32) (result i32)
    (loop $again
      (drop (table.grow $table (ref.null func) (i32.const 1000)))
      (br $again))
    (unreachable)))
