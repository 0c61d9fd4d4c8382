// The model, in a thread of its own: the page stays free while it computes.
import { DeviceLostError } from '../../src/backends/device-errors.ts';
import type { Annotation } from '../../src/data/source.ts';
import { stepsDown } from '../../src/flow/integrator.ts';
import { samplerOf } from '../../src/flow/objective.ts';
import type { SharedModel } from '../../src/share/open.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { objectiveOf, samplersOf } from '../../src/train/objective.ts';
import { type HostedModel, ModelHost } from './model-host.ts';
import type { FromWorker, MakeRequest, SamplerFacts, ToWorker } from './protocol.ts';

let host: ModelHost | undefined;
const running = new Map<number, AbortController>();

const say = (message: FromWorker, transfer: Transferable[] = []): void => {
  postMessage(message, { transfer });
};

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind === 'stop') running.get(data.id)?.abort();
  if (data.kind === 'open') host = new ModelHost({ ...data, say, onOpened });
  if (data.kind === 'make') void made(data.id, data.request);
  if (data.kind === 'use') host?.use(data.device);
});

async function onOpened({ shared, device, isSlow }: HostedModel): Promise<void> {
  const { manifest } = shared;
  const { steps, sampler, guidance } = shared.defaults;
  const samplers = countedSamplers(shared);
  const blank = await shared.pictures(new Float32Array(sizeOf(manifest.shape)));
  say({
    kind: 'ready',
    manifest,
    device,
    isSlow,
    samplers,
    picture: (blank?.shape as [number, number, number] | undefined) ?? null,
    cells: shared.realCells ?? null,
    defaults: {
      steps,
      sampler: samplers.find(({ name }) => name === sampler)?.name ?? samplers[0]!.name,
      guidance: guidance ?? 1,
    },
  });
}

/** Those whose steps take a known number of evaluations, so that they can be compared and gone along. */
function countedSamplers({ manifest: { config } }: SharedModel): SamplerFacts[] {
  const objective = objectiveOf(config, {});
  return samplersOf(config.flow.objective.kind).flatMap((name): SamplerFacts[] => {
    const { evaluationsPerStep, takeStep } = samplerOf(objective, name);
    return evaluationsPerStep === undefined || takeStep === undefined ? [] : [{ name, evaluationsPerStep }];
  });
}

async function made(id: number, request: MakeRequest): Promise<void> {
  const control = new AbortController();
  running.set(id, control);
  try {
    const model = await host!.model;
    try {
      await make(model, id, request, control.signal);
    } catch (error) {
      if (!(error instanceof DeviceLostError) || control.signal.aborted) throw error;
      say({
        kind: 'again',
        id,
        message: `${error.what}. It is opened again, and the samples are made anew.`,
      });
      await host!.replace(model);
      await make(await host!.model, id, request, control.signal);
    }
  } catch (error) {
    if (!control.signal.aborted) say({ kind: 'failed', id, message: (error as Error).message });
  } finally {
    running.delete(id);
  }
}

async function make(
  { shared: model }: HostedModel,
  id: number,
  request: MakeRequest,
  signal: AbortSignal,
): Promise<void> {
  const { count, seed, steps, sampler, guidance, from } = request;
  const { shape } = model.manifest;
  const numbers = count * sizeOf(shape);
  const told = toldOf(request);
  const { timeShift = 1 } = model.defaults;
  // Where steps begin: samplers of higher order look between them, too.
  const begins = [...stepsDown({ steps, timeShift })].map(({ t }) => t);
  const visited = new Map<number, Float32Array>();
  /** Frames are shown one after the other, in their order. */
  let waiting: Promise<void> = Promise.resolve();
  const showLater = (index: number, values: Float32Array): void => {
    waiting = waiting.then(() => show(index, begins[index]!, values));
    // Told where it is waited for.
    waiting.catch(() => {});
  };
  const began = performance.now();
  const last = await model.sampler.sample({
    ...model.defaults,
    count,
    seed,
    steps,
    sampler,
    guidance: told ? guidance : 1,
    ...(told && { conditions: model.conditions(told) }),
    ...(from && { from }),
    signal,
    onVisit(x, t) {
      const index = begins.indexOf(t as number);
      if (index >= 0) visited.set(index, Float32Array.from(x.subarray(0, numbers)));
      // What was looked at before is where a step began.
      for (const [done, values] of visited)
        if (done < index) {
          visited.delete(done);
          showLater(done, values);
        }
    },
  });
  const seconds = (performance.now() - began) / 1000;
  for (const [done, values] of visited) showLater(done, values);
  await waiting;
  await show(steps, 0, last);
  say({ kind: 'done', id, seconds });

  async function show(index: number, t: number, x: Float32Array): Promise<void> {
    const pictures = (await model.pictures(x))?.values ?? null;
    if (signal.aborted) return;
    say({ kind: 'frame', id, frame: { index, t, x, pictures: pictures && pictures.slice() } });
  }
}

/** Of each sample; undefined where nothing is told. */
function toldOf({ label, labels, prompt, count }: MakeRequest): Annotation[] | undefined {
  if (labels !== undefined) return labels.map((each) => ({ label: each }));
  const of = prompt !== null ? { caption: prompt } : label !== null ? { label } : undefined;
  return of && Array.from({ length: count }, () => of);
}
