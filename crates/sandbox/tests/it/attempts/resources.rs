//! Attempts to take more than a call may.

use super::Expected::{Either, Says, Stops};
use super::{Attempt, Stop};

pub(crate) const TABLE: &[Attempt] = &[
    Attempt {
        name: "an endless loop",
        bundle: "for (;;) {}",
        wasm: Stops(Stop::Time),
        jail: Stops(Stop::Time),
    },
    Attempt {
        name: "an endless loop of promises",
        bundle: "for (;;) await null;",
        wasm: Stops(Stop::Time),
        jail: Stops(Stop::Time),
    },
    Attempt {
        name: "an endless wait",
        bundle: "await new Promise((resolve) => setTimeout(resolve, 3600000));",
        wasm: Stops(Stop::Time),
        jail: Stops(Stop::Time),
    },
    Attempt {
        name: "an endless regular expression",
        bundle: "/^(a+)+$/.test('a'.repeat(60) + 'b');",
        wasm: Either(Stop::Any, ""),
        jail: Stops(Stop::Time),
    },
    Attempt {
        name: "a memory bomb of objects",
        bundle: "const all = []; for (;;) all.push(new Array(1000).fill({}));",
        wasm: Stops(Stop::Any),
        jail: Stops(Stop::Any),
    },
    Attempt {
        name: "a memory bomb of buffers",
        bundle: "const all = []; for (;;) all.push(new Uint8Array(16 << 20).fill(1));",
        wasm: Stops(Stop::Any),
        jail: Stops(Stop::Any),
    },
    Attempt {
        name: "an endless recursion",
        bundle: "function f() { return f() + 1; }
                 try { f(); process.stdout.write('ESCAPED'); } catch (error) { process.stdout.write('refused'); }",
        wasm: Either(Stop::Crash, "refused"),
        jail: Either(Stop::Crash, "refused"),
    },
    Attempt {
        name: "endless output",
        bundle: "for (;;) process.stdout.write('x'.repeat(65536));",
        wasm: Stops(Stop::Output),
        jail: Stops(Stop::Any),
    },
    Attempt {
        name: "endless errors",
        bundle: "for (;;) process.stderr.write('x'.repeat(65536));",
        wasm: Stops(Stop::Output),
        jail: Stops(Stop::Any),
    },
    Attempt {
        name: "output beyond the limit in one go",
        bundle: "process.stdout.write('x'.repeat(32 << 20));",
        wasm: Stops(Stop::Any),
        jail: Stops(Stop::Any),
    },
    Attempt {
        name: "output up to the limit",
        bundle: "process.stdout.write('x'.repeat(200 << 10) + '\\nallowed');",
        wasm: Says("allowed"),
        jail: Says("allowed"),
    },
    Attempt {
        name: "a program that never settles",
        bundle: "process.stdout.write('allowed'); await new Promise(() => {});",
        wasm: Either(Stop::Any, "allowed"),
        jail: Either(Stop::Any, "allowed"),
    },
    Attempt {
        name: "an abort",
        bundle: "process.stdout.write('allowed'); process.abort();",
        wasm: Either(Stop::Crash, "allowed"),
        jail: Either(Stop::Crash, "allowed"),
    },
];
