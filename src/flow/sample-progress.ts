/** A share of the way that is surely done when nothing is known yet: keeps the first estimates of the total finite. */
const leastShare = 0.01;

/** Counts evaluations of the velocity and tells how many there will be. */
export class SampleProgress {
  readonly #batches: number;
  readonly #perBatch: number | undefined;
  readonly #onProgress: ((done: number, total: number) => void) | undefined;
  #done = 0;
  #batch = 0;
  #covered = 0;

  /** @param perBatch evaluations of a batch; where it is undefined, the share of the way that is done tells how many to expect */
  constructor(
    batches: number,
    perBatch: number | undefined,
    onProgress: ((done: number, total: number) => void) | undefined,
  ) {
    this.#batches = batches;
    this.#perBatch = perBatch;
    this.#onProgress = onProgress;
  }

  evaluated(): void {
    this.#done++;
    this.#onProgress?.(
      this.#done,
      this.#perBatch === undefined ? this.#estimate() : this.#batches * this.#perBatch,
    );
  }

  /** Of the batch that is being made. */
  cover(share: number): void {
    this.#covered = share;
  }

  endBatch(): void {
    this.#batch++;
    this.#covered = 0;
  }

  /** An estimate has to come true in the end. */
  end(): void {
    if (this.#perBatch === undefined) this.#onProgress?.(this.#done, this.#done);
  }

  #estimate(): number {
    const share = Math.max(leastShare, (this.#batch + this.#covered) / this.#batches);
    return Math.max(this.#done + 1, Math.round(this.#done / share));
  }
}
