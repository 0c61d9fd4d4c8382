// The model as the page sees it: what the worker has said, and what is asked of it.
import type { SharedFiles } from '../../src/share/read.ts';
import type { DeviceName } from './device-names.ts';
import type { Frame, FromWorker, MakeRequest, Ready, ToWorker } from './protocol.ts';

/** Samples that are being made, or were: where they are after each step. */
export class Film {
  readonly request: MakeRequest;
  /** By steps done; those before the first of a film that began on the way are of the film before. */
  frames: readonly Frame[] = $state.raw([]);
  state: 'making' | 'done' | 'stopped' | 'failed' = $state('making');
  seconds: number | null = $state(null);
  error: string | null = $state(null);
  /** What happened on the way. */
  notice: string | null = $state(null);
  readonly #before: readonly Frame[];

  constructor(request: MakeRequest, before: readonly Frame[] = []) {
    this.request = request;
    this.#before = before;
    this.frames = before;
  }

  /** All is made once more. */
  again(why: string): void {
    this.frames = this.#before;
    this.notice = why;
  }

  get progress(): number {
    return Math.max(0, this.frames.length - 1) / this.request.steps;
  }
}

export class ModelClient {
  ready: Ready | null = $state.raw(null);
  loading: { readonly bytes: number; readonly total: number } | null = $state.raw(null);
  error: string | null = $state(null);
  readonly #worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  readonly #films = new Map<number, Film>();
  #next = 1;

  /**
   * @param from an address below which a shared model lies, or one that is at hand
   * @param device undefined for the fastest
   */
  constructor(from: string | SharedFiles, device: DeviceName | undefined) {
    this.#worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => this.#hear(data));
    this.#worker.addEventListener('error', ({ message }) => {
      this.error = message || 'the worker could not be started';
    });
    this.#send({ kind: 'open', from, device });
  }

  /** @param before frames of the film that this one goes on from */
  make(request: MakeRequest, before: readonly Frame[] = []): Film {
    const id = this.#next++;
    const film = new Film(request, before);
    this.#films.set(id, film);
    this.#send({ kind: 'make', id, request });
    return film;
  }

  stop(film: Film): void {
    for (const [id, each] of this.#films) {
      if (each !== film) continue;
      this.#send({ kind: 'stop', id });
      this.#films.delete(id);
      if (film.state === 'making') film.state = 'stopped';
    }
  }

  /** Goes over to another device; what is being made is stopped. @param device undefined for the fastest */
  use(device: DeviceName | undefined): void {
    for (const film of this.#films.values()) this.stop(film);
    this.error = null;
    this.#send({ kind: 'use', device });
  }

  close(): void {
    this.#worker.terminate();
  }

  #hear(message: FromWorker): void {
    if (message.kind === 'loading') this.loading = message;
    if (message.kind === 'ready') this.ready = message;
    if (message.kind === 'failed' && message.id === null) this.error = message.message;
    if (!('id' in message) || message.id === null) return;
    const film = this.#films.get(message.id);
    if (film === undefined) return;
    if (message.kind === 'frame') film.frames = [...film.frames, message.frame];
    if (message.kind === 'done') film.seconds = message.seconds;
    if (message.kind === 'failed') film.error = message.message;
    if (message.kind === 'again') film.again(message.message);
    if (message.kind === 'frame' || message.kind === 'again') return;
    film.state = message.kind;
    this.#films.delete(message.id);
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }
}
