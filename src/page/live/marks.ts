// What of a run's files has changed since the last look, by what the system says of them: little, so that it can be asked often.
import { statSync } from 'node:fs';
import { join } from 'node:path';

/** Parts of a run's folder that are told about. `state`: who holds the run, and whether that waits. */
export type Part = 'records' | 'notices' | 'steering' | 'pictures' | 'checkpoints' | 'state';

export const allParts: readonly Part[] = [
  'records',
  'notices',
  'steering',
  'pictures',
  'checkpoints',
  'state',
];

/** What changes with each part. */
const paths: Readonly<Record<Part, readonly string[]>> = {
  records: ['metrics.jsonl'],
  notices: ['notices.log'],
  steering: ['events.jsonl'],
  pictures: ['samples'],
  checkpoints: ['checkpoints'],
  // Locks are files in the folder itself.
  state: ['.', 'steering'],
};

/** A process that is killed changes no file: in milliseconds. */
const stateMs = 3000;
/** A picture is written after its file was made; one that is not whole by then is looked at when another is made. */
const pictureMs = 10_000;

export class Marks {
  readonly #run: string;
  readonly #marks = new Map<Part, string>();
  readonly #changed = new Map<Part, number>();
  readonly #again = new Set<Part>();
  #asked = -Infinity;

  constructor(run: string) {
    this.#run = run;
  }

  /** @param now milliseconds */
  changed(now: number): Part[] {
    const parts = allParts.filter((part) => this.#hasChanged(part, now));
    if (parts.includes('state')) this.#asked = now;
    return parts;
  }

  /** What is not all there yet is looked at in the next look as well. */
  again(part: Part): void {
    this.#again.add(part);
  }

  #hasChanged(part: Part, now: number): boolean {
    const isAgain = this.#again.delete(part);
    const mark = paths[part].map((path) => markOf(join(this.#run, path))).join(' ');
    const isOther = this.#marks.get(part) !== mark;
    this.#marks.set(part, mark);
    if (isOther) this.#changed.set(part, now);
    if (part === 'state') return isOther || now - this.#asked >= stateMs;
    return isOther || (isAgain && now - this.#changed.get(part)! < pictureMs);
  }
}

function markOf(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path);
    return `${ino}:${size}:${mtimeMs}`;
  } catch {
    return '-';
  }
}
