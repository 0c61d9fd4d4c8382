import { describe, expect, it } from 'vitest';
import { configOfStep, settingsOf, steered } from '../../src/steering/course.ts';
import type { SteeringEvent, SteeringSettings } from '../../src/steering/event.ts';

function set(
  step: number,
  settings: SteeringSettings,
  outcome: 'applied' | 'refused' = 'applied',
): SteeringEvent {
  return { id: `${step}`, step, time: '', kind: 'set', settings, outcome };
}

const config = {
  optimizer: { learningRate: 1, clipNorm: 2 },
  train: { sampleEvery: 3, checkpointEvery: 4, logEvery: 5, steps: 6 },
  sample: { guidance: 7, steps: 8 },
};

describe('the settings of a step', () => {
  it('are those of the config before anything was changed, and changed from the step after', () => {
    const events = [set(10, { learningRate: 2 })];
    expect(settingsOf(events, 10)).toBeUndefined();
    expect(configOfStep(config, events, 10)).toBe(config);
    expect(configOfStep(config, events, 11)).toEqual({
      ...config,
      optimizer: { learningRate: 2, clipNorm: 2 },
    });
  });

  it('are changed one by one, also those of samples', () => {
    const events = [set(1, { logEvery: 1, sample: { guidance: 1 } }), set(2, { sample: { steps: 2 } })];
    expect(configOfStep(config, events, 3)).toEqual({
      ...config,
      train: { ...config.train, logEvery: 1 },
      sample: { guidance: 1, steps: 2 },
    });
  });

  it('are what was asked last, also where what was asked before comes at a later step', () => {
    const events = [set(40, { learningRate: 2, logEvery: 9 }), set(35, { learningRate: 3 })];
    expect(settingsOf(events, 36)).toEqual({ learningRate: 3 });
    expect(settingsOf(events, 41)).toEqual({ learningRate: 3, logEvery: 9 });
  });

  it('are not changed by what was refused, or is no change', () => {
    const pause: SteeringEvent = { id: 'a', step: 1, time: '', kind: 'pause', outcome: 'applied' };
    expect(settingsOf([set(1, { learningRate: 2 }, 'refused'), pause], 5)).toBeUndefined();
  });

  it('are changed without changing the config', () => {
    expect(steered(config, {})).toEqual(config);
    expect(steered(config, { learningRate: 9 }).train).not.toBe(config.train);
    expect(config.optimizer.learningRate).toBe(1);
  });
});
