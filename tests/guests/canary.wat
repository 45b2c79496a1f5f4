;; Looks through its whole memory, its table and its global for what an earlier instance left, and traps
;; when it finds some; then leaves as much behind as it can. Core WebAssembly by hand: it must see every
;; byte. The test makes a component of it.
(module
  (memory (export "memory") 1)
  (table $table 8 funcref)
  (elem declare func $leave)
  (global $mark (mut i64) (i64.const 0))
  ;; id, channel (sms), version, titles, descriptions, settings-schema, hosts, secret-grants, readme
  (data (i32.const 64)
    "\00\04\00\00" "\06\00\00\00"
    "\01\00\00\00"
    "\10\04\00\00" "\05\00\00\00"
    "\00\02\00\00" "\01\00\00\00"
    "\00\00\00\00" "\00\00\00\00"
    "\20\04\00\00" "\11\00\00\00"
    "\00\00\00\00" "\00\00\00\00"
    "\00\00\00\00" "\00\00\00\00"
    "\00\00\00\00" "\00\00\00\00")
  ;; titles: one pair of texts
  (data (i32.const 512) "\40\04\00\00" "\02\00\00\00" "\00\04\00\00" "\06\00\00\00")
  (data (i32.const 1024) "canary")
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

  ;; 32 pages: beyond what a slot keeps resident between sends.
  (func $grow
    (drop (memory.grow (i32.sub (i32.const 32) (memory.size)))))

  (func $look
    (local $at i32)
    (if (i64.ne (global.get $mark) (i64.const 0)) (then (unreachable)))
    (if (i32.ne (table.size $table) (i32.const 8)) (then (unreachable)))
    (if (i32.ne (memory.size) (i32.const 1)) (then (unreachable)))
    (loop $slots
      (if (i32.eqz (ref.is_null (table.get $table (local.get $at)))) (then (unreachable)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $slots (i32.lt_u (local.get $at) (i32.const 8))))
    (call $grow)
    (local.set $at (i32.const 0))
    (loop $words
      (if (i64.eq (i64.load (local.get $at)) (i64.const 0x5ca1ab1e0ddba11)) (then (unreachable)))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $words (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536))))))

  (func $leave
    (local $at i32)
    (call $grow)
    ;; Beyond what the host passed in, and the answer.
    (local.set $at (i32.const 32768))
    (loop $words
      (i64.store (local.get $at) (i64.const 0x5ca1ab1e0ddba11))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $words (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
    (table.fill $table (i32.const 0) (ref.func $leave) (i32.const 8))
    (drop (table.grow $table (ref.func $leave) (i32.const 1000)))
    (global.set $mark (i64.const 0x5ca1ab1e0ddba11)))

  ;; A receipt without a word is all zeros.
  (func (export "sendbox:connector/send-message@0.1.0#send") (param i32) (result i32)
    (call $look)
    (call $leave)
    (i32.const 2048)))
