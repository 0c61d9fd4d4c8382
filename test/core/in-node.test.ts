import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { testBackends } from '../support/backends.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { skip } = testBackends().find(({ label }) => label === 'cpu portable')!;

it.skipIf(skip !== undefined)(
  `in Node.js the core is of the same modules as the library${skip ? ` (skipped: ${skip})` : ''}`,
  () => {
    const script = `
      import * as core from 'rectiflow/core';
      import { RectiflowError, cpuBackend } from 'rectiflow';
      const program = core.trace('product', (graph) => ({
        y: core.ops.linear(graph.input('x', [2, 3]), graph.input('w', [4, 3]), graph.input('b', [4])),
      }));
      const backend = cpuBackend({ isa: 'portable', threads: 1 });
      const executable = await backend.compile(program, new Map());
      const kernels = executable.program.nodes.map(({ op }) => op.name);
      await executable.run({
        x: Float32Array.of(1, 2, 3, 4, 5, 6),
        w: new Float32Array(12).fill(1),
        b: new Float32Array(4).fill(10),
      });
      const { y } = await executable.read(['y']);
      console.log(JSON.stringify({ kernels, y: [...y], isSame: core.RectiflowError === RectiflowError }));`;
    const told = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: root });
    expect(JSON.parse(told.toString())).toEqual({
      kernels: ['linear'],
      y: [16, 16, 16, 16, 25, 25, 25, 25],
      isSame: true,
    });
  },
);
