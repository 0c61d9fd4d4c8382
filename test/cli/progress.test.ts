import { describe, expect, it } from 'vitest';
import { Progress } from '../../src/cli/progress.ts';
import type { StepMetrics } from '../../src/train/metrics.ts';

class Screen {
  written = '';
  time = 0;
  readonly isTTY: boolean;
  readonly columns: number;
  readonly now = (): number => this.time;

  constructor(isTTY: boolean, columns = 200) {
    this.isTTY = isTTY;
    this.columns = columns;
  }

  write(text: string): boolean {
    this.written += text;
    return true;
  }

  /** What stands on the screen: a line is overwritten by what follows a carriage return. */
  get lines(): string[] {
    return this.written.split('\n').map((line) => line.split('\r\u001b[K').at(-1)!);
  }
}

function metrics(step: number): StepMetrics {
  return {
    step,
    loss: 0.51234,
    learningRate: 0.002,
    gradNorm: 1.25,
    samplesPerSecond: 812.3,
    seconds: 1,
    dataWait: 0,
    lossByTime: [0.1, 0.2, null, 0.3],
    gradNormByBlock: {},
    skipped: 0,
    updateRatio: 1e-3,
    emaDistance: 0.01,
    memory: 2 ** 30,
    peakMemory: 2 ** 30,
    epoch: 0,
  };
}

function progressOn(screen: Screen, steps = 2000): Progress {
  return new Progress({ output: screen, steps, now: screen.now });
}

describe('progress on a terminal', () => {
  it('is a bar with everything that there is room for', () => {
    const screen = new Screen(true);
    const progress = progressOn(screen);
    screen.time = 60_000;
    progress.update(metrics(1));
    expect(screen.lines[0]).not.toMatch(/left/);
    screen.time += 4990;
    progress.update(metrics(500));
    expect(screen.lines).toEqual([
      `${'█'.repeat(6)}${'░'.repeat(18)}  500/2,000  loss 0.512  15s left  812 samples/s  learning rate 2.0e-3  gradient norm 1.25`,
    ]);
  });

  it('says when steps wait for data, but for the first batch', () => {
    const screen = new Screen(true, 100);
    const progress = progressOn(screen);
    progress.update({ ...metrics(400), dataWait: 0.216 });
    expect(screen.lines[0]).not.toMatch(/waiting/);
    screen.time = 1000;
    progress.update({ ...metrics(500), dataWait: 0.216 });
    expect(screen.lines[0]).toMatch(/812 samples\/s {2}waiting for data 22 %$/);
  });

  it('says how many ranks there are, and how much of the time they compute', () => {
    const screen = new Screen(true, 100);
    progressOn(screen).update({ ...metrics(400), ranks: 4, efficiency: 0.934 });
    expect(screen.lines[0]).toMatch(/812 samples\/s {2}4 ranks, 93 % efficient$/);
  });

  it('fits a narrow terminal', () => {
    const screen = new Screen(true, 60);
    progressOn(screen).update(metrics(500));
    expect(screen.lines[0]!.length).toBeLessThan(60);
    expect(screen.lines[0]).toMatch(/loss 0\.512/);
  });

  it('stays below the lines that are said, and is not redrawn a thousand times per second', () => {
    const screen = new Screen(true);
    const progress = progressOn(screen);
    screen.time = 100;
    progress.update(metrics(1));
    const drawn = screen.written;
    screen.time = 101;
    progress.update(metrics(2));
    expect(screen.written).toBe(drawn);
    progress.say('a note');
    progress.end();
    progress.end();
    expect(screen.lines).toEqual(['a note', expect.stringMatching(/1\/2,000 {2}loss/), '']);
  });
});

it('progress of a stage counts the time of those after it by what their steps are worth', () => {
  const screen = new Screen(true);
  // 500 steps of 10 ms; then the work of 1,500 such steps.
  const progress = new Progress({ output: screen, steps: 1000, until: 500, later: 1500, now: screen.now });
  progress.update(metrics(100));
  screen.time = 1000;
  progress.update(metrics(200));
  expect(screen.lines[0]).toMatch(/200\/1,000 .* 18s left/);
});

describe('progress in a file', () => {
  it('is a line every ten seconds, the first and the last', () => {
    const screen = new Screen(false);
    const progress = progressOn(screen, 400);
    for (let step = 1; step <= 400; step++) {
      screen.time = 100 * step;
      progress.update(metrics(step));
    }
    expect(screen.lines.map((line) => line.split('  ')[0])).toEqual([
      'step 1/400',
      'step 101/400',
      'step 201/400',
      'step 301/400',
      'step 400/400',
      '',
    ]);
    expect(screen.lines.at(-2)).toBe(
      'step 400/400  loss 0.512  812 samples/s  learning rate 2.0e-3  gradient norm 1.25',
    );
  });
});

it('progress of an autoencoder tells what its loss is made of', () => {
  const screen = new Screen(false);
  const { lossByTime: _, ...of } = metrics(1);
  progressOn(screen).update({ ...of, lossParts: { reconstruction: 0.25, kl: 3 } });
  expect(screen.lines[0]).toMatch(/learning rate 2.0e-3 {2}reconstruction 0.250 {2}KL 3.00 {2}gradient norm/);
});
