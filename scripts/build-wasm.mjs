// Compiles the kernels of the WebAssembly backend, which are AssemblyScript, into dist/kernels.wasm.
import { mkdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { main } from 'assemblyscript/asc';

const from = fileURLToPath(new URL('../src/backends/wasm/kernels/index.ts', import.meta.url));
const to = fileURLToPath(new URL('../dist/kernels.wasm', import.meta.url));
await mkdir(new URL('../dist', import.meta.url), { recursive: true });
// Memory is handed over, and nobody allocates in it. Of SIMD only what all browsers have.
const options = '-O3 --noAssert --runtime stub --importMemory --noExportMemory --enable simd --use abort=';
const { error, stderr } = await main([from, '--outFile', to, ...options.split(' ')]);
if (error) {
  console.error(stderr.toString());
  process.exit(1);
}
// What has memory of its own would lie where the values of programs do.
const { imports, dataBytes } = describe(await readFile(to));
if (imports !== 'env.memory' || dataBytes > 0) {
  console.error(
    `kernels.wasm imports ${imports} and has ${dataBytes} bytes of data: wanted env.memory, and none.`,
  );
  process.exit(1);
}

function describe(bytes) {
  const module = new WebAssembly.Module(bytes);
  return {
    imports: WebAssembly.Module.imports(module)
      .map((each) => `${each.module}.${each.name}`)
      .join(', '),
    dataBytes: sectionBytes(bytes, 11),
  };
}

/** The size of a section of a module by its number, 0 where it has none. */
function sectionBytes(bytes, wanted) {
  let at = 8;
  const number = () => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = bytes[at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
      shift += 7;
    }
  };
  while (at < bytes.length) {
    const section = bytes[at++];
    const size = number();
    if (section === wanted) return size;
    at += size;
  }
  return 0;
}
