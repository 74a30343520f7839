;; The bulk operations on machine memory; kernel.ts says what each one does.
;;
;; A sum adds 32-bit little-endian words into 64-bit lanes, which cannot overflow: 2^31 bytes hold 2^29 words. For each
;; vector, $v gathers low + high * 2^32 (modulo 2^64) and $h gathers high, so that three instructions take in 16 bytes;
;; in the end low = v - (h << 32). One's-complement sums do not care about byte order (RFC 1071 section 2(B)): the bytes
;; of the result are swapped once.
;;
;; Compiled by scripts/build-kernel.mjs into kernel-wasm-bytes.ts. The memory import says "not shared"; the loader
;; patches that flag, as the memory's kind must match.
(module
  (import "m" "m" (memory 1 65536))

  (func (export "fill") (param $addr i32) (param $value i32) (param $len i32)
    (memory.fill (local.get $addr) (local.get $value) (local.get $len)))

  ;; Copies of up to 2048 bytes run inline (a bulk copy calls out of WASM). Ascending order with the loads of a round
  ;; before its stores, and the last 16 bytes loaded first of all, is right unless dst lies in [src, src + len).
  (func $copy (export "copy") (param $dst i32) (param $src i32) (param $len i32)
    (local $end i32) (local $last i32) (local $tail v128) (local $a v128) (local $b v128) (local $c v128)
    (if (i32.or (i32.gt_u (local.get $len) (i32.const 2048))
                (i32.lt_u (i32.sub (local.get $dst) (local.get $src)) (local.get $len)))
      (then
        (memory.copy (local.get $dst) (local.get $src) (local.get $len))
        (return)))
    (if (i32.lt_u (local.get $len) (i32.const 16))
      (then
        (loop $loop1 (if (local.get $len)
          (then
            (i32.store8 (local.get $dst) (i32.load8_u (local.get $src)))
            (local.set $src (i32.add (local.get $src) (i32.const 1)))
            (local.set $dst (i32.add (local.get $dst) (i32.const 1)))
            (local.set $len (i32.sub (local.get $len) (i32.const 1)))
            (br $loop1))))
        (return)))
    (local.set $len (i32.sub (local.get $len) (i32.const 16)))
    (local.set $tail (v128.load align=1 (i32.add (local.get $src) (local.get $len))))
    (local.set $last (i32.add (local.get $dst) (local.get $len)))
    (local.set $end (i32.add (local.get $src) (i32.and (local.get $len) (i32.const -64))))
    (if (i32.lt_u (local.get $src) (local.get $end))
      (then (loop $loop64
        (local.set $a (v128.load align=1 (local.get $src)))
        (local.set $b (v128.load offset=16 align=1 (local.get $src)))
        (local.set $c (v128.load offset=32 align=1 (local.get $src)))
        (v128.store offset=48 align=1 (local.get $dst) (v128.load offset=48 align=1 (local.get $src)))
        (v128.store align=1 (local.get $dst) (local.get $a))
        (v128.store offset=16 align=1 (local.get $dst) (local.get $b))
        (v128.store offset=32 align=1 (local.get $dst) (local.get $c))
        (local.set $src (i32.add (local.get $src) (i32.const 64)))
        (local.set $dst (i32.add (local.get $dst) (i32.const 64)))
        (br_if $loop64 (i32.lt_u (local.get $src) (local.get $end))))))
    (if (i32.lt_u (local.get $dst) (local.get $last))
      (then (loop $loop16
        (v128.store align=1 (local.get $dst) (v128.load align=1 (local.get $src)))
        (local.set $src (i32.add (local.get $src) (i32.const 16)))
        (local.set $dst (i32.add (local.get $dst) (i32.const 16)))
        (br_if $loop16 (i32.lt_u (local.get $dst) (local.get $last))))))
    (v128.store align=1 (local.get $last) (local.get $tail)))

  (func (export "sum") (param $src i32) (param $len i32) (result i32)
    (local $end i32) (local $x v128)
    (local $v0 v128) (local $v1 v128) (local $h0 v128) (local $h1 v128)
    (local.set $end (i32.add (local.get $src) (i32.and (local.get $len) (i32.const -64))))
    (if (i32.lt_u (local.get $src) (local.get $end))
      (then (loop $loop64
        (local.set $v0 (i64x2.add (local.get $v0) (local.tee $x (v128.load align=1 (local.get $src)))))
        (local.set $h0 (i64x2.add (local.get $h0) (i64x2.shr_u (local.get $x) (i32.const 32))))
        (local.set $v1 (i64x2.add (local.get $v1) (local.tee $x (v128.load offset=16 align=1 (local.get $src)))))
        (local.set $h1 (i64x2.add (local.get $h1) (i64x2.shr_u (local.get $x) (i32.const 32))))
        (local.set $v0 (i64x2.add (local.get $v0) (local.tee $x (v128.load offset=32 align=1 (local.get $src)))))
        (local.set $h0 (i64x2.add (local.get $h0) (i64x2.shr_u (local.get $x) (i32.const 32))))
        (local.set $v1 (i64x2.add (local.get $v1) (local.tee $x (v128.load offset=48 align=1 (local.get $src)))))
        (local.set $h1 (i64x2.add (local.get $h1) (i64x2.shr_u (local.get $x) (i32.const 32))))
        (local.set $src (i32.add (local.get $src) (i32.const 64)))
        (br_if $loop64 (i32.lt_u (local.get $src) (local.get $end))))))
    (call $finish (local.get $src) (local.get $len)
      (i64x2.add (local.get $v0) (local.get $v1)) (i64x2.add (local.get $h0) (local.get $h1))))

  (func (export "copySum") (param $dst i32) (param $src i32) (param $len i32) (result i32)
    (local $end i32) (local $x v128)
    (local $v0 v128) (local $v1 v128) (local $h0 v128) (local $h1 v128)
    (local.set $end (i32.add (local.get $src) (i32.and (local.get $len) (i32.const -64))))
    (if (i32.lt_u (local.get $src) (local.get $end))
      (then (loop $loop64
        (v128.store align=1 (local.get $dst) (local.tee $x (v128.load align=1 (local.get $src))))
        (local.set $v0 (i64x2.add (local.get $v0) (local.get $x)))
        (local.set $h0 (i64x2.add (local.get $h0) (i64x2.shr_u (local.get $x) (i32.const 32))))
        (v128.store offset=16 align=1 (local.get $dst) (local.tee $x (v128.load offset=16 align=1 (local.get $src))))
        (local.set $v1 (i64x2.add (local.get $v1) (local.get $x)))
        (local.set $h1 (i64x2.add (local.get $h1) (i64x2.shr_u (local.get $x) (i32.const 32))))
        (v128.store offset=32 align=1 (local.get $dst) (local.tee $x (v128.load offset=32 align=1 (local.get $src))))
        (local.set $v0 (i64x2.add (local.get $v0) (local.get $x)))
        (local.set $h0 (i64x2.add (local.get $h0) (i64x2.shr_u (local.get $x) (i32.const 32))))
        (v128.store offset=48 align=1 (local.get $dst) (local.tee $x (v128.load offset=48 align=1 (local.get $src))))
        (local.set $v1 (i64x2.add (local.get $v1) (local.get $x)))
        (local.set $h1 (i64x2.add (local.get $h1) (i64x2.shr_u (local.get $x) (i32.const 32))))
        (local.set $src (i32.add (local.get $src) (i32.const 64)))
        (local.set $dst (i32.add (local.get $dst) (i32.const 64)))
        (br_if $loop64 (i32.lt_u (local.get $src) (local.get $end))))))
    (call $copy (local.get $dst) (local.get $src) (i32.and (local.get $len) (i32.const 63)))
    (call $finish (local.get $src) (local.get $len)
      (i64x2.add (local.get $v0) (local.get $v1)) (i64x2.add (local.get $h0) (local.get $h1))))

  ;; Takes the last $len & 63 bytes in, and brings the lanes down to 16 bits. It never makes 0 of what is not 0.
  (func $finish (param $src i32) (param $len i32) (param $v v128) (param $h v128) (result i32)
    (local $end i32) (local $x v128) (local $t i64) (local $s i32)
    (local.set $end (i32.add (local.get $src) (i32.and (local.get $len) (i32.const 48))))
    (if (i32.lt_u (local.get $src) (local.get $end))
      (then (loop $loop16
        (local.set $v (i64x2.add (local.get $v) (local.tee $x (v128.load align=1 (local.get $src)))))
        (local.set $h (i64x2.add (local.get $h) (i64x2.shr_u (local.get $x) (i32.const 32))))
        (local.set $src (i32.add (local.get $src) (i32.const 16)))
        (br_if $loop16 (i32.lt_u (local.get $src) (local.get $end))))))
    (if (i32.and (local.get $len) (i32.const 8))
      (then
        (local.set $v (i64x2.add (local.get $v) (local.tee $x (v128.load64_zero align=1 (local.get $src)))))
        (local.set $h (i64x2.add (local.get $h) (i64x2.shr_u (local.get $x) (i32.const 32))))
        (local.set $src (i32.add (local.get $src) (i32.const 8)))))
    (if (i32.and (local.get $len) (i32.const 4))
      (then
        (local.set $t (i64.load32_u align=1 (local.get $src)))
        (local.set $src (i32.add (local.get $src) (i32.const 4)))))
    (if (i32.and (local.get $len) (i32.const 2))
      (then
        (local.set $t (i64.add (local.get $t) (i64.load16_u align=1 (local.get $src))))
        (local.set $src (i32.add (local.get $src) (i32.const 2)))))
    (if (i32.and (local.get $len) (i32.const 1))
      (then (local.set $t (i64.add (local.get $t) (i64.load8_u (local.get $src))))))
    (local.set $v (i64x2.add (i64x2.sub (local.get $v) (i64x2.shl (local.get $h) (i32.const 32))) (local.get $h)))
    (local.set $t (i64.add (local.get $t)
      (i64.add (i64x2.extract_lane 0 (local.get $v)) (i64x2.extract_lane 1 (local.get $v)))))
    ;; x + rotl(x, half) has the end-around sum of both halves of x in its upper half. Turning 32 bits by 8 multiplies
    ;; by 256 (modulo 2^32 - 1, so modulo 2^16 - 1 too), which swaps the bytes of the 16-bit sum.
    (local.set $s (i32.rotl
      (i32.wrap_i64 (i64.shr_u (i64.add (local.get $t) (i64.rotl (local.get $t) (i64.const 32))) (i64.const 32)))
      (i32.const 8)))
    (i32.shr_u (i32.add (local.get $s) (i32.rotl (local.get $s) (i32.const 16))) (i32.const 16))))
