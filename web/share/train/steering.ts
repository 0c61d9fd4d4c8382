// What the visitor asks of a training, between two of its steps.
import type { SteeringEvent } from '../../../src/steering/event.ts';
import type { Steering } from '../../../src/steering/steering.ts';

type Asked = 'pause' | 'goOn' | 'save';

export class TabSteering implements Steering {
  readonly events: readonly SteeringEvent[] = [];
  readonly #onTaken: (kind: Asked) => void;
  #asked: Asked[] = [];
  #count = 0;

  /** @param onTaken is told what takes effect now */
  constructor(onTaken: (kind: Asked) => void) {
    this.#onTaken = onTaken;
  }

  get isAsked(): boolean {
    return this.#asked.length > 0;
  }

  ask(kind: Asked): void {
    this.#asked.push(kind);
  }

  take(step: number): Promise<readonly SteeringEvent[]> {
    const asked = this.#asked;
    this.#asked = [];
    for (const kind of asked) this.#onTaken(kind);
    const time = new Date().toISOString();
    return Promise.resolve(
      asked.map((kind) => ({ id: String(++this.#count), step, time, kind, outcome: 'applied' as const })),
    );
  }

  /** Settings cannot be changed here. */
  keep(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}
