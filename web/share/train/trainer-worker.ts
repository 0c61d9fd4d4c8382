// Pictures and their training, in a thread of its own: the page stays free, and a hidden tab goes on.
import { countParameters } from '../../../src/models/model.ts';
import { RectiflowError } from '../../../src/tensor/errors.ts';
import { createModel } from '../../../src/train/create-model.ts';
import { gpuFacts } from '../gpu-facts.ts';
import { zipOf } from '../kept/zip.ts';
import { configOf } from './config.ts';
import { labelsOf } from './labels.ts';
import { PictureSet, checkLabels } from './picture-set.ts';
import type { Checked, FromTrainer, ToTrainer } from './protocol.ts';
import { Session } from './session.ts';
import { openKeptRuns, openRun, openedRun } from './tab-run.ts';
import { formOf } from './settings.ts';
import { toldCaptions } from './told-captions.ts';
import { trainedFile, trainedModel } from './trained.ts';

const pictures = new PictureSet();
const kept = openKeptRuns();
let session: Session | undefined;

const say = (message: FromTrainer): void => postMessage(message);

void list();
void gpuFacts().then((facts) => {
  say({ kind: 'gpu', gpu: facts ? { name: facts.name, isSoftware: facts.isSoftware } : null });
});
addEventListener('message', ({ data }: MessageEvent<ToTrainer>) => {
  if (data.kind === 'read') void read(data);
  else if (data.kind === 'check') check(data);
  else if (data.kind === 'train') void train(data);
  else if (data.kind === 'resume') void reporting(async () => session?.train(data.device));
  else if (data.kind === 'list') void list();
  else if (data.kind === 'open') void open(data.name);
  else if (data.kind === 'remove') void remove(data.name);
  else if (data.kind === 'stop') session?.stop();
  else if (data.kind === 'take' || data.kind === 'download' || data.kind === 'zip') void give(data.kind);
  else if (data.kind === 'saveAgain' || data.kind === 'doWithout') session?.answer(data.kind);
  else session?.ask(data.kind);
});

async function reporting(use: () => Promise<void> | undefined): Promise<void> {
  try {
    await use();
  } catch (error) {
    say({ kind: 'failed', message: (error as Error).message });
  }
}

async function read({ given, form }: ToTrainer & { kind: 'read' }): Promise<void> {
  try {
    const found = await pictures.read(given, form, (done, total) => say({ kind: 'reading', done, total }));
    if (found) say({ kind: 'read', found });
  } catch (error) {
    say({ kind: 'unread', message: (error as Error).message });
  }
}

/** Whether such a training could begin, and how large its model is. */
function check({ settings, shared }: ToTrainer & { kind: 'check' }): void {
  let parameters: number | null = null;
  let captions: Checked['captions'] = null;
  try {
    const { size, channels } = formOf(settings, shared?.manifest);
    const labels = labelsOf(settings, pictures.classes, shared?.manifest);
    if (labels) checkLabels(pictures.classes, labels);
    captions = toldCaptions(settings, pictures, shared?.manifest)?.report ?? null;
    const facts = {
      name: 'pictures of this device',
      count: captions?.count ?? pictures.count,
      shape: [channels, ...size],
      ...(labels && { classes: labels.classNames.length, classNames: labels.classNames }),
      ...(captions && { captions: true }),
    };
    const config = configOf(settings, facts, { shared: shared?.manifest, isSlow: false });
    parameters = countParameters(createModel(config.model));
    if (captions?.count === 0)
      throw new RectiflowError('data', 'no picture has a caption: say what they are');
    say({ kind: 'checked', parameters, problem: null, captions });
  } catch (error) {
    say({ kind: 'checked', parameters, problem: (error as Error).message, captions });
  }
}

async function train({ settings, shared, device }: ToTrainer & { kind: 'train' }): Promise<void> {
  await reporting(async () => {
    leave();
    session = await Session.begin(settings, shared, pictures, {
      runs: (await kept).runs,
      say,
      chosen: device,
    });
    await list();
    await session.train(device);
  });
  await list();
}

async function give(kind: 'take' | 'download' | 'zip'): Promise<void> {
  if (session === undefined) return;
  const { run } = session;
  await answering(async () => {
    if (kind === 'zip') {
      const file = await new Response(await zipOf(run.held!)).blob();
      return say({ kind: 'file', name: `${run.held!.run.config.name}.zip`, file });
    }
    const saved = await session!.latest();
    if (kind === 'take') return say({ kind: 'taken', files: await trainedModel(saved, run) });
    const file = await trainedFile(saved, run);
    say({ kind: 'file', name: `model-step-${saved.step}.safetensors`, file });
  });
}

async function answering(use: () => Promise<void>): Promise<void> {
  try {
    await use();
  } catch (error) {
    say({ kind: 'refused', message: (error as Error).message });
  }
}

async function list(): Promise<void> {
  const { runs, lostBecause } = await kept;
  const room = (await runs?.room()) ?? null;
  const current = session?.run.held?.run.config.name ?? null;
  say({ kind: 'list', runs: (await runs?.list()) ?? [], lostBecause: lostBecause ?? null, room, current });
}

async function open(name: string): Promise<void> {
  await answering(async () => {
    leave();
    session = new Session(await openRun(name, (await kept).runs!), say);
    say({ kind: 'opened', ...(await openedRun(session.run)) });
  });
  await list();
}

async function remove(name: string): Promise<void> {
  await answering(async () => {
    if (session?.run.held?.run.config.name === name) leave();
    await (await kept).runs!.remove(name);
    session?.answer('saveAgain');
  });
  await list();
}

/** Lets other tabs have what this one worked on. */
function leave(): void {
  session?.run.release();
  session = undefined;
}
