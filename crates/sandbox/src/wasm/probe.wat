;; What the engine's probe runs: `call` answers with the method it was given.
;; probe.wasm is this text in binary; a test compares the two.
(component
  (core module $m
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 64))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (global.get $next))
      (global.set $next (i32.add (global.get $next) (local.get 3)))
      (local.get $at))
    ;; The answer lies at 0: exit code 0, then pointer and length of the method.
    (func (export "call") (param i32 i32 i32 i32) (result i32)
      (i32.store offset=4 (i32.const 0) (local.get 0))
      (i32.store offset=8 (i32.const 0) (local.get 1))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "call") (param "method" string) (param "params" string) (result (tuple s32 string))
    (canon lift (core func $i "call") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
