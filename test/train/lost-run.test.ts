// What a training does whose folder, or part of it, is taken away under it.
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type TrainOptions, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const steps = 12;
const config = {
  ...tinyStripes,
  train: { ...tinyStripes.train, steps, logEvery: 1, checkpointEvery: 4, sampleEvery: 4 },
};

/** Trains, and does something to the run's folder after a step. */
async function trainWith(after: number, change: (run: string) => void, observer: TrainOptions = {}) {
  const runs = await temporaryFolder();
  const run = join(runs, config.name);
  const notices: string[] = [];
  const onStep = ({ step }: { step: number }): void => {
    if (step === after) change(run);
  };
  const onNotice = (text: string): number => notices.push(text);
  const training = train(config, { runs, source: stripes(), backend, onStep, onNotice, ...observer });
  return { runs, run, notices, outcome: await training.catch((error: Error) => error) };
}

describe("a run's folder", () => {
  it.each(Array.from({ length: steps - 1 }, (_, i) => i + 1))(
    'that is deleted after step %s ends the training with an error, and stays away',
    async (step) => {
      const { runs, outcome, notices } = await trainWith(step, (run) => rmSync(run, { recursive: true }));
      expect((outcome as Error).message).toMatch(/^.*stripes: the run folder is gone: it was deleted/);
      expect(readdirSync(runs)).toEqual([]);
      expect(notices).toEqual([]);
    },
  );

  it('that is renamed ends it, and has what was there until then', async () => {
    const { runs, outcome } = await trainWith(6, (run) => renameSync(run, `${run}-away`));
    expect((outcome as Error).message).toContain('under another name the run can be resumed');
    expect(readdirSync(runs)).toEqual(['stripes-away']);
    const { records } = await readMetrics(join(runs, 'stripes-away', 'metrics.jsonl'));
    expect(records.at(-1)!.step).toBe(6);
  });

  it('that another process holds now is not written to', async () => {
    let before: unknown;
    const contents = (run: string): unknown => [
      readdirSync(run, { recursive: true }),
      readFileSync(join(run, 'metrics.jsonl'), 'utf8'),
    ];
    // Before the first save: one that goes on ends in a folder of its own.
    const { run, outcome } = await trainWith(3, (folder) => {
      const lock = readdirSync(folder).find((name) => name.startsWith('lock-'))!;
      rmSync(join(folder, lock));
      writeFileSync(join(folder, 'lock-5-0a.json'), JSON.stringify({ pid: 5, host: 'ada' }));
      before = contents(folder);
    });
    expect((outcome as Error).message).toContain('process 5 on ada holds the folder now');
    expect(contents(run)).toEqual(before);
  });
});

it('parts of it that are deleted are told and made anew, and what the result names is there', async () => {
  let isDone = false;
  const onCheckpoint = (step: number, path: string): void => {
    if (step !== steps || isDone) return;
    isDone = true;
    rmSync(path, { recursive: true });
  };
  const { run, outcome, notices } = await trainWith(
    3,
    (folder) => {
      for (const part of ['samples', 'checkpoints', 'metrics.jsonl'])
        rmSync(join(folder, part), { recursive: true });
    },
    { onCheckpoint },
  );
  expect(notices.toSorted()).toEqual([
    `${run}/checkpoints was deleted: it is made anew, without what was in it.`,
    `${run}/metrics.jsonl: was deleted. Training goes on with a new one, without the lines before.`,
    `${run}/samples was deleted: it is made anew, without what was in it.`,
  ]);
  const { checkpoint, samples } = outcome as { checkpoint: string; samples: string };
  expect([checkpoint, samples].map((path) => existsSync(path))).toEqual([true, true]);
  const { records } = await readMetrics(join(run, 'metrics.jsonl'));
  expect(records.map(({ step }) => step)).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12]);
});
