// Tabs of a real browser of which one alone is seen, as a user has them: Playwright lets all its pages believe that they are in front.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryFolder } from './cli.ts';

export interface Tab {
  /** What an expression is in the page, awaited there. */
  evaluate<T>(expression: string): Promise<T>;
  /** Brings it in front of the others. */
  show(): Promise<void>;
}

export interface Tabs {
  /** In front of the others, which are hidden from then on. */
  open(url: string): Promise<Tab>;
  close(): Promise<void>;
}

interface Answer {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

interface Evaluated<T> {
  readonly result: { readonly value: T; readonly description?: string };
  readonly exceptionDetails?: object;
}

/** @param executable a chromium */
export async function openTabs(executable: string, flags: readonly string[]): Promise<Tabs> {
  const folder = await temporaryFolder();
  // Root has no sandbox; nothing of another machine is opened here.
  const own = ['--headless=new', '--no-sandbox', '--no-first-run', '--remote-debugging-pipe'];
  const browser = spawn(executable, [...own, `--user-data-dir=${folder}/profile`, ...flags, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const [, , , commands, answers] = browser.stdio as unknown as [null, null, null, Writable, Readable];
  const waiting = new Map<number, (answer: Answer) => void>();
  let [text, count] = ['', 0];
  answers.setEncoding('utf8').on('data', (more: string) => {
    const messages = (text + more).split('\0');
    text = messages.pop()!;
    for (const message of messages) {
      const answer = JSON.parse(message) as Answer;
      if (answer.id !== undefined) waiting.get(answer.id)?.(answer);
    }
  });
  const send = <T>(method: string, params: object, sessionId?: string): Promise<T> =>
    new Promise((resolve, reject) => {
      const id = ++count;
      waiting.set(id, ({ result, error }) => {
        waiting.delete(id);
        if (error) reject(new Error(`${method}: ${error.message}`));
        else resolve(result as T);
      });
      commands.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  return {
    async open(url) {
      const { targetId } = await send<{ targetId: string }>('Target.createTarget', { url });
      const attach = { targetId, flatten: true };
      const { sessionId } = await send<{ sessionId: string }>('Target.attachToTarget', attach);
      const tab: Tab = {
        async evaluate<T>(expression: string): Promise<T> {
          const asked = { expression, awaitPromise: true, returnByValue: true };
          const { result, exceptionDetails } = await send<Evaluated<T>>('Runtime.evaluate', asked, sessionId);
          if (exceptionDetails) throw new Error(`${expression}: ${result.description}`);
          return result.value;
        },
        show: () => send('Target.activateTarget', { targetId }),
      };
      while (
        !(await tab.evaluate<boolean>(`document.readyState === 'complete' && location.href === '${url}'`))
      )
        await sleep(20);
      return tab;
    },
    async close() {
      const closed = once(browser, 'close');
      browser.kill();
      await closed;
    },
  };
}
