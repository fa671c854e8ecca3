//! Attempts on files, the environment, processes and other plugins.

use super::Attempt;
use super::Expected::{Either, Says, Unsupported};
use super::Stop;

/// Reads a file through Node's module, found in every way that hides its name.
macro_rules! reads {
    ($path:literal) => {
        concat!(
            "import fs from 'node:fs';
             try { process.stdout.write('ESCAPED ' + fs.readFileSync('",
            $path,
            "', 'latin1').slice(0, 40).replaceAll('\\n', ' ')); } catch (error) { process.stdout.write('refused'); }"
        )
    };
}

pub(crate) const TABLE: &[Attempt] = &[
    Attempt {
        name: "the granted environment and nothing else",
        bundle: "const names = Object.keys(process.env).sort().join();
                 process.stdout.write(names === 'GRANTED' && process.env.GRANTED === 'granted-value' ? 'allowed' : names);",
        wasm: Says("allowed"),
        jail: Says("allowed"),
    },
    Attempt {
        name: "the arguments and nothing else",
        bundle: "process.stdout.write(process.argv.slice(2).join() === 'attempt,{}' ? 'allowed' : JSON.stringify(process.argv));",
        wasm: Says("allowed"),
        jail: Says("allowed"),
    },
    Attempt {
        name: "the users of this machine",
        bundle: reads!("/etc/passwd"),
        wasm: Unsupported("`node:fs`"),
        jail: Says("refused"),
    },
    Attempt {
        name: "the environment of the host's process",
        bundle: reads!("/proc/self/environ"),
        wasm: Unsupported("`node:fs`"),
        jail: Says("refused"),
    },
    Attempt {
        name: "another plugin's data",
        bundle: reads!("../other-plugin/data.json"),
        wasm: Unsupported("`node:fs`"),
        jail: Says("refused"),
    },
    Attempt {
        name: "a change of its own bundle",
        bundle: "import fs from 'node:fs';
                 import { fileURLToPath } from 'node:url';
                 try { fs.writeFileSync(fileURLToPath(import.meta.url), 'changed'); process.stdout.write('ESCAPED'); } catch (error) { process.stdout.write('refused'); }",
        wasm: Unsupported("`node:fs`"),
        jail: Says("refused"),
    },
    Attempt {
        name: "an import that is hidden in a string",
        bundle: "let got = 'refused';
                 try { got = 'ESCAPED ' + (await eval('imp' + 'ort(\"node:fs\")')).readFileSync('/etc/passwd', 'latin1').length; } catch (error) {}
                 process.stdout.write(got);",
        wasm: Either(Stop::Crash, "refused"),
        jail: Says("refused"),
    },
    Attempt {
        name: "Node's inner doors",
        bundle: "let got = 'refused';
                 const tries = [
                   () => require('fs').readFileSync('/etc/passwd'),
                   () => process.binding('fs').open('/etc/passwd', 0, 0o666),
                   () => process.mainModule.require('fs').readFileSync('/etc/passwd'),
                   () => process.getBuiltinModule('node:fs').readFileSync('/etc/passwd'),
                   () => globalThis.constructor.constructor('return require(\"fs\")')().readFileSync('/etc/passwd'),
                   () => process.dlopen({ exports: {} }, '/lib/x86_64-linux-gnu/libc.so.6'),
                 ];
                 for (const attempt of tries) { try { attempt(); got = 'ESCAPED ' + attempt; } catch (error) {} }
                 process.stdout.write(got);",
        wasm: Says("refused"),
        jail: Says("refused"),
    },
    Attempt {
        name: "the host functions of the engine",
        bundle: "const seen = Object.getOwnPropertyNames(globalThis).filter((name) => /openneko|host|wasi|witbind/i.test(name));
                 process.stdout.write(seen.length === 0 ? 'refused' : 'ESCAPED ' + seen.join());",
        wasm: Says("refused"),
        jail: Says("refused"),
    },
    Attempt {
        name: "a child process",
        bundle: "import { spawnSync } from 'node:child_process';
                 const done = spawnSync(process.execPath, ['-e', 'console.log(1)']);
                 process.stdout.write(done.error || done.status !== 0 ? 'refused' : 'ESCAPED');",
        wasm: Unsupported("`node:child_process`"),
        jail: Says("refused"),
    },
    Attempt {
        name: "a process that stays behind",
        bundle: "import { spawn } from 'node:child_process';
                 try {
                   const child = spawn('/bin/sleep', ['4711'], { detached: true, stdio: 'ignore' });
                   child.on('error', () => { process.stdout.write('refused'); process.exit(0); });
                   child.on('spawn', () => { process.stdout.write('ESCAPED'); process.exit(0); });
                 } catch (error) { process.stdout.write('refused'); }",
        wasm: Unsupported("`node:child_process`"),
        jail: Says("refused"),
    },
    Attempt {
        name: "a fork bomb",
        bundle: "import { fork } from 'node:child_process';
                 let started = 0;
                 for (let i = 0; i < 200; i += 1) { try { const child = fork('/sandbox/run.js'); child.on('error', () => {}); if (child.pid) started += 1; } catch (error) {} }
                 process.stdout.write(started === 0 ? 'refused' : 'ESCAPED ' + started);
                 process.exit(0);",
        wasm: Unsupported("`node:child_process`"),
        jail: Either(Stop::Any, "refused"),
    },
    Attempt {
        name: "a thread",
        bundle: "const made = typeof Worker === 'undefined' ? 0 : new Worker('data:text/javascript,0');
                 process.stdout.write(made ? 'ESCAPED' : 'refused');",
        wasm: Says("refused"),
        jail: Says("refused"),
    },
    Attempt {
        name: "a trace of the call before",
        bundle: "const left = globalThis.left ?? 'refused';
                 globalThis.left = 'ESCAPED';
                 Object.prototype.left = 'ESCAPED';
                 process.stdout.write(left);",
        wasm: Says("refused"),
        jail: Says("refused"),
    },
];
