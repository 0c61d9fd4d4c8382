// Looks at the files of a run as long as somebody wants to hear of them, once for all who do.
import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { LiveEvent, LivePosition, RunSummary } from '../contract.ts';
import { type RunPlace, placeOf } from '../run-place.ts';
import type { Summaries } from '../run-summary.ts';
import { changesSince } from './changes.ts';
import { Marks, type Part, allParts } from './marks.ts';
import { type Position, currentPosition, formatPosition, parsePosition } from './position.ts';

/** An event with what it is gone on after with. */
export interface SentEvent {
  readonly id: LivePosition;
  readonly event: LiveEvent;
}

/** Who hears of a run. */
export interface Listener {
  send(events: readonly SentEvent[]): void;
  /** Nothing more will be sent. */
  end(): void;
}

interface Hearing {
  readonly listener: Listener;
  at: Position;
  /** The state that was told last. */
  state: string;
}

/**
 * What the system tells of changes is waited for, so that several are one, and two looks are never closer than `leastMs`, however much
 * is written. Where it tells nothing, a look each second finds them.
 */
const gatherMs = 100;
const leastMs = 500;
const lookMs = 1000;

interface Hooks {
  /** Nobody hears of the run any more. */
  onIdle(): void;
  onLook(): void;
}

export class LiveRuns {
  readonly #runs = new Map<string, LiveRun>();
  readonly #folder: string;
  readonly #summaries: Summaries;

  /** @param folder of runs */
  constructor(folder: string, summaries: Summaries) {
    this.#folder = folder;
    this.#summaries = summaries;
  }

  /** How often runs were looked at, for tests. */
  looks = 0;

  /** How many runs are looked at. */
  get watched(): number {
    return this.#runs.size;
  }

  /**
   * @param after where to go on; from now on where it is left out, or is none
   * @returns ends it
   */
  listen(place: RunPlace, after: LivePosition | undefined, listener: Listener): () => void {
    const key = place.path;
    const run =
      this.#runs.get(key) ??
      new LiveRun(this.#folder, place, this.#summaries, {
        onIdle: () => this.#runs.delete(key),
        onLook: () => this.looks++,
      });
    this.#runs.set(key, run);
    return run.listen(after === undefined ? undefined : parsePosition(after), listener);
  }

  /** Ends all of them. */
  close(): void {
    for (const run of this.#runs.values()) run.close();
  }
}

class LiveRun {
  readonly #folder: string;
  readonly #place: RunPlace;
  readonly #summaries: Summaries;
  readonly #hooks: Hooks;
  readonly #hearings = new Set<Hearing>();
  readonly #watchers: FSWatcher[];
  readonly #timer: NodeJS.Timeout;
  readonly #marks: Marks;
  #soon: NodeJS.Timeout | undefined;
  #looked = -Infinity;
  #last: Promise<void> = Promise.resolve();
  #isClosed = false;
  #summary: RunSummary | undefined;

  constructor(folder: string, place: RunPlace, summaries: Summaries, hooks: Hooks) {
    this.#folder = folder;
    this.#place = place;
    this.#summaries = summaries;
    this.#hooks = hooks;
    this.#marks = new Marks(place.path);
    this.#watchers = ['.', 'samples', 'checkpoints'].flatMap((part) => this.#watch(join(place.path, part)));
    this.#timer = setInterval(() => {
      if (this.#soon === undefined && performance.now() - this.#looked >= leastMs) this.#look();
    }, lookMs).unref();
  }

  listen(after: Position | undefined, listener: Listener): () => void {
    let hearing: Hearing | undefined;
    let isOver = false;
    this.#next(async () => {
      if (isOver) return;
      hearing = { listener, at: after ?? (await currentPosition(this.#place.path)), state: '' };
      this.#hearings.add(hearing);
      await this.#tell();
    });
    return () => {
      isOver = true;
      if (hearing) this.#hearings.delete(hearing);
      // Only once who came before this is heard.
      this.#next(async () => {
        if (this.#hearings.size === 0) this.close();
      });
    };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    for (const watcher of this.#watchers) watcher.close();
    for (const { listener } of this.#hearings) listener.end();
    this.#hearings.clear();
    this.#hooks.onIdle();
  }

  /** A folder that cannot be watched is only looked at. */
  #watch(path: string): FSWatcher[] {
    try {
      const watcher = watch(path, { persistent: false }, () => {
        const wait = Math.max(gatherMs, this.#looked + leastMs - performance.now());
        this.#soon ??= setTimeout(() => {
          this.#soon = undefined;
          this.#look();
        }, wait).unref();
      });
      return [watcher.on('error', () => watcher.close())];
    } catch {
      return [];
    }
  }

  #look(): void {
    if (this.#hearings.size > 0) this.#next(() => this.#tell());
  }

  /** One after the other. */
  #next(work: () => Promise<void>): void {
    this.#last = this.#last.then(() => (this.#isClosed ? undefined : work())).catch(() => this.#end());
  }

  /** Tells everybody what is new to them. */
  async #tell(): Promise<void> {
    this.#hooks.onLook();
    this.#looked = performance.now();
    const parts = this.#marks.changed(this.#looked);
    const isNew = [...this.#hearings].some(({ state }) => state === '');
    if (parts.length === 0 && !isNew) return;
    if (isNew || parts.includes('state')) {
      const { name, path } = this.#place;
      const found = await placeOf(this.#folder, name);
      if (found.path !== path) return this.#end();
      this.#summary = await this.#summaries.of(found);
    }
    for (const together of this.#alike()) await this.#tellThem(together, parts);
  }

  /** @param together who have heard as much */
  async #tellThem(together: readonly Hearing[], parts: readonly Part[]): Promise<void> {
    const { at, state: before } = together[0]!;
    const isFirst = before === '';
    const { changes, waiting } = await changesSince(this.#place.path, at, isFirst ? allParts : parts);
    if (waiting) this.#marks.again('pictures');
    const sent = changes.map(({ event, at: after }) => ({ event, id: formatPosition(after) }));
    const last = changes.at(-1)?.at ?? at;
    const summary = this.#summary!;
    const state = stateOf(summary);
    const isOther = before !== state;
    const told: SentEvent = { event: { type: 'state', summary }, id: formatPosition(isFirst ? at : last) };
    // The first one goes before what is new, whose place it must not skip.
    const events = isFirst ? [told, ...sent] : isOther ? [...sent, told] : sent;
    for (const hearing of together) {
      hearing.at = last;
      hearing.state = state;
      if (events.length > 0) hearing.listener.send(events);
    }
  }

  /** Those who have heard as much, together. */
  #alike(): Hearing[][] {
    const groups = new Map<string, Hearing[]>();
    for (const hearing of this.#hearings) {
      const key = `${formatPosition(hearing.at)} ${hearing.state}`;
      const group = groups.get(key);
      if (group) group.push(hearing);
      else groups.set(key, [hearing]);
    }
    return [...groups.values()];
  }

  /** The run is no longer there. */
  #end(): void {
    const sentence = `The run "${this.#place.name}" is gone: it was deleted or renamed, or cannot be read any more.`;
    for (const { listener, at } of this.#hearings)
      listener.send([{ event: { type: 'gone', sentence }, id: formatPosition(at) }]);
    this.close();
  }
}

function stateOf({ state, steps }: RunSummary): string {
  return JSON.stringify([state, steps]);
}
