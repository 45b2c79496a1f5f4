(component
  (core module $m
    (type (func (param i32) (result i32)))
    (memory 1 4) (table 2 10 funcref)
    (func (type 0) (local i64 f32) (block (block (br_table 0 1 1 (local.get 0)))) (i32.const 7))
    (data (i32.const 0) "abc") (data "passive"))
  (core instance (instantiate $m))
  (component (core module (memory 1)) (component))
  (instance $i)
  (export "sendbox:connector/send-message@0.1.0" (instance $i)))