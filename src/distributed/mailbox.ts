// Messages by topic: what comes before anybody listens is kept for the first who does.
type Listener = (message: unknown, from: number) => void;

export class Mailbox {
  readonly #kept = new Map<string, [message: unknown, from: number][]>();
  readonly #listeners = new Map<string, Listener>();

  deliver(topic: string, message: unknown, from: number): void {
    const listener = this.#listeners.get(topic);
    if (listener) listener(message, from);
    else this.#kept.set(topic, [...(this.#kept.get(topic) ?? []), [message, from]]);
  }

  /** @returns stops listening */
  listen(topic: string, listener: Listener): () => void {
    this.#listeners.set(topic, listener);
    const kept = this.#kept.get(topic) ?? [];
    this.#kept.delete(topic);
    for (const [message, from] of kept) listener(message, from);
    return () => {
      if (this.#listeners.get(topic) === listener) this.#listeners.delete(topic);
    };
  }
}
