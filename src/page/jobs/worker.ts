// The process of one job: it gets a call, says how far it is, answers and ends. It ends too when the server does.
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { checkData, previewData } from '../../api/data.ts';
import { diagnose } from '../../api/doctor/diagnose.ts';
import { plan } from '../../api/plan/plan.ts';
import { type SampleRunOptions, sample } from '../../api/sample.ts';
import { type SamplePathOptions, samplePath } from '../../api/sample-path.ts';
import { measureStraightness } from '../../api/straightness.ts';
import { loadConfig } from '../../config/load-config.ts';
import { pathPictures } from '../../runner/samples/path-pictures.ts';
import { writePathGrid } from '../../runner/samples/write-path.ts';
import { writeSamples } from '../../runner/samples/write-samples.ts';
import { rowTitle } from '../../train/sample-grid.ts';
import { RectiflowError, systemProblem } from '../../tensor/errors.ts';
import type {
  DataCheckResult,
  DoctorResult,
  Json,
  PathResult,
  PlanResult,
  SampleResult,
  StraightnessResult,
} from '../contract.ts';
import type { JobCall, JobMessage } from './calls.ts';
import { loadAsked } from './load-asked.ts';

/** Between two reports of progress. */
const progressMs = 100;

function say(message: JobMessage): void {
  process.send?.(message);
}

const onNotice = (text: string): void => say({ kind: 'notice', text });

let told = -Infinity;
function onProgress(what: string, done: number, total: number): void {
  const now = performance.now();
  if (now - told < progressMs && done < total) return;
  told = now;
  say({ kind: 'progress', what, done, total });
}

async function answer(
  call: JobCall,
): Promise<
  SampleResult | PathResult | StraightnessResult | DoctorResult | PlanResult | DataCheckResult | null
> {
  switch (call.kind) {
    case 'sample':
      return makeSamples(call);
    case 'path':
      return followPath(call);
    case 'straightness': {
      const going = (done: number, all: number): void => onProgress('going along paths', done, all);
      const measured = await measureStraightness(call.run, { onNotice, onProgress: going });
      const { step, count, steps, relative, byTime } = measured;
      return { step, count, steps, relative, byTime };
    }
    case 'doctor': {
      const { parsed, absent } = await loadAsked(call.config, true);
      return { checks: await diagnose(parsed, { absent, onNotice, onProgress }) };
    }
    case 'plan': {
      const { parsed, absent } = await loadAsked(call.config, true);
      const { seconds, machine } = call;
      const planned = await plan(parsed, { absent, seconds, machine, onNotice, onProgress });
      return { plan: planned as unknown as Json };
    }
    case 'data-check': {
      const { parsed } = await loadAsked(call.config, false);
      const reading = (done: number, total: number): void => onProgress('reading samples', done, total);
      return { report: (await checkData(parsed, { onNotice, onProgress: reading })) as unknown as Json };
    }
    case 'preview': {
      const { parsed } = await loadConfig(join(call.run, 'config.json'));
      await previewData(parsed, call.picture, { onNotice });
      return null;
    }
  }
}

async function makeSamples({
  run,
  asked,
  picture,
}: Extract<JobCall, { kind: 'sample' }>): Promise<SampleResult> {
  const samples = await sample(run, {
    ...(asked as SampleRunOptions),
    onNotice,
    onProgress: (done, total) => onProgress('sampling', done, total),
  });
  const folder = await mkdtemp(join(dirname(picture), 'samples-'));
  try {
    const { count, view } = await writeSamples(join(folder, 'samples'), samples);
    const hasPicture = view.endsWith('.png');
    if (hasPicture) await copyFile(view, picture);
    return { step: samples.step, count, hasPicture, made: (samples.made ?? null) as Json };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function followPath({ run, asked, picture }: Extract<JobCall, { kind: 'path' }>): Promise<PathResult> {
  const onSampling = (done: number, total: number): void => onProgress('sampling', done, total);
  const path = await samplePath(run, { ...(asked as SamplePathOptions), onNotice, onProgress: onSampling });
  const { step, times, speeds, angles, annotation, data, made = null } = path;
  const pictures = pathPictures(path);
  return {
    step,
    title: annotation === undefined ? null : rowTitle(annotation, data.classNames),
    times: times.map((t, i) => ({ t, speed: speeds[i] ?? null, angle: angles[i] ?? null })),
    pictures: pictures === undefined ? null : await writePathGrid(picture, path, pictures),
    made: made as Json,
  };
}

process.once('disconnect', () => process.exit(1));
process.once('message', (call: JobCall) => {
  answer(call)
    .then(
      (result) => say({ kind: 'result', result: result as unknown as Json }),
      (error: unknown) => say(describe(error)),
    )
    .finally(() => process.disconnect());
});

function describe(error: unknown): JobMessage {
  const isKnown = error instanceof RectiflowError && error.code !== 'internal';
  const isSystem = (error as NodeJS.ErrnoException).syscall !== undefined;
  if (isKnown) return { kind: 'error', message: error.message, isOurs: false };
  if (isSystem) return { kind: 'error', message: `${systemProblem(error)}.`, isOurs: false };
  return { kind: 'error', message: inspect(error), isOurs: true };
}
