import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Constants, type Layout, type StepWork, stepCost } from '../../../src/api/plan/ranks/cost.ts';
import { linkOf } from '../../../src/api/plan/ranks/links.ts';
import { configForRanks, rankSetup } from '../../../src/api/plan/ranks/request.ts';
import { type Scaling, powersOfTwo, reckonScaling } from '../../../src/api/plan/ranks/scaling.ts';
import { stepsByRanks, workOf } from '../../../src/api/plan/ranks/work.ts';
import type { ConfigInput } from '../../../src/config/config.ts';
import { ParsedConfig } from '../../../src/config/resolve-config.ts';
import { tinyStripes } from '../../support/tiny-run.ts';

const work: StepWork = { step: 8, update: 0.5, parts: 16, parameters: 10e6 };
const link = { name: 'a link', bandwidth: 125e6, latency: 50e-6 };
const layout: Layout = { ranks: 4, perMachine: 1, link, cores: 2, threads: 2, copying: 8e9 };
const endless = { name: 'endless', bandwidth: Infinity, latency: 0 };
/** Cores that do nothing but compute. */
const free: Constants = {
  copiesWithin: 0,
  copiesBetween: 0,
  memories: Infinity,
  exchange: 0,
  several: 1,
  payload: 1,
  message: 0,
};

const anyLayout = fc.record({
  ranks: fc.integer({ min: 1, max: 1024 }),
  perMachine: fc.integer({ min: 1, max: 16 }),
  cores: fc.integer({ min: 1, max: 64 }),
  threads: fc.integer({ min: 1, max: 64 }),
  copying: fc.double({ min: 1e8, max: 1e11, noNaN: true }),
  link: fc.record({
    name: fc.constant('a link'),
    bandwidth: fc.double({ min: 1e6, max: 1e11, noNaN: true }),
    latency: fc.double({ min: 0, max: 1e-2, noNaN: true }),
  }),
});

describe('a step on ranks', () => {
  it('is what one process does, where there is one', () => {
    expect(stepCost(work, { ...layout, ranks: 1 })).toEqual({
      shards: 7.5,
      update: 0.5,
      gradients: 0,
      weights: 0,
      norms: 0,
      communication: 0,
      total: 8,
      sent: 0,
    });
  });

  it('is R times as fast where nothing has to be carried, packed or waited for', () => {
    for (const ranks of [1, 2, 8, 1024])
      expect(stepCost(work, { ...layout, ranks, link: endless }, free).total).toBeCloseTo(8 / ranks, 12);
  });

  it('is no faster on one machine than its cores are', () => {
    const shared = { ...layout, ranks: 8, perMachine: 8, threads: 1 };
    expect(stepCost({ ...work, step: 16, update: 1 }, shared, free).total).toBeCloseTo(8, 12);
    // Of the same cores, whatever it is said to be.
    expect(
      stepCost(
        { ...work, step: 16, update: 1 },
        { ...shared, link: endless, perMachine: 1, together: 8 },
        free,
      ).total,
    ).toBeCloseTo(8, 12);
  });

  it('is its traffic where nothing has to be computed: 2 (R - 1) / R times 4 N bytes', () => {
    const idle = { ...work, step: 0, update: 0 };
    for (const ranks of [2, 4, 64]) {
      const cost = stepCost(idle, { ...layout, ranks, link: { ...link, latency: 0 } }, free);
      const bytes = ((2 * (ranks - 1)) / ranks) * 4 * 10e6;
      expect(cost.sent).toBeCloseTo(bytes, 3);
      const gather = (1024 * (ranks - 1)) / 125e6;
      expect(cost.total).toBeCloseTo(bytes / 125e6 + gather, 9);
    }
  });

  it('is held up by the memory of its machine, where several ranks use it', () => {
    const shared = { ...layout, ranks: 2, perMachine: 2, threads: 1, link: endless };
    const waits = { ...free, memories: 1.25 };
    // 4 numbers of 10 million parameters for each of 16 parts, at twice 8 GB a second, and the update.
    const moving = (16 * 4 * 40e6) / 16e9 + 0.5;
    expect(stepCost(work, shared, waits).total).toBeCloseTo((8 - moving) / 2 + (moving * 1.6) / 2, 9);
    expect(stepCost(work, { ...shared, perMachine: 1 }, waits).total).toBeCloseTo(4, 9);
  });

  it('reaches less of a link where several send to one machine', () => {
    const idle = { ...work, step: 0, update: 0 };
    const half = { ...free, several: 0.5 };
    const weights = (ranks: number, fitted: Constants): number =>
      stepCost(idle, { ...layout, ranks, link: { ...link, latency: 0 } }, fitted).weights;
    expect(weights(2, half)).toBe(weights(2, free));
    expect(weights(4, half)).toBeCloseTo(2 * weights(4, free), 9);
  });

  it('sends half as many bytes of gradients in bf16, and as many of weights', () => {
    const [full, half] = [stepCost(work, layout), stepCost(work, { ...layout, wire: 'bf16' })];
    expect(half.sent).toBeCloseTo(0.75 * full.sent, 3);
    expect(half.weights).toBe(full.weights);
    expect(half.gradients).toBeLessThan(full.gradients);
  });

  it('sends all that leaves a machine over its one link, and what stays there over none', () => {
    const shared = { ...layout, ranks: 8, perMachine: 4, threads: 1, link: { ...link, latency: 0 } };
    const idle = { ...work, step: 0, update: 0 };
    // Each of four ranks sends half of the numbers to the other machine.
    expect(stepCost(idle, shared, free).weights).toBeCloseTo((4 * (4 / 8) * 4 * 10e6) / 125e6, 9);
    expect(stepCost(idle, { ...shared, ranks: 4 }, free).communication).toBe(0);
  });

  it('hides what the link carries behind the last backward pass, but for what leaves last', () => {
    const alone = stepCost({ ...work, step: 0, update: 0 }, layout, free).gradients;
    const hidden = stepCost({ ...work, step: 1000, parts: 4, update: 0 }, layout, free).gradients;
    // 40 MB leave in five times.
    expect(hidden - 2 * link.latency).toBeCloseTo((alone - 2 * link.latency) / 5, 9);
  });

  it('takes longer with a slower link, slower cores, more parameters, and less with more ranks where all is computed', () => {
    fc.assert(
      fc.property(anyLayout, fc.double({ min: 2, max: 100, noNaN: true }), (any, times) => {
        const cost = stepCost(work, any);
        for (const slower of [
          stepCost(work, { ...any, link: { ...any.link, bandwidth: any.link.bandwidth / times } }),
          stepCost(work, { ...any, link: { ...any.link, latency: any.link.latency * times } }),
          stepCost(work, { ...any, copying: any.copying / times }),
          stepCost({ ...work, parameters: work.parameters * times }, any),
          stepCost({ ...work, step: work.step * times }, any),
        ])
          expect(slower.total).toBeGreaterThanOrEqual(cost.total * (1 - 1e-9));
        const { total: sum, shards, update, gradients, weights, norms, communication } = cost;
        expect(gradients + weights + norms).toBeCloseTo(communication, 12);
        expect(shards + update + communication).toBeCloseTo(sum, 12);
        const more = stepCost(work, { ...any, perMachine: 1, ranks: 2 * any.ranks }, free).shards;
        expect(more).toBeCloseTo(stepCost(work, { ...any, perMachine: 1 }, free).shards / 2, 12);
      }),
    );
  });

  it('never costs less than its parts by themselves', () => {
    fc.assert(
      fc.property(anyLayout, (any) => {
        const cost = stepCost(work, any);
        const machines = any.ranks / Math.min(any.ranks, any.perMachine);
        expect(cost.total).toBeGreaterThanOrEqual((work.step / any.ranks) * (1 - 1e-9));
        expect(Number.isFinite(cost.total) && machines >= 1).toBe(true);
      }),
    );
  });
});

describe('a link', () => {
  it('is a rate, as it is sold, and a time', () => {
    expect(linkOf('1Gbit')).toEqual({ name: '1 Gbit/s', bandwidth: 125e6, latency: 50e-6 });
    expect(linkOf(' 2.5 Gbit/s ', 0)).toEqual({ name: '2.5 Gbit/s', bandwidth: 312.5e6, latency: 0 });
    expect(linkOf('100Mbit', 1e-3)).toEqual({ name: '100 Mbit/s', bandwidth: 12.5e6, latency: 1e-3 });
  });

  it.each(['1', '0Gbit', '-1Gbit', '1GB', '1Tbit', 'Gbit', '', '1e3Mbit'])('is not "%s"', (text) => {
    expect(() => linkOf(text)).toThrow(
      `plan: link must be bits per second, as in 100Mbit or 10Gbit, got "${text}"`,
    );
  });

  it.each([-1, 11, Number.NaN, Infinity])('takes no time of %s', (latency) => {
    expect(() => linkOf('1Gbit', latency)).toThrow(
      `plan: latency must be seconds from 0 to 10, got ${latency}`,
    );
  });
});

describe('what is asked of ranks', () => {
  const train = { batchSize: 24, shards: 8 };

  it('is put in order, with what joins machines of the kind', () => {
    expect(rankSetup({ ranks: [8, 1, 8] }, train)).toMatchObject({
      ranks: [1, 8],
      ranksPerHost: 1,
      link: { name: '10 Gbit/s Ethernet' },
    });
    expect(rankSetup({ ranks: [2], latency: 1e-3 }, train)!.link).toMatchObject({
      bandwidth: 1.25e9,
      latency: 1e-3,
    });
    expect(rankSetup({}, train)).toBeUndefined();
  });

  it('is refused where a step cannot be shared out, as training refuses it', () => {
    expect(() => rankSetup({ ranks: [1, 16] }, train)).toThrow(
      /^train\.shards: wanted at least as many as there are ranks, 16, found 8/,
    );
    expect(() => rankSetup({ ranks: [5] }, train)).toThrow(
      /^train\.batchSize: wanted a multiple of the 5 ranks/,
    );
  });

  it.each<[Parameters<typeof rankSetup>[0], string]>([
    [{ ranks: [1], ranksPerHost: 0 }, 'plan: ranksPerHost must be a whole number from 1, got 0'],
    [{ ranksPerHost: 2 }, 'plan: ranksPerHost must be given together with numbers of ranks'],
    [{ latency: 0 }, 'plan: latency must be given together with numbers of ranks'],
  ])('is refused: %j', (request, message) => {
    expect(() => rankSetup(request, train)).toThrow(message);
  });

  it('is of a config that is divided into as many shards as there are most ranks, unless it says how many', () => {
    const shardsOf = (changes: ConfigInput['train'], ranks: readonly number[]): number | undefined => {
      const config = { ...tinyStripes, train: { ...tinyStripes.train, ...changes } };
      return configForRanks(ParsedConfig.of(config), ranks).batches.shards;
    };
    expect(shardsOf({ batchSize: 64 }, [1, 2])).toBe(8);
    expect(shardsOf({ batchSize: 64 }, [1, 64, 2])).toBe(64);
    expect(shardsOf({ batchSize: 64, shards: 4 }, [1, 64])).toBe(4);
    for (const ranks of [[], [1, 0.5], [0]])
      expect(() => shardsOf({}, ranks)).toThrow(
        `plan: ranks must be whole numbers from 1, one at least, got [${ranks.join(', ')}]`,
      );
  });
});

describe('more ranks', () => {
  const scaling: Scaling = {
    train: { batchSize: 64, shards: 64 },
    ranks: [1, 4, 64],
    link: linkOf('1Gbit'),
    ranksPerHost: 1,
    wire: 'fp32',
    work: () => work,
    machine: { cores: 2, copying: 8e9 },
    state: (ranks) => 1000 / ranks,
  };

  it('are told by row, and from where on they do not pay', () => {
    const { rows, belowHalf, lastDoubling, remedies } = reckonScaling(scaling);
    expect(rows.map(({ ranks, machines, state }) => [ranks, machines, state])).toEqual([
      [1, 1, 1000],
      [4, 4, 250],
      [64, 64, 1000 / 64],
    ]);
    expect(rows[0]).toMatchObject({ efficiency: 1, samplesPerSecond: 8 });
    for (const { cost, efficiency, ranks } of rows)
      expect(efficiency).toBeCloseTo(8 / ranks / cost.total, 12);
    const of = (ranks: number): number => reckonScaling({ ...scaling, ranks: [ranks] }).rows[0]!.efficiency;
    expect(of(belowHalf!)).toBeLessThan(0.5);
    expect(of(belowHalf! / 2)).toBeGreaterThanOrEqual(0.5);
    expect((2 * of(2 * lastDoubling!)) / of(lastDoubling!)).toBeLessThan(1.3);
    expect((2 * of(lastDoubling!)) / of(lastDoubling! / 2)).toBeGreaterThanOrEqual(1.3);
    expect(remedies.length).toBeGreaterThan(1);
    for (const { efficiency } of remedies) expect(efficiency).toBeGreaterThan(rows[2]!.efficiency);
  });

  it('all pay where nothing has to be carried; then nothing need help', () => {
    const found = reckonScaling({ ...scaling, link: endless, work: () => ({ ...work, step: 1e6 }) });
    expect(found).toMatchObject({ belowHalf: undefined, lastDoubling: undefined, remedies: [] });
  });

  it('of one machine are not held against its cores, which they share', () => {
    const threads = (onMachine: number): StepWork => ({ ...work, step: onMachine === 1 ? 8e3 : 16e3 });
    const found = reckonScaling({ ...scaling, ranks: [2, 4], ranksPerHost: 2, link: endless, work: threads });
    expect(found.rows.map(({ machines }) => machines)).toEqual([1, 2]);
    expect(found.rows[1]!.efficiency).toBeCloseTo(1, 3);
    expect(found.lastDoubling).toBeUndefined();
  });

  it('are powers of two, up to the shards', () => {
    expect([powersOfTwo(), powersOfTwo(8)]).toEqual([[1], [1, 2, 4, 8]]);
  });
});

describe('the work of a rank', () => {
  it('has an update that takes what its numbers take through memory, half of the step at most', () => {
    const of = { step: 1, parameters: 1e6, averages: 0, parts: 1, copying: 1e9 };
    expect(workOf(of).update).toBeCloseTo((9 * 4e6) / 2e9, 12);
    expect(workOf({ ...of, averages: 2 }).update).toBeCloseTo((15 * 4e6) / 2e9, 12);
    expect(workOf({ ...of, copying: Infinity }).update).toBe(0);
    expect(workOf({ ...of, parameters: 1e9 }).update).toBe(0.5);
  });

  it('is done by its share of the threads, as fast as they are many where nothing is timed', async () => {
    const steps = await stepsByRanks(
      [1, 2, 3, 16],
      { alone: 1, cores: 8 },
      { training: undefined, seconds: 0 },
    );
    expect([1, 2, 3, 16].map(steps)).toEqual([1, 2, 4, 8]);
  });
});
