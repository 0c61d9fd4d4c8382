import { expect, it } from 'vitest';
import { othersTurn } from '../../src/tensor/turn.ts';

it('lets timers have their turn, also where turns follow each other at once', async () => {
  let fired = 0;
  let turns = 0;
  const timer = setInterval(() => fired++, 2);
  const until = performance.now() + 200;
  while (performance.now() < until) {
    const work = performance.now() + 5;
    while (performance.now() < work);
    await othersTurn();
    turns++;
  }
  clearInterval(timer);
  expect(fired).toBeGreaterThanOrEqual(turns / 2);
});
