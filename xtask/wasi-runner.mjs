// Runs a WASI (preview 1) test binary under node: `node --no-warnings wasi-runner.mjs FILE.wasm [ARGS]`.
// The whole file system is visible, so that the tests find their data and can write their coverage ledger. A second
// opening, of "." for relative paths, would capture absolute ones too: name files by absolute paths.
import { readFile } from "node:fs/promises";
import { argv, env, exit, stderr } from "node:process";
import { WASI } from "node:wasi";

const [file, ...args] = argv.slice(2);
const wasi = new WASI({
  version: "preview1",
  args: [file, ...args],
  env,
  preopens: { "/": "/" },
  returnOnExit: true,
});
try {
  const module = await WebAssembly.compile(await readFile(file));
  const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
  exit(wasi.start(instance));
} catch (error) {
  // A trap: with panic = abort this is how a failing assertion ends.
  stderr.write(`${error.stack ?? error}\n`);
  exit(134);
}
