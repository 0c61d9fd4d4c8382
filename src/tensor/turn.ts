/**
 * Resolves when everything else that waits has had its turn: timers, signals, messages. Work that never waits would starve them.
 * Browsers, workers and Node.js all have this way; `setTimeout` takes a millisecond or more.
 */
export function othersTurn(): Promise<void> {
  return new Promise((resolve) => {
    // A channel that stays open hands over a thousand messages at a time, before any timer.
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(undefined);
  });
}
