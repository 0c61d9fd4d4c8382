import { describe, expect, it } from 'vitest';
import { JointWork, type Together } from '../../../src/runs/ranks/joint-work.ts';
import { RectiflowError, fileError } from '../../../src/tensor/errors.ts';
import { ranksOfProcess } from '../../support/ranks.ts';

/** What `lead` and `follow` come to on each rank, an error by its code and message. */
async function outcomes(
  lead: (together: Together) => Promise<unknown>,
  follow: (order: unknown, rank: number) => Promise<unknown>,
  works = ranksOfProcess(3).map((each) => new JointWork(each, 'test')),
): Promise<unknown[]> {
  const told = (error: RectiflowError): string => `${error.code} ${error.message}`;
  return Promise.all(
    works.map((work, rank) =>
      (rank === 0 ? work.lead(lead) : work.follow((order) => follow(order, rank))).catch(told),
    ),
  );
}

describe('work of several ranks', () => {
  it('is done by all, in the order of its orders; all learn what came of it', async () => {
    const done: string[] = [];
    const results = await outcomes(
      async (together) => {
        const first = await together({ a: 1 }, async () => 'of 0');
        done.push('second');
        const second = await together('b', async () => 0);
        return { first, second };
      },
      async (order, rank) => {
        done.push(`${rank} ${JSON.stringify(order)}`);
        return order === 'b' ? rank : `of ${rank}`;
      },
    );
    const result = { first: ['of 0', 'of 1', 'of 2'], second: [0, 1, 2] };
    expect(results).toEqual([result, result, result]);
    expect(done).toEqual(['1 {"a":1}', '2 {"a":1}', 'second', '1 "b"', '2 "b"']);
  });

  it('may be nothing but what rank 0 tells', async () => {
    const results = await outcomes(
      async () => true,
      () => Promise.reject(new Error('was ordered')),
    );
    expect(results).toEqual([true, true, true]);
  });

  it('may come to nothing', async () => {
    const results = await outcomes(
      async (together) => void (await together('go', async () => {})),
      async () => {},
    );
    expect(results).toEqual([undefined, null, null]);
  });

  it('that fails on one fails on all, which are told where, when the others have ended', async () => {
    let ended = 0;
    const results = await outcomes(
      (together) => together('go', async () => ended++),
      async (_, rank) => {
        if (rank === 1) throw fileError('a/b', 'no space left', 'Free some');
        await new Promise((resolve) => setTimeout(resolve, 20));
        ended++;
      },
    );
    const message = 'file rank 1 on host-1: a/b: no space left. Free some.';
    expect({ results, ended }).toEqual({ results: [message, message, message], ended: 2 });
  });

  it('that rank 0 gives up is given up by all, before an order and after it', async () => {
    const gone = new RectiflowError('run', ['the run is gone:', '  deleted']);
    const message = 'run the run is gone:\n  deleted';
    const works = ranksOfProcess(3).map((each) => new JointWork(each, 'test'));
    const before = await outcomes(
      () => Promise.reject(gone),
      async () => {},
      works,
    );
    expect(before).toEqual([message, message, message]);
    const after = await outcomes(
      async (together) => {
        await together('go', async () => {});
        throw gone;
      },
      async () => {},
      works,
    );
    expect(after).toEqual([message, message, message]);
    expect(
      await outcomes(
        async () => 'again',
        async () => {},
        works,
      ),
    ).toEqual(['again', 'again', 'again']);
  });

  it('of two topics does not disturb each other', async () => {
    const ranks = ranksOfProcess(3);
    const [one, two] = ['one', 'two'].map((topic) => {
      const works = ranks.map((each) => new JointWork(each, topic));
      return outcomes(
        async (together) => together(topic, async () => topic),
        async (order) => order,
        works,
      );
    });
    expect(await one).toEqual(Array.from({ length: 3 }, () => ['one', 'one', 'one']));
    expect(await two).toEqual(Array.from({ length: 3 }, () => ['two', 'two', 'two']));
  });
});
