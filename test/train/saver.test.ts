import { afterEach, describe, expect, it, vi } from 'vitest';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { Checkpoint } from '../../src/train/run-store.ts';
import { Saver } from '../../src/train/saver.ts';
import { Snapshot } from '../../src/train/snapshot.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

const names = ['w', 'ema/w', 'adamw.m/w', 'adamw.v/w'];
const backend = referenceBackend();
const weight = backend.allocate({ shape: [2], dtype: 'float32' });
const buffers = new Map(names.map((name) => [name, weight]));
const model = { parameters: [{ name: 'w', shape: [2] }] } as never;

/** A saver of one weight, to a folder whose saves end when the test says so. */
function saverOf(snapshot = new Snapshot({ model, buffers })) {
  const told: string[] = [];
  const saves: { checkpoint: Checkpoint; succeed(): void; fail(problem: string): void }[] = [];
  const saver = new Saver({
    store: {
      save: (checkpoint) =>
        new Promise((resolve, reject) => {
          saves.push({
            checkpoint,
            succeed: () => resolve(`at-${checkpoint.step}`),
            fail: (problem) => reject(new Error(problem)),
          });
        }),
    },
    snapshot,
    train: { steps: 25, checkpointEvery: 10, keepCheckpoints: 1, keepEvery: 0 },
    observer: {
      onCheckpoint: (step, path) => told.push(`checkpoint ${step} ${path}`),
      onNotice: (text) => told.push(text),
    },
    flush: async () => {
      told.push('flush');
    },
  });
  return { saver, saves, told };
}

const notes = (step: number) => ({ step, state: {} });

describe('a checkpoint beside training', () => {
  it('has what was there when it began, and is told when it is on the disk', async () => {
    const { saver, saves, told } = saverOf();
    await weight.write(Float32Array.of(1, 2));
    await saver.begin(notes(10));
    await weight.write(Float32Array.of(3, 4));
    await vi.waitUntil(() => saves.length === 1);
    expect(saves[0]!.checkpoint.model.get('w')!.data).toEqual(Float32Array.of(1, 2));
    expect({ told, saved: saver.saved, isWriting: saver.isWriting }).toEqual({
      told: ['flush'],
      saved: undefined,
      isWriting: true,
    });
    saves[0]!.succeed();
    await saver.settled();
    expect(told).toEqual(['flush', 'checkpoint 10 at-10']);
    expect({ saved: saver.saved, isWriting: saver.isWriting }).toEqual({
      saved: { step: 10, path: 'at-10' },
      isWriting: false,
    });
  });

  it('is waited for before the next copy is made, and a long wait is told once', async () => {
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const { saver, saves, told } = saverOf();
    await weight.write(Float32Array.of(1, 2));
    for (const step of [10, 20, 25]) {
      const began = saver.begin(notes(step));
      await vi.waitUntil(() => saves.length > 0);
      if (step > 10) {
        const before = saves.pop()!;
        now += 1500;
        expect(before.checkpoint.model.get('w')!.data).toEqual(Float32Array.of(1, 2));
        before.succeed();
      }
      await began;
      await vi.waitUntil(() => saves.length === 1);
    }
    saves[0]!.succeed();
    await saver.settled();
    expect(told.filter((text) => text.startsWith('training'))).toEqual([
      'training had to wait 1.5 s until the checkpoint of step 10 was written: ' +
        'save less often (a larger train.checkpointEvery), or to a faster disk.',
    ]);
  });

  it('that fails is told, with the last good one and the next try; at the end that is another save', async () => {
    const { saver, saves, told } = saverOf();
    const failAt = async (step: number): Promise<void> => {
      await saver.begin(notes(step));
      await vi.waitUntil(() => saves.length === 1);
      saves.pop()!.fail('The disk is full.');
      await saver.settled();
    };
    await failAt(10);
    const saved = saver.save(notes(15));
    await vi.waitUntil(() => saves.length === 1);
    saves.pop()!.succeed();
    await saved;
    await failAt(20);
    await failAt(25);
    expect(told.filter((text) => text.startsWith('The disk'))).toEqual([
      'The disk is full. Training goes on, and the next try is after step 20. There is no checkpoint yet.',
      'The disk is full. Training goes on, and the next try is after step 25. The last good checkpoint is at-15.',
    ]);
    expect(saver.saved).toEqual({ step: 15, path: 'at-15' });
  });

  it('that fails where somebody waits for it is an error', async () => {
    const { saver, saves } = saverOf();
    const saved = saver.save(notes(25));
    await vi.waitUntil(() => saves.length === 1);
    saves[0]!.fail('The disk is full.');
    await expect(saved).rejects.toThrow('The disk is full.');
    expect(saver.saved).toBeUndefined();
  });
});

it.each(['model', 'ema', 'averages'] as const)(
  'weights of %s that are no numbers are not saved',
  async (part) => {
    const of = (value: number) =>
      new Map([['w', { dtype: 'F32', shape: [1], data: Float32Array.of(value) }]] as const);
    const parts = { model: of(1), ema: of(1), optimizer: of(NaN), averages: of(1), [part]: of(NaN) };
    const { saver, saves } = saverOf({ isCopy: true, parts, take: async () => {} } as unknown as Snapshot);
    await expect(saver.save(notes(10))).rejects.toThrow('step 10: its weights are not saved');
    expect(saves).toEqual([]);
  },
);

describe('a checkpoint without a copy', () => {
  const cpu = cpuBackend({ threads: 1 });
  const seen = cpu.allocate({ shape: [2], dtype: 'float32' });
  const ofSeen = new Map(names.map((name) => [name, seen]));
  const snapshot = new Snapshot({ model, buffers: ofSeen }, cpu.view);

  it('is written before training goes on, from the memory of the state', async () => {
    const { saver, saves, told } = saverOf(snapshot);
    await seen.write(Float32Array.of(1, 2));
    const began = saver.begin(notes(10)).then(() => told.push('training'));
    await vi.waitUntil(() => saves.length === 1);
    expect(saves[0]!.checkpoint.optimizer.get('adamw.m/w')!.data).toEqual(Float32Array.of(1, 2));
    await seen.write(Float32Array.of(3, 4));
    expect(saves[0]!.checkpoint.model.get('w')!.data).toEqual(Float32Array.of(3, 4));
    expect(told).toEqual(['flush']);
    saves[0]!.succeed();
    await began;
    expect(told).toEqual(['flush', 'checkpoint 10 at-10', 'training']);
  });

  it('that fails is told, and training goes on', async () => {
    const { saver, saves, told } = saverOf(snapshot);
    const began = saver.begin(notes(10));
    await vi.waitUntil(() => saves.length === 1);
    saves[0]!.fail('The disk is full.');
    await began;
    expect(told.at(-1)).toBe(
      'The disk is full. Training goes on, and the next try is after step 20. There is no checkpoint yet.',
    );
  });
});
