import { readFileSync, readdirSync } from 'node:fs';
import { cp, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { latestCheckpoint } from '../../src/runs/checkpoint.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { RunFolder, checkpointFolder } from '../../src/runs/run-folder.ts';
import type { Source } from '../../src/data/source.ts';
import { fileError } from '../../src/tensor/errors.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import type { TrainerState } from '../../src/train/trainer-state.ts';
import { spoilt } from '../support/bad-data.ts';
import { temporaryFolder } from '../support/cli.ts';
import { eventsOf } from '../support/event-file.ts';
import { checkSaved, stateAfter } from '../support/plain-steps.ts';
import { checkpointDigests, stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const steps = 10;
const config = {
  ...tinyStripes,
  train: {
    ...tinyStripes.train,
    steps,
    logEvery: 1,
    checkpointEvery: 4,
    keepCheckpoints: 99,
    badSteps: { rollBackAfter: 2, window: 3, stopAfter: 1 },
  },
  ema: { decays: [0.9], power: [0.1], snapshotEvery: 1 },
} satisfies ConfigInput;
const wentBack = 'training went back from step 7 to the checkpoint of step 4';

/** Counts how often each sample of each epoch is read. */
function counted(source: Source): { source: Source; reads: Map<string, number> } {
  const reads = new Map<string, number>();
  return {
    reads,
    source: {
      ...source,
      read(index, out, offset, key) {
        const sample = `${key.epoch} ${index}`;
        reads.set(sample, (reads.get(sample) ?? 0) + 1);
        return source.read(index, out, offset, key);
      },
    },
  };
}

describe('a run with too many bad steps in the window', () => {
  it('goes on from its last checkpoint with the data that come next', async () => {
    const { source, reads } = counted(spoilt(stripes(), [5, 7]));
    const { run, metrics } = await train(config, { runs: await temporaryFolder(), source, backend });
    const plain = (step: number, batch: number) => ({ step, update: step, batch });
    const wanted = await stateAfter(config, backend, [
      ...[1, 2, 3, 4].map((step) => plain(step, step)),
      ...[5, 6, 7, 8, 9, 10].map((step) => plain(step, step + 3)),
    ]);
    await checkSaved(run, wanted);
    expect([...reads.values()].every((count) => count === 1)).toBe(true);
    expect(metrics).toMatchObject({ step: 10, skipped: 0 });
    expect(metrics!.epoch).toBeCloseTo((13 * 5) / 17);
  });

  it('logs as if it had not been where it left', async () => {
    const runs = await temporaryFolder();
    const run = join(runs, 'stripes');
    const left: unknown[] = [];
    const bad = spoilt(stripes(), [5, 7]);
    await train(config, {
      runs,
      source: bad,
      backend,
      onNotice: (text) => {
        if (!text.startsWith(wentBack)) return;
        left.push(readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n').length);
        left.push(readdirSync(join(run, 'averages')).toSorted().at(-1));
        const state = JSON.parse(
          readFileSync(join(checkpointFolder(run), 'step-0000004', 'state.json'), 'utf8'),
        );
        left.push(state.state);
      },
    });
    expect(left).toEqual([
      4,
      'step-0000004.safetensors',
      expect.objectContaining({
        position: { epoch: 2, offset: 1 },
        updates: 4,
        rollBacks: 1,
        recentBadSteps: [],
      }),
    ]);
    const { records } = await readMetrics(join(run, 'metrics.jsonl'));
    expect(records.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const events = await eventsOf(run);
    const back = events.findIndex(({ step, status }, i) => i > 2 && status === 1 && step === 5);
    const logged = (part: typeof events): number[] =>
      part.filter(({ scalars }) => scalars && 'train/loss' in scalars).map(({ step }) => step);
    expect(logged(events.slice(0, back))).toEqual([1, 2, 3, 4, 6]);
    expect(logged(events.slice(back))).toEqual([5, 6, 7, 8, 9, 10]);
    const lines = (await readFile(join(run, 'bad-steps.jsonl'), 'utf8')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).step)).toEqual([5, 7]);
  });

  it('ends to the bit as it does when it is resumed after any checkpoint, the one it went back to too', async () => {
    const runs = await temporaryFolder();
    const source = spoilt(stripes(), [2, 4, 7, 9, 11]);
    const { train: settings } = config;
    const badSteps = { ...settings.badSteps, stopAfter: 2 };
    const often = { ...config, train: { ...settings, badSteps, checkpointEvery: 1 } };
    const { run } = await train(often, { runs, source, backend });
    const { state } = await latestCheckpoint(checkpointFolder(run));
    expect(state).toMatchObject({ updates: 7, rollBacks: 2, recentBadSteps: [9] });
    const end = async (path: string): Promise<unknown> => {
      const { records } = await readMetrics(join(path, 'metrics.jsonl'));
      const told = records.map(({ step, loss, skipped, epoch }) => ({ step, loss, skipped, epoch }));
      return { told, files: await checkpointDigests(path, steps) };
    };
    const expected = await end(run);
    const names = (await readdir(checkpointFolder(run))).toSorted();
    for (const [i, name] of names.slice(0, -1).entries()) {
      const copy = join(runs, `after-${name}`);
      await cp(run, copy, { recursive: true });
      for (const later of names.slice(i + 1))
        await rm(join(checkpointFolder(copy), later), { recursive: true });
      await resume(copy, { source, backend });
      expect([name, await end(copy)]).toEqual([name, expected]);
    }
  });

  it('counts those before it was stopped', async () => {
    const runs = await temporaryFolder();
    const source = spoilt(stripes(), [5, 7]);
    const controller = new AbortController();
    const { run } = await train(config, {
      runs,
      source,
      backend,
      signal: controller.signal,
      onStep: ({ step }) => step === 6 && controller.abort(),
    });
    const notices: string[] = [];
    await resume(run, { source, backend, onNotice: (text) => notices.push(text) });
    expect(notices).toContainEqual(
      'training went back from step 7 to the checkpoint of step 6, and goes on with the data after those steps.',
    );
  });

  it('goes on where the disk is too full to save the checkpoint again', async () => {
    const runs = await temporaryFolder();
    const notices: string[] = [];
    const { save } = RunFolder.prototype;
    const spy = vi.spyOn(RunFolder.prototype, 'save');
    spy.mockImplementation(function (this: RunFolder, checkpoint, ...rest) {
      if ((checkpoint.state as unknown as TrainerState).rollBacks === 1 && checkpoint.step === 4)
        throw fileError(this.path, 'there is no space left', 'Free some');
      return save.call(this, checkpoint, ...rest);
    });
    const result = await train(config, {
      runs,
      source: spoilt(stripes(), [5, 7]),
      backend,
      onNotice: (text) => notices.push(text),
    }).finally(() => spy.mockRestore());
    expect(result.finished).toBe(true);
    expect(notices).toContainEqual(expect.stringContaining('there is no space left'));
    expect(notices).toContainEqual(expect.stringContaining(wentBack));
  });
});

describe('a run that stays bad', () => {
  it('ends with a report, after going back so often', async () => {
    const runs = await temporaryFolder();
    const source = spoilt(stripes(), [5, 6, 7, 8]);
    const problem = train(config, { runs, source, backend });
    const run = join(runs, 'stripes');
    await expect(problem).rejects.toThrow(
      `${run}: training diverged: 2 of the last 3 steps were not finite, after going back once. ` +
        'At step 6 the loss is NaN. The data hold NaN once among 480 numbers, in sample 2 of the batch (counted from 0), which is sample 8 of stripes.',
    );
    await expect(problem).rejects.toThrow(
      `Each is described in ${join(run, 'bad-steps.jsonl')}. The last good checkpoint is ${join(run, 'checkpoints', 'step-0000004')}.`,
    );
    const lines = (await readFile(join(run, 'bad-steps.jsonl'), 'utf8')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).step)).toEqual([5, 6, 5, 6]);
  });

  it('says that there is nothing to go back to before the first checkpoint', async () => {
    const runs = await temporaryFolder();
    const source = spoilt(stripes(), [1, 3]);
    await expect(train(config, { runs, source, backend })).rejects.toThrow(
      /2 of the last 3 steps were not finite\. At step 3 .*No checkpoint was saved yet\. Train again with a lower/,
    );
    expect(await readdir(join(runs, 'stripes', 'checkpoints'))).toEqual([]);
  });
});
