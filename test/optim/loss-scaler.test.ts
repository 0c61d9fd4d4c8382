import { expect, it } from 'vitest';
import { LossScaler } from '../../src/optim/loss-scaler.ts';

const scaling = { initial: 8, growth: 2, backOff: 0.5, growthInterval: 3 };

it('grows after so many updates in a row', () => {
  const scaler = new LossScaler(scaling);
  const scales = Array.from({ length: 7 }, () => {
    scaler.grow();
    return scaler.scale;
  });
  expect(scales).toEqual([8, 8, 16, 16, 16, 32, 32]);
});

it('backs off at once, and counts from the start again', () => {
  const scaler = new LossScaler(scaling);
  scaler.grow();
  scaler.grow();
  expect(scaler.backOff()).toBe(true);
  expect(scaler.state).toEqual({ scale: 4, updates: 0 });
  scaler.grow();
  scaler.grow();
  expect(scaler.scale).toBe(4);
});

it('says where a smaller scale would not help', () => {
  const scaler = new LossScaler({ ...scaling, initial: 2 });
  expect(scaler.backOff()).toBe(true);
  expect(scaler.backOff()).toBe(false);
  expect(scaler.scale).toBe(1);
});

it('goes on from a state as if it had not stopped', () => {
  const [whole, first] = [new LossScaler(scaling), new LossScaler(scaling)];
  for (const scaler of [whole, first]) for (let i = 0; i < 2; i++) scaler.grow();
  const second = new LossScaler(scaling, JSON.parse(JSON.stringify(first.state)) as typeof first.state);
  for (const scaler of [whole, second]) scaler.grow();
  expect(second.state).toEqual(whole.state);
  expect(second.scale).toBe(16);
});
