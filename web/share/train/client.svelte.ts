// The training as the page sees it: what its worker has said, and what is asked of it.
import type { SharedFiles } from '../../../src/share/read.ts';
import type { StepMetrics } from '../../../src/train/metrics.ts';
import type { TrainingConfig } from '../../../src/train/settings.ts';
import type { DeviceChoice } from '../device-choice.svelte.ts';
import { persist } from '../kept/persist.ts';
import { save } from '../save.ts';
import { HiddenPace } from './hidden-pace.ts';
import type { FoundPictures, GivenPicture, PictureForm } from './pictures.ts';
import type { SaveAnswer } from './patient-store.ts';
import type {
  Checked,
  FromTrainer,
  KeptList,
  SampleFrame,
  SharedOrigin,
  Started,
  ToTrainer,
} from './protocol.ts';
import type { TrainSettings } from './settings.ts';

export type TrainState =
  | 'idle'
  | 'preparing'
  | 'training'
  | 'paused'
  | 'stopping'
  | 'finished'
  | 'stopped'
  | 'failed';

/** Notices that are shown, of the newest. */
const mostNotices = 50;

export class TrainClient {
  state: TrainState = $state('idle');
  given: readonly GivenPicture[] = $state.raw([]);
  reading: { readonly done: number; readonly total: number } | null = $state.raw(null);
  found: FoundPictures | null = $state.raw(null);
  unread: string | null = $state(null);
  checked: Checked | null = $state.raw(null);
  started: Started | null = $state.raw(null);
  /** Of the training that is shown. */
  config: TrainingConfig | null = $state.raw(null);
  kept: KeptList | null = $state.raw(null);
  metrics: readonly StepMetrics[] = $state.raw([]);
  samples: readonly SampleFrame[] = $state.raw([]);
  notices: readonly string[] = $state.raw([]);
  /** The step of the last checkpoint. */
  saved: number | null = $state(null);
  /** Why the last checkpoint could not be saved: it waits in memory. */
  unsaved: string | null = $state(null);
  /** Why training ended too early, and why something else that was asked could not be had. */
  error: string | null = $state(null);
  refused: string | null = $state(null);
  /** Told of the trained model. */
  readonly #onTaken: (files: SharedFiles) => void;
  readonly #device: DeviceChoice;
  #pace = new HiddenPace();
  readonly #worker = new Worker(new URL('./trainer-worker.ts', import.meta.url), {
    type: 'module',
    name: 'training',
  });

  constructor(device: DeviceChoice, onTaken: (files: SharedFiles) => void) {
    this.#device = device;
    this.#onTaken = onTaken;
    this.#worker.addEventListener('message', ({ data }: MessageEvent<FromTrainer>) => this.#hear(data));
    this.#worker.addEventListener('error', ({ message }) => {
      this.state = 'failed';
      this.error = message || 'the worker that trains could not be started';
    });
  }

  /** Whether it would be lost with the tab. */
  get isBusy(): boolean {
    return ['preparing', 'training', 'paused', 'stopping'].includes(this.state);
  }

  read(given: readonly GivenPicture[], form: PictureForm): void {
    this.given = given;
    this.unread = null;
    this.reading = given.length > 0 ? { done: 0, total: given.length } : null;
    this.#send({ kind: 'read', given, form });
  }

  check(settings: TrainSettings, shared: SharedOrigin | undefined): void {
    this.#send({ kind: 'check', settings, shared });
  }

  train(settings: TrainSettings, shared: SharedOrigin | undefined): void {
    this.#forget();
    void persist();
    this.#begin({ kind: 'train', settings, shared, device: this.#device.chosen });
  }

  /** Takes up a run that is kept, without training it. */
  open(name: string): void {
    this.#forget();
    this.#send({ kind: 'open', name });
  }

  remove(name: string): void {
    if (name === this.kept?.current) this.#forget();
    this.#send({ kind: 'remove', name });
  }

  /** To the last step, after it was stopped or failed. */
  resume(): void {
    this.#begin({ kind: 'resume', device: this.#device.chosen });
  }

  ask(kind: 'pause' | 'goOn' | 'save' | 'stop' | 'take' | 'download' | 'zip'): void {
    this.refused = null;
    if (kind === 'stop') this.state = 'stopping';
    this.#send({ kind });
  }

  /** What to do about a checkpoint that waits. */
  answer(kind: SaveAnswer): void {
    this.unsaved = null;
    this.#send({ kind });
  }

  #forget(): void {
    [this.started, this.config, this.saved] = [null, null, null];
    [this.metrics, this.samples, this.notices] = [[], [], []];
    [this.error, this.refused, this.unsaved] = [null, null, null];
    this.state = 'idle';
  }

  #begin(message: ToTrainer): void {
    this.state = 'preparing';
    this.#pace = new HiddenPace();
    [this.error, this.refused] = [null, null];
    this.#send(message);
  }

  #hear(message: FromTrainer): void {
    switch (message.kind) {
      case 'gpu':
        this.#device.found(message.gpu);
        break;
      case 'reading':
        this.reading = message;
        break;
      case 'read':
        [this.found, this.reading] = [message.found, null];
        break;
      case 'unread':
        [this.found, this.unread, this.reading] = [null, message.message, null];
        break;
      case 'checked':
        this.checked = message;
        break;
      case 'started':
        this.started = message;
        this.config = message.config;
        if (this.state !== 'stopping') this.state = 'training';
        break;
      case 'step':
        // After a device was lost some steps are done once more.
        this.metrics = [...this.metrics.filter(({ step }) => step < message.metrics.step), message.metrics];
        this.#notice(this.#pace.add(message.metrics.samplesPerSecond, document.visibilityState === 'hidden'));
        break;
      case 'samples':
        this.samples = [...this.samples.filter(({ step }) => step < message.step), message];
        break;
      case 'notice':
        this.#notice(message.text);
        break;
      case 'lost':
        this.#notice(message.text);
        if (this.state !== 'stopping') this.state = 'preparing';
        break;
      case 'saved':
        this.saved = message.step;
        this.unsaved = null;
        break;
      case 'unsaved':
        this.unsaved = message.message;
        break;
      case 'paused':
      case 'training':
        if (this.state !== 'stopping') this.state = message.kind;
        break;
      case 'ended':
        this.state = message.isFinished ? 'finished' : 'stopped';
        break;
      case 'failed':
        [this.state, this.error, this.unsaved] = ['failed', message.message, null];
        break;
      case 'refused':
        this.refused = message.message;
        break;
      case 'list':
        this.kept = message;
        break;
      case 'opened':
        this.config = message.config;
        [this.metrics, this.samples, this.saved] = [message.metrics, message.samples, message.step];
        this.state = message.step === message.config.train.steps ? 'finished' : 'stopped';
        break;
      case 'taken':
        this.#onTaken(message.files);
        break;
      case 'file':
        save(message.file, message.name);
        break;
      default:
        message satisfies never;
    }
  }

  #notice(text: string | undefined): void {
    if (text !== undefined) this.notices = [...this.notices, text].slice(-mostNotices);
  }

  #send(message: ToTrainer): void {
    this.#worker.postMessage(message);
  }
}
