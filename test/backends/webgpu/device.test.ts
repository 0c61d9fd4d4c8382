// What goes wrong on a device is said, by the next that waits for it: nothing is read that it did not compute.
import { describe, expect, it } from 'vitest';
import { openNodeGpu } from '../../../src/backends/node-gpu.ts';
import type { Gpu } from '../../../src/backends/webgpu/device.ts';
import { openGpu } from '../../../src/backends/webgpu/adapter.ts';
import { backendOn } from '../../../src/backends/webgpu/index.ts';
import { webGpuBackend } from '../../../src/backends/webgpu/open.ts';
import { add, assign, elements, mul } from '../../../src/ops/index.ts';
import { trace } from '../../../src/program/index.ts';
import { testGpu } from '../../support/gpu.ts';

const doubled = trace('doubled', (graph) => {
  const x = graph.input('x', [3]);
  const total = graph.stateful('total', [3]);
  const y = add(x, x);
  assign(total, add(total, y));
  return { y };
});

const open = async (): Promise<Gpu> => openGpu((await openNodeGpu()).source);
const x = Float32Array.of(1, 2, 3);

describe.skipIf(testGpu.skip)(
  `a device of WebGPU${testGpu.skip ? ` (skipped: ${testGpu.skip})` : ''}`,
  () => {
    it('that is lost ends all that waits for it, and says where to go on from', async () => {
      const gpu = await open();
      const backend = backendOn(gpu);
      const total = backend.allocate({ shape: [3], dtype: 'float32' });
      const executable = await backend.compile(doubled, new Map([['total', total]]));
      await executable.run({ x });
      gpu.device.destroy();
      const said =
        /the GPU was lost .*What it computed since the last checkpoint is gone: resume the run from there/;
      await expect(executable.read(['y'])).rejects.toThrow(said);
      await expect(executable.run({ x })).rejects.toThrow(said);
      await expect(total.read()).rejects.toThrow(said);
      await expect(backend.compile(doubled, new Map([['total', total]]))).rejects.toThrow(said);
      await backend.dispose();
    });

    it('that refuses a command tells of it, where its memory would be read as if nothing had happened', async () => {
      const gpu = await open();
      const backend = backendOn(gpu);
      const total = backend.allocate({ shape: [3], dtype: 'float32' });
      const executable = await backend.compile(doubled, new Map([['total', total]]));
      gpu.device.createBuffer({ size: 4, usage: 1 | 128 });
      const reading = executable.run({ x }).then(() => executable.read(['y']));
      await expect(reading).rejects.toThrow(/refused a command: .*usage/i);
      await backend.dispose();
      await gpu.close();
    });

    it('holds no value that is larger than what it binds, and says what to set', async () => {
      const gpu = await open();
      const { maxStorageBufferBindingSize, maxBufferSize } = gpu.device.limits;
      const most = Math.min(maxStorageBufferBindingSize, maxBufferSize);
      const backend = backendOn(gpu);
      expect(() => backend.allocate({ shape: [most / 4 + 1], dtype: 'float32' })).toThrow(
        new RegExp(
          `a value of \\d+ bytes was wanted, and this device holds at most ${most} in one. Set train.microBatch`,
        ),
      );
      await backend.dispose();
      await gpu.close();
    });

    it('is closed with the backend that opened it, when what was asked for before has come', async () => {
      const { source, release } = await openNodeGpu();
      let isOver = false;
      const backend = await webGpuBackend(source, { onDispose: () => void (isOver = true) });
      const executable = await backend.compile(
        trace('squared', (graph) => ({ y: mul(graph.input('x', [3]), graph.input('x2', [3])) })),
        new Map(),
      );
      await executable.run({ x, x2: x });
      const reading = executable.read(['y']);
      await backend.dispose();
      expect(isOver).toBe(true);
      expect(Array.from((await reading).y)).toEqual([1, 4, 9]);
      expect(() => backend.allocate({ shape: [1], dtype: 'float32' })).toThrow(
        'the webgpu backend was disposed of',
      );
      release();
    });

    it('tells what it can compute at most', async () => {
      const backend = backendOn(testGpu.gpu!);
      const peak = await backend.measurePeak!();
      expect(peak).toBeGreaterThan(1e8);
      expect(peak).toBeLessThan(1e16);
    });

    it('shares its shaders among programs, and its memory among what changes alike', async () => {
      const backend = backendOn(testGpu.gpu!);
      const parameters = Array.from({ length: 5 }, (_, i) => ({ name: `w${i}`, shape: [3, i + 1] }));
      const program = trace('moved', (graph) => {
        const by = graph.input('by', []);
        const weights = parameters.map(({ name, shape }) => graph.stateful(name, shape));
        const moved = weights.map((w) => add(w, by));
        weights.forEach((w, i) => assign(w, moved[i]!));
        return {};
      });
      const buffers = new Map(
        parameters.map(({ name, shape }) => [name, backend.allocate({ shape, dtype: 'float32' })]),
      );
      const executable = await backend.compile(program, buffers);
      // The sums are one dispatch each; all are written to the state in one.
      expect(executable.dispatches).toBe(parameters.length + 1);
      await executable.run({ by: Float32Array.of(2) });
      await executable.run({ by: Float32Array.of(0.5) });
      for (const { name, shape } of parameters)
        expect(Array.from(await buffers.get(name)!.read())).toEqual(Array(shape[0]! * shape[1]!).fill(2.5));
    });

    it('reads and changes neighbours of one piece of memory in one dispatch', async () => {
      const backend = backendOn(testGpu.gpu!);
      const type = { shape: [5], dtype: 'float32' } as const;
      const program = trace('copied', (graph) => {
        assign(graph.stateful('to', [5]), graph.stateful('from', [5]));
        return {};
      });
      const buffers = new Map(['from', 'to'].map((name) => [name, backend.allocate(type)]));
      await buffers.get('from')!.write(Float32Array.of(1, 2, 3, 4, 5));
      const executable = await backend.compile(program, buffers);
      await executable.run({});
      expect(Array.from(await buffers.get('to')!.read())).toEqual([1, 2, 3, 4, 5]);
    });

    it('changes no more of a value than the part that it is asked for, whatever lies behind that', async () => {
      const backend = backendOn(testGpu.gpu!);
      // Parts that end in the same 256 bytes as their values: what lies between them and the next value is not free.
      const [size, part] = [40, 20];
      const names = ['a', 'b'];
      const program = trace('parts', (graph) => {
        const by = graph.input('by', []);
        const parts = names.map((name) => elements(graph.stateful(name, [size]), 0, part));
        const moved = parts.map((each) => add(each, by));
        parts.forEach((each, i) => assign(each, moved[i]!));
        return {};
      });
      const buffers = new Map(
        names.map((name) => [name, backend.allocate({ shape: [size], dtype: 'float32' })]),
      );
      for (const buffer of buffers.values()) await buffer.write(new Float32Array(size).fill(1));
      const executable = await backend.compile(program, buffers);
      await executable.run({ by: Float32Array.of(2) });
      for (const buffer of buffers.values())
        expect(Array.from(await buffer.read())).toEqual(
          Array.from({ length: size }, (_, i) => (i < part ? 3 : 1)),
        );
    });
  },
);
