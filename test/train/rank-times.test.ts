// Which rank is slow, and how much of the time ranks compute.
import { describe, expect, it } from 'vitest';
import type { StepMetrics } from '../../src/train/metrics.ts';
import { Monitor } from '../../src/train/monitor/monitor.ts';
import { RankTimes, summaryOf } from '../../src/train/ranks/rank-times.ts';
import { Stopwatch } from '../../src/train/metrics.ts';
import { onRanks } from '../support/ranks.ts';

const ofRank = (computing: number, waiting: number, inAll = 1, dataWait = 0) => ({
  computing,
  waiting,
  inAll,
  dataWait,
});

describe('times of ranks', () => {
  it('name the slowest beside the median of the others, and what communication costs without waiting for it', () => {
    const times = summaryOf([
      ofRank(0.5, 0.5, 1, 0.1),
      ofRank(0.4, 0.6),
      ofRank(0.9, 0.1, 1.2),
      ofRank(0.6, 0.5, 1.1, 0.2),
    ]);
    expect(times.ranks).toBe(4);
    expect(times.computing).toBeCloseTo(0.55);
    expect(times.communication).toBe(0.1);
    expect(times.efficiency).toBeCloseTo(0.6);
    expect(times.slowestRank).toBe(2);
    expect(times.slowdown).toBeCloseTo(0.9 / 0.5);
    expect(times.dataWait).toBe(0.2);
  });

  it('are those since the last time, the same on all ranks', async () => {
    const found = await onRanks(2, async (communicator) => {
      const exchange = { stepping: new Stopwatch(4), waiting: new Stopwatch(1 - communicator.rank / 2) };
      const times = RankTimes.of({ communicator, exchange: exchange as never })!;
      const first = await times.take(2, 5, 0.25 * communicator.rank);
      return [first, await times.take(1, 1, 0)];
    });
    expect(found[1]).toEqual(found[0]);
    const [first, second] = found[0]!;
    expect(first).toEqual({
      ranks: 2,
      computing: 1.625,
      communication: 0.25,
      efficiency: expect.closeTo(0.65),
      slowestRank: 1,
      slowdown: expect.closeTo(3.5 / 3),
      dataWait: 0.25,
    });
    expect(second).toMatchObject({ computing: 0, communication: 0, efficiency: 0 });
  });

  it('are none of a training of one process', () => {
    expect(RankTimes.of({ communicator: undefined, exchange: undefined })).toBeUndefined();
  });
});

describe('the monitor of ranks', () => {
  const hosts = ['node-1', 'node-1', 'node-7'];
  const config = {
    ema: { decay: 0.9, ramp: false },
    train: { steps: 1000, sampleEvery: 0 },
    optimizer: { warmupSteps: 0, clipNorm: 1 },
  };
  const reading = (step: number, times: Partial<StepMetrics>) => ({
    step,
    loss: 1 / step,
    learningRate: 1e-3,
    gradNorm: 1,
    seconds: step,
    dataWait: 0,
    epoch: 0,
    ...times,
  });
  const saidOf = (times: (step: number) => Partial<StepMetrics>): string[] => {
    const monitor = new Monitor(config, { samples: 1000, hasBegunTrained: false, hosts });
    return Array.from({ length: 20 }, (_, i) => monitor.read(reading(i + 1, times(i + 1)))).flat();
  };

  it('names one that all others wait for, once', () => {
    const slow = { slowestRank: 2, slowdown: 1.8, computing: 0.42 };
    expect(saidOf(() => slow)).toEqual([
      expect.stringMatching(
        /^rank 2 on node-7 computes 1\.8 times as long as the others, whose part of a step takes 0\.42 s:/,
      ),
    ]);
  });

  it.each([
    ['it is another each time', (step: number) => ({ slowestRank: step % 3, slowdown: 1.8, computing: 1 })],
    ['it is hardly slower', () => ({ slowestRank: 2, slowdown: 1.1, computing: 1 })],
    ['steps are short', () => ({ slowestRank: 2, slowdown: 1.8, computing: 0.01 })],
    [
      'it is slow now and then',
      (step: number) => ({ slowestRank: 2, slowdown: step % 3 ? 2 : 1, computing: 1 }),
    ],
    ['there are no ranks', () => ({})],
  ])('names none where %s', (_, times) => {
    expect(saidOf(times)).toEqual([]);
  });

  it('looks at the first batch of all of them', async () => {
    const parts = [
      [0, 1],
      [-3, 250],
    ];
    const wanted = new Monitor(config, { samples: 1000, hasBegunTrained: false });
    wanted.see(Float32Array.from(parts.flat()), true);
    const found = await onRanks(2, async (communicator) => {
      const monitor = new Monitor(config, { samples: 1000, hasBegunTrained: false, hosts: hosts.slice(1) });
      monitor.see(Float32Array.from(parts[communicator.rank]!), true);
      await monitor.agree(communicator);
      await monitor.agree(communicator);
      return monitor.read(reading(1, {}));
    });
    const said = wanted.read(reading(1, {}));
    expect(said).toHaveLength(1);
    expect(found).toEqual([said, said]);
  });

  it('looks at a later batch where the first of one rank holds what is no number', async () => {
    const found = await onRanks(2, async (communicator) => {
      const monitor = new Monitor(config, { samples: 1000, hasBegunTrained: false, hosts: hosts.slice(1) });
      const said: string[][] = [];
      for (const first of [communicator.rank === 0 ? NaN : 250, 250]) {
        monitor.see(Float32Array.of(first, 0), true);
        await monitor.agree(communicator);
        said.push(monitor.read(reading(1, {})));
      }
      return said;
    });
    for (const said of found) expect(said.map(({ length }) => length)).toEqual([0, 1]);
  });
});
