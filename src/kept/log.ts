import { othersTurn } from '../tensor/turn.ts';
import { printable } from '../tensor/printable.ts';
import { fileError } from '../tensor/errors.ts';
import type { StepMetrics } from '../train/metrics.ts';
import type { RunLog } from '../train/run-log.ts';
import { refusal } from './checkpoints.ts';
import type { KeptFolder } from './folder.ts';
import { METRICS, NOTICES, noticeLine } from './layout.ts';
import { bytesUpTo, formatRecord } from './metrics-lines.ts';

export interface KeptLogOptions {
  readonly folder: KeptFolder;
  /** As `RunStore.check`. */
  readonly check: () => Promise<void>;
  /** Told when a line cannot be written, once. */
  readonly onNotice: (text: string) => void;
}

/** Writes metrics.jsonl and notices.log of a run. A line that cannot be written must not end a training. */
export class KeptLog implements RunLog {
  readonly #options: KeptLogOptions;
  #writing: Promise<void> = Promise.resolve();
  #hasFailed = false;

  private constructor(options: KeptLogOptions) {
    this.#options = options;
  }

  /** Opens the log to go on after `step`: what was written past the checkpoint that the run resumes from is dropped. */
  static async open(options: KeptLogOptions, step: number): Promise<KeptLog> {
    const log = new KeptLog(options);
    await log.goBack(step);
    return log;
  }

  async append(metrics: StepMetrics): Promise<void> {
    await this.#options.check();
    await this.#add(METRICS, formatRecord({ ...metrics }));
    // A step of a program never waits: messages to a worker would.
    await othersTurn();
  }

  async goBack(step: number): Promise<void> {
    const { folder } = this.#options;
    const lines = await folder.read(METRICS);
    if (lines === undefined) return;
    const end = bytesUpTo(lines, step);
    if (end < lines.length) await folder.write(METRICS, [lines.subarray(0, end)]);
  }

  notice(step: number, text: string): void {
    void this.#add(NOTICES, noticeLine(step, printable(text)));
  }

  sync(): Promise<void> {
    return this.#writing;
  }

  close(): Promise<void> {
    return this.#writing;
  }

  /** One after the other. */
  #add(file: string, line: string): Promise<void> {
    const { folder, onNotice } = this.#options;
    const bytes = new TextEncoder().encode(line);
    this.#writing = this.#writing
      .then(() => folder.append(file, bytes))
      .catch((error: unknown) => {
        if (this.#hasFailed) return;
        this.#hasFailed = true;
        const { problem, advice } = refusal(error, bytes.length);
        const told = `a line cannot be written: ${problem}; training goes on, and lines will be missing`;
        onNotice(fileError(`${folder.path}/${file}`, told, advice, error).message);
      });
    return this.#writing;
  }
}
