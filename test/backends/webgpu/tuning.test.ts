// How work is shared out is chosen by measurement and kept. On SwiftShader, which is not tuned unless it is asked for: which way is the fastest
// nobody knows here, so that what is asked is what becomes of a choice.
import { afterAll, describe, expect, it } from 'vitest';
import type { TuningChoice, TuningRecord, TuningStore } from '../../../src/backends/backend.ts';
import { openNodeGpu } from '../../../src/backends/node-gpu.ts';
import { Gpu } from '../../../src/backends/webgpu/device.ts';
import { type WebGpuOptions, backendOn } from '../../../src/backends/webgpu/index.ts';
import { clockFeature } from '../../../src/backends/webgpu/timing.ts';
import { linear, mul, softmax, sum } from '../../../src/ops/index.ts';
import { type Program, grad, trace } from '../../../src/program/index.ts';
import type { HostArray } from '../../../src/tensor/dtype.ts';
import { sizeOf } from '../../../src/tensor/shape.ts';
import { testGpu } from '../../support/gpu.ts';
import { randomValues } from '../../support/random.ts';

/** A store in memory, of plain JSON. */
class Kept implements TuningStore {
  readonly name: string;
  content: unknown;
  constructor(name: string, content?: unknown) {
    this.name = name;
    this.content = content;
  }
  async read(): Promise<unknown> {
    return this.content === undefined ? undefined : JSON.parse(JSON.stringify(this.content));
  }
  async write(record: TuningRecord): Promise<void> {
    this.content = JSON.parse(JSON.stringify(record));
  }
  /** Of the device of these tests. */
  get choices(): Record<string, TuningChoice> {
    const { devices } = (this.content ?? { devices: {} }) as TuningRecord;
    return { ...devices[testGpu.gpu!.facts.identity] };
  }
}

/** The gradient of a weight: a sum of 2100 terms, which may be made in parts. Its bits depend on how many. */
const program = (): Program =>
  trace('gradient', (graph) => {
    const [x, w] = [graph.input('x', [2100, 12]), graph.input('w', [8, 12])];
    const y = linear(x, w);
    const [dw] = grad(sum(mul(y, y)), [w]);
    return { dw: dw! };
  });
const isSum = (key: string): boolean => key.endsWith(' parts');

async function run(options: WebGpuOptions, store?: TuningStore, gpu: Gpu = testGpu.gpu!): Promise<HostArray> {
  const backend = backendOn(gpu, { tuning: 'on', tuningBudget: Infinity, ...options });
  if (store) await backend.keepTuning!(store);
  const traced = program();
  const executable = await backend.compile(traced, new Map());
  const values = traced.inputs.map(({ name, shape }, i) => [
    name!,
    Float32Array.from(randomValues(sizeOf(shape), i + 1)),
  ]);
  await executable.run(Object.fromEntries(values));
  const { dw } = await executable.read(['dw']);
  await backend.dispose();
  return dw;
}

/** What a start without any choices finds: measured once for all tests. */
let first: Promise<{ readonly cache: Kept; readonly told: readonly string[] }> | undefined;
async function measure(): Promise<{ readonly cache: Kept; readonly told: readonly string[] }> {
  const [cache, told] = [new Kept('the cache'), [] as string[]];
  await run({ tuningStore: cache, onNotice: (text) => told.push(text) });
  return { cache, told };
}
const measured = (): NonNullable<typeof first> => (first ??= measure());

/** The same record with the sum made in the way of that name. */
async function withSum(way: string, name = 'a run'): Promise<Kept> {
  const { cache } = await measured();
  const choices = Object.entries(cache.choices).map(([key, choice]) => [
    key,
    isSum(key) ? { ...choice, way } : choice,
  ]);
  const devices = { [testGpu.gpu!.facts.identity]: Object.fromEntries(choices) };
  return new Kept(name, { version: 1, devices });
}
const whole = 'direct 32x16 for 1';
const inParts = 'direct 32x16 for 512';

describe.skipIf(testGpu.skip)('tuning at a start', () => {
  it('chooses for all work that has several ways, keeps it, and tells of it once', async () => {
    const { cache, told } = await measured();
    expect(Object.keys(cache.choices).filter(isSum)).toHaveLength(1);
    expect(Object.values(cache.choices).every(({ milliseconds }) => milliseconds! >= 0)).toBe(true);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(
      /was tuned: in [\d.]+ s the fastest way was found for \d+ kinds? of work\. What was found is kept in the cache\.$/,
    );
  });

  it('measures nothing that the cache knows', async () => {
    const cache = await withSum(inParts, 'the cache');
    const [before, told] = [await cache.read(), [] as string[]];
    const [others, run1] = [await run({}, await withSum(inParts)), new Kept('a run')];
    const got = await run({ tuningStore: cache, onNotice: (text) => told.push(text) }, run1);
    expect(told).toEqual([]);
    expect(await cache.read()).toEqual(before);
    expect(run1.choices).toEqual(cache.choices);
    expect(got).toEqual(others);
  });

  it("follows a run's choices, whatever the cache says", async () => {
    const [wholeCache, partsCache] = [await withSum(whole, 'the cache'), await withSum(inParts, 'the cache')];
    const stored = await withSum(whole);
    const before = await stored.read();
    const a = await run({ tuningStore: wholeCache }, stored);
    const b = await run({ tuningStore: partsCache }, stored);
    expect(b).toEqual(a);
    expect(await stored.read()).toEqual(before);
    // They would not be the same by themselves.
    expect(await run({ tuningStore: partsCache })).not.toEqual(a);
  });

  it('keeps what it chooses with a run, so that it goes on to the bit', async () => {
    const stored = new Kept('a run');
    const a = await run({}, stored);
    const { way } = stored.choices[Object.keys(stored.choices).find(isSum)!]!;
    const other = await withSum(way === whole ? inParts : whole, 'the cache');
    expect(await run({ tuningStore: other }, stored)).toEqual(a);
  });

  it('takes the usual way of what there is no time for, keeps that with a run, and nowhere else', async () => {
    const [stored, cache, told] = [new Kept('a run'), new Kept('the cache'), [] as string[]];
    await run({ tuningStore: cache, tuningBudget: 0, onNotice: (text) => told.push(text) }, stored);
    const choice = Object.entries(stored.choices).find(([key]) => isSum(key))![1];
    expect(choice).toEqual({ way: 'direct 64x32 by 8x8 for 128', kernels: choice.kernels });
    expect([cache.content, told]).toEqual([undefined, []]);
  });

  it('leaves out shaders that take too long to compile', async () => {
    const [stored, told] = [new Kept('a run'), [] as string[]];
    await run({ tuningBudget: 1e-6, onNotice: (text) => told.push(text) }, stored);
    expect(told).toEqual([
      expect.stringMatching(/was not tuned: .* kinds of work are done the usual way\.$/),
    ]);
    expect(Object.values(stored.choices).filter((choice) => 'milliseconds' in choice)).toEqual([]);
    expect(stored.choices[Object.keys(stored.choices).find(isSum)!]!.way).toBe('direct 64x32 by 8x8 for 128');
  });

  it('measures anew what was chosen of other kernels', async () => {
    const stored = await withSum('of other kernels');
    const key = Object.keys(stored.choices).find(isSum)!;
    const old = { ...stored.choices[key]!, kernels: 'others' };
    stored.content = {
      version: 1,
      devices: { [testGpu.gpu!.facts.identity]: { ...stored.choices, [key]: old } },
    };
    await run({}, stored);
    expect(stored.choices[key]!.way).toMatch(/^direct/);
    expect(stored.choices[key]!.kernels).not.toBe('others');
  });

  it("says that a run's choices are of another device, and keeps them beside its own", async () => {
    const { cache } = await measured();
    const others = { a: { way: 'b', kernels: 'c' } };
    const [stored, told] = [
      new Kept('runs/a/tuning.json', { version: 1, devices: { 'GPU B': others } }),
      [] as string[],
    ];
    await run({ tuningStore: cache, onNotice: (text) => told.push(text) }, stored);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(
      /^runs\/a\/tuning\.json holds what was chosen for GPU B, and this is .*SwiftShader/,
    );
    expect((stored.content as TuningRecord).devices['GPU B']).toEqual(others);
    expect(stored.choices).toEqual(cache.choices);
  });

  it.each([
    ['another version', { version: 2, devices: {} }],
    ['no record', [1, 2]],
    ['no choices', { version: 1, devices: { a: { b: { way: 1 } } } }],
  ])('says that a file holds %s, and chooses anew', async (_, content) => {
    const { cache } = await measured();
    const [stored, told] = [new Kept('runs/a/tuning.json', content), [] as string[]];
    await run({ tuningStore: cache, onNotice: (text) => told.push(text) }, stored);
    expect(told).toEqual([expect.stringMatching(/^runs\/a\/tuning\.json does not say .* chosen anew/)]);
    expect(stored.choices).toEqual(cache.choices);
  });

  it('goes on where nothing can be read or written', async () => {
    const fail = async (): Promise<never> => {
      throw new Error('permission denied');
    };
    const told: string[] = [];
    const store: TuningStore = { name: 'the cache', read: fail, write: fail };
    await run({ tuningStore: store, onNotice: (text) => told.push(text) });
    expect(told).toEqual([
      expect.stringContaining('the cache does not say how this GPU is fastest: permission denied'),
      expect.stringContaining('the cache cannot keep how this GPU is fastest: permission denied'),
      expect.stringMatching(/was tuned: .* of work\.$/),
    ]);
  });

  it('changes nothing where it may only read', async () => {
    const stored = await withSum(whole);
    const told: string[] = [];
    const readOnly: TuningStore = { name: 'a run', read: () => stored.read() };
    expect(await run({ onNotice: (text) => told.push(text) }, readOnly)).toEqual(await run({}, stored));
    expect(told).toEqual([]);
  });

  it('does without the clock of a device', async () => {
    const { source, release } = await openNodeGpu();
    const adapter = (await source.requestAdapter()) as GPUAdapter;
    const gpu = new Gpu(await adapter.requestDevice(), testGpu.gpu!.facts);
    expect(gpu.device.features.has(clockFeature)).toBe(false);
    const stored = new Kept('a run');
    await run({}, stored, gpu);
    expect(Object.values(stored.choices).every(({ milliseconds }) => milliseconds! > 0)).toBe(true);
    await gpu.close();
    release();
  });

  it('chooses among the lanes of rows', async () => {
    const stored = new Kept('a run');
    const backend = backendOn(testGpu.gpu!, { tuning: 'on', tuningBudget: Infinity });
    const stop = await backend.keepTuning!(stored);
    const rows = (width: number): Program =>
      trace('rows', (graph) => ({ y: softmax(graph.input('x', [4, width])) }));
    await backend.compile(rows(40), new Map());
    expect(Object.keys(stored.choices)).toEqual(['rows 32 2 float32']);
    stop();
    await backend.compile(rows(80), new Map());
    expect(Object.keys(stored.choices)).toHaveLength(1);
    await backend.dispose();
  });

  it.each(['auto', 'off'] as const)('does not happen on adapters that are programs with %s', (tuning) => {
    expect(backendOn(testGpu.gpu!, { tuning }).keepTuning).toBeUndefined();
  });
});

afterAll(() => testGpu.gpu?.check());
