// Plans of ranks beside measurements: the cases, the constants that are fitted, and the machines that stand for others.
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { hostName, network } from '../../bench/host-names.ts';
import { commandOnHosts, whyNoHosts } from '../../bench/hosts-command.ts';
import { rankCase, rankCaseNames } from '../../bench/rank-cases.ts';
import { scaleCases, shards, titleOf } from '../../bench/scale-cases.ts';
import { type Result, fitConstants, predict } from '../../bench/scale-model.ts';
import { constants } from '../../src/api/plan/ranks/cost.ts';
import { bundle } from '../support/mpi.ts';

const machine = { cores: 2, copying: 8e9 };

describe('cases', () => {
  it('can be shared out, and each is either fitted or held out', () => {
    expect(new Set(scaleCases.map(titleOf)).size).toBe(scaleCases.length);
    for (const { model, ranks } of scaleCases) {
      expect(rankCaseNames).toContain(model);
      expect(rankCase(model, shards).config.train.batchSize % ranks).toBe(0);
      expect(shards % ranks).toBe(0);
    }
  });

  it('hold out a model, a number of ranks and links that nothing was fitted to', () => {
    const [fitted, heldOut] = [true, false].map((isFitted) =>
      scaleCases.filter((each) => each.isFitted === isFitted),
    );
    for (const of of ['model', 'ranks', 'link'] as const) {
      const seen = new Set<unknown>(fitted!.map((each) => each[of]));
      expect(heldOut!.some((each) => !seen.has(each[of]))).toBe(true);
    }
  });
});

describe('constants', () => {
  const measuredWith = (of: typeof constants): Result[] =>
    scaleCases.map((each) => {
      const alone = { small: 0.02, 'm-64': 0.5, 'wide-16': 0.3 }[each.model] ?? 2;
      const { total, communication } = predict(each, { alone }, machine, of);
      return { of: each, measured: { alone, together: total, exchanging: communication } };
    });

  it('are found again by what steps take with them', () => {
    const others = { ...constants, copiesWithin: 9, copiesBetween: 3, exchange: 2e-3 };
    const results = measuredWith(others);
    const found = fitConstants(results, machine);
    for (const { of, measured } of results) {
      const { total } = predict(of, measured, machine, found);
      expect(Math.abs(total / measured.together - 1)).toBeLessThan(0.02);
    }
  });

  it('stay where nothing is nearer', () => {
    expect(fitConstants(measuredWith(constants), machine)).toEqual(constants);
  });
});

const missing = whyNoHosts();
const why = missing === undefined ? '' : ` (skipped: ${missing})`;

describe.skipIf(missing !== undefined)(`machines of their own${why}`, () => {
  it('have names, and are joined by a link that is as slow as it is said to be, both ways', async () => {
    const program = await bundle('host-probe', 'test/bench/programs');
    const programs = { hosts: await bundle('hosts', 'bench'), shell: await bundle('host-shell', 'bench') };
    const probe = [process.execPath, program, network.address(1)] as const;
    const [command, ...args] = commandOnHosts({ ranks: 2, link: '100Mbit' }, probe, programs);
    const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', timeout: 60_000 });
    expect(status).toBe(0);
    const told = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { host: string; received: number; seconds: number });
    expect(told.map(({ host }) => host).toSorted()).toEqual([hostName(1), hostName(2)]);
    // No more passes than the link lets through and its buckets hold; how much less depends on what else runs.
    for (const { received, seconds } of told)
      expect((8 * (received - 4 * 2 ** 20)) / seconds).toBeLessThan(100e6);
  });
});
