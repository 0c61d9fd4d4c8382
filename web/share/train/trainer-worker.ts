// Pictures and their training, in a thread of its own: the page stays free, and a hidden tab goes on.
import { countParameters } from '../../../src/models/model.ts';
import { createModel } from '../../../src/train/create-model.ts';
import { configOf } from './config.ts';
import { hasGpu } from './has-gpu.ts';
import { labelsOf } from './labels.ts';
import { PictureSet, checkLabels } from './picture-set.ts';
import type { FromTrainer, ToTrainer } from './protocol.ts';
import { Session } from './session.ts';
import { formOf } from './settings.ts';
import { trainedFile, trainedModel } from './trained.ts';

const pictures = new PictureSet();
let session: Session | undefined;

const say = (message: FromTrainer): void => postMessage(message);

void hasGpu().then((value) => say({ kind: 'hasGpu', value }));
addEventListener('message', ({ data }: MessageEvent<ToTrainer>) => {
  if (data.kind === 'read') void read(data);
  else if (data.kind === 'check') check(data);
  else if (data.kind === 'train') void train(data);
  else if (data.kind === 'resume') void reporting(async () => session?.train());
  else if (data.kind === 'stop') session?.stop();
  else if (data.kind === 'take' || data.kind === 'download') void give(data.kind);
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
  try {
    const { size, channels } = formOf(settings, shared?.manifest);
    const labels = labelsOf(settings, pictures.classes, shared?.manifest);
    if (labels) checkLabels(pictures.classes, labels);
    const facts = {
      name: 'pictures of this device',
      count: pictures.count,
      shape: [channels, ...size],
      ...(labels && { classes: labels.classNames.length, classNames: labels.classNames }),
    };
    const config = configOf(settings, facts, { shared: shared?.manifest, isSlow: false });
    parameters = countParameters(createModel(config.model));
    say({ kind: 'checked', parameters, problem: null });
  } catch (error) {
    say({ kind: 'checked', parameters, problem: (error as Error).message });
  }
}

async function train({ settings, shared }: ToTrainer & { kind: 'train' }): Promise<void> {
  await reporting(async () => {
    session = await Session.open(settings, shared, pictures, say);
    await session.train();
  });
}

async function give(kind: 'take' | 'download'): Promise<void> {
  if (session === undefined) return;
  try {
    const saved = await session.latest();
    if (kind === 'take') say({ kind: 'taken', files: await trainedModel(saved, session) });
    else {
      const file = await trainedFile(saved, session);
      say({ kind: 'file', name: `model-step-${saved.step}.safetensors`, file });
    }
  } catch (error) {
    say({ kind: 'refused', message: (error as Error).message });
  }
}
