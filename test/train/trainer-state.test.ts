import { expect, it } from 'vitest';
import { stateOf } from '../../src/train/trainer-state.ts';

const saved = { path: 'step-0000040', step: 40, files: {} };

it('begins at nothing', () => {
  expect(stateOf(undefined)).toMatchObject({ seconds: 0, updates: 0, rollBacks: 0 });
});

it('takes every step of a checkpoint that does not count updates for one', () => {
  const state = { position: { epoch: 1, offset: 7 }, seconds: 12 };
  expect(stateOf({ ...saved, state })).toMatchObject({ ...state, updates: 40, rollBacks: 0 });
});

it('takes the updates that a checkpoint counts', () => {
  const state = { position: { epoch: 1, offset: 7 }, seconds: 12, updates: 38, rollBacks: 1 };
  expect(stateOf({ ...saved, state })).toMatchObject(state);
});
