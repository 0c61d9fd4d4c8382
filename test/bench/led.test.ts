import { expect, it } from 'vitest';
import { follow, led, release } from '../../bench/led.ts';
import { ranksOfProcess } from '../support/ranks.ts';

it('all ranks work whenever the first does, one piece after the other, until it lets go', async () => {
  const [first, ...others] = ranksOfProcess(3);
  const done = [0, 0, 0];
  let busy = 0;
  const following = others.map((communicator) =>
    follow(communicator, async () => {
      expect(++busy).toBeLessThanOrEqual(2);
      await new Promise((resolve) => setTimeout(resolve, 1));
      busy--;
      done[communicator.rank]!++;
    }),
  );
  const run = led(first!, async () => void done[0]!++);
  for (let i = 0; i < 5; i++) await run();
  release(first!);
  await Promise.all(following);
  expect(done).toEqual([5, 5, 5]);
});

it('a rank whose work fails says so at once, not when it is let go', async () => {
  const [first, second] = ranksOfProcess(2);
  const following = follow(second!, () => Promise.reject(new Error('out of memory')));
  await led(first!, () => Promise.resolve())();
  await expect(following).rejects.toThrow('out of memory');
});
