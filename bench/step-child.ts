// The process that runs rectiflow's training step of a case: step-child.js NAME OPTIONS
import type { CpuOptions } from 'rectiflow';
import { countParameters } from 'rectiflow';
import { caseByName } from './cases.ts';
import { serve } from './contestant.ts';
import { prepareStep } from './training-step.ts';

const [name, options] = process.argv.slice(2) as [string, string];
const { model, executable, run } = await prepareStep(
  caseByName(name).config,
  JSON.parse(options) as CpuOptions,
);
await serve({ warmUp: run, run }, async () => ({
  parameters: countParameters(model),
  loss: (await executable.read(['loss'])).loss[0]!,
}));
