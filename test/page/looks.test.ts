// How often the files of a run are looked at while a page hears of it, and how much of them is read.
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { changesSince } from '../../src/page/live/changes.ts';
import { LiveRuns, type SentEvent } from '../../src/page/live/live-run.ts';
import { currentPosition } from '../../src/page/live/position.ts';
import { Summaries } from '../../src/page/run-summary.ts';
import { temporaryFolder } from '../support/cli.ts';
import { logLine, writeRun } from '../support/page.ts';

describe('what a look reads', () => {
  it('is what was appended since, however long the log is', async () => {
    const lines = Array.from({ length: 5000 }, (_, i) => logLine(i + 1));
    const run = await writeRun(await temporaryFolder(), 'one', { log: lines });
    const at = await currentPosition(run);
    expect(await changesSince(run, at)).toMatchObject({ changes: [], read: 0 });
    const line = `${logLine(5001)}\n`;
    await appendFile(join(run, 'metrics.jsonl'), line);
    const { changes, read } = await changesSince(run, at);
    expect(changes).toHaveLength(1);
    // And what is before it, to see that the log is still the same.
    expect(read).toBe(64 + line.length);
  });
});

describe('who looks at a run', () => {
  it('does so twice a second at most, however often it logs, and sends what is new at once', async () => {
    const runs = await temporaryFolder();
    const run = await writeRun(runs, 'one', { log: [logLine(1)] });
    const summaries = new Summaries();
    const live = new LiveRuns(runs, summaries);
    const sent: (readonly SentEvent[])[] = [];
    const began = performance.now();
    const stop = live.listen({ name: 'one', path: run }, undefined, {
      send: (events) => sent.push(events),
      end: () => {},
    });
    await expect.poll(() => sent.length, { timeout: 10_000 }).toBe(1);
    for (let step = 2; step <= 200; step++) {
      await appendFile(join(run, 'metrics.jsonl'), `${logLine(step)}\n`);
      await new Promise((next) => setTimeout(next, 10));
    }
    const heard = (): number => sent.flat().filter(({ event }) => event.type === 'record').length;
    await expect.poll(heard, { timeout: 10_000 }).toBe(199);
    const most = Math.ceil((performance.now() - began) / 500) + 1;
    expect([live.looks, sent.length].map((count) => count <= most)).toEqual([true, true]);
    // Who has it is asked for seldom; its settings were read once.
    expect(summaries.reads.configs).toBe(1);
    expect(summaries.reads.logs).toBeLessThan(most);
    stop();
  });

  it('is one for all who listen, and nobody where nobody does', async () => {
    const runs = await temporaryFolder();
    const run = await writeRun(runs, 'one', { log: [logLine(1)] });
    const live = new LiveRuns(runs, new Summaries());
    const place = { name: 'one', path: run };
    const heard: SentEvent[][] = [[], []];
    const listen = (events: SentEvent[]): Promise<() => void> =>
      new Promise((resolve) => {
        const stop = live.listen(place, undefined, {
          send: (sent) => {
            events.push(...sent);
            resolve(stop);
          },
          end: () => {},
        });
      });
    const stops = await Promise.all(heard.map(listen));
    expect(live.watched).toBe(1);
    await appendFile(join(run, 'metrics.jsonl'), `${logLine(2)}\n`);
    const settled = { timeout: 10_000 };
    await expect.poll(() => heard.map((events) => events.length), settled).toEqual([2, 2]);
    expect(heard[0]!.at(-1)).toEqual(heard[1]!.at(-1));
    stops[0]!();
    await appendFile(join(run, 'metrics.jsonl'), `${logLine(3)}\n`);
    await expect.poll(() => heard[1]!.length, settled).toBe(3);
    expect([heard[0]!.length, live.watched]).toEqual([2, 1]);
    stops[1]!();
    await expect.poll(() => live.watched, settled).toBe(0);
  });
});
