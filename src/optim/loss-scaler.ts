/** How the loss scale changes (Micikevicius et al. 2018, arXiv:1710.03740, section 3.2); the values are PyTorch's. */
export interface LossScaling {
  /** The scale of the first step. */
  readonly initial: number;
  /** What the scale is multiplied with after `growthInterval` updates without an overflow. */
  readonly growth: number;
  /** What it is multiplied with after an overflow; in (0, 1). */
  readonly backOff: number;
  readonly growthInterval: number;
}

/** What a checkpoint keeps of a scaler. */
export interface LossScalerState {
  readonly scale: number;
  /** Updates since the scale last changed. */
  readonly updates: number;
}

/** Below this an overflow is none of the scale's making. */
const smallestScale = 1;
/** Beyond this float32 itself would overflow before float16 did any good. */
const largestScale = 2 ** 40;

/**
 * The factor on the loss that keeps small gradients above what float16 rounds to zero: as large as it can be without
 * overflow. Powers of two leave the digits of the gradients as they are.
 */
export class LossScaler {
  readonly #scaling: LossScaling;
  #scale: number;
  #updates: number;

  /** @param state where a run goes on */
  constructor(scaling: LossScaling, state: LossScalerState = { scale: scaling.initial, updates: 0 }) {
    this.#scaling = scaling;
    this.#scale = state.scale;
    this.#updates = state.updates;
  }

  get scale(): number {
    return this.#scale;
  }

  get state(): LossScalerState {
    return { scale: this.#scale, updates: this.#updates };
  }

  /** After a step whose gradients were finite. */
  grow(): void {
    const { growth, growthInterval } = this.#scaling;
    this.#updates++;
    if (this.#updates < growthInterval) return;
    this.#scale = Math.min(this.#scale * growth, largestScale);
    this.#updates = 0;
  }

  /** After a step whose gradients were not. @returns false where a smaller scale would not help */
  backOff(): boolean {
    if (this.#scale <= smallestScale) return false;
    this.#scale = Math.max(this.#scale * this.#scaling.backOff, smallestScale);
    this.#updates = 0;
    return true;
  }
}
