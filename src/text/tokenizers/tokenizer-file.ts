import { readText } from '../../host/read-file.ts';
import { RectiflowError, fileError } from '../../tensor/errors.ts';
import { type CallLimit, Stoppable } from '../workers/stoppable.ts';
import type { TokenizerCalls } from '../workers/tokenizer.ts';
import { type Tokenizer, endAt } from '../../tokenizers/tokenizer.ts';

const ADVICE = 'Take the tokenizer.json of a text model on the Hugging Face hub, such as CLIP';

/** Those of a million tokens have forty million. */
const MOST_BYTES = 128 << 20;
const mostSecondsToOpen = 30;
const mostSecondsToEncode = 5;
/** Captions that it was stopped at, after which it is given up. */
const mostSlow = 3;

/**
 * The tokenizer that a tokenizer.json of the Hugging Face form describes. Its own settings of padding and truncation do not
 * matter. It runs in a thread that is stopped where a caption takes it more than seconds.
 * @param length tokens of a caption (77 for CLIP), with those that begin and end it
 * @throws RectiflowError where the file cannot be read, is none of this form, or does not end a caption with a token
 */
export async function readTokenizer(path: string, length: number): Promise<Tokenizer> {
  return parseTokenizer(await readText(path, 'Check the path', MOST_BYTES), path, length);
}

/**
 * The same for a file that is in memory.
 * @param origin how errors call it
 */
export async function parseTokenizer(text: string, origin: string, length: number): Promise<Tokenizer> {
  const worker = new Stoppable<TokenizerCalls>('tokenizer', text);
  try {
    return await openIn(worker, origin, length);
  } catch (error) {
    // Nobody else knows of the thread.
    worker.close();
    throw error;
  }
}

async function openIn(worker: Stoppable<TokenizerCalls>, origin: string, length: number): Promise<Tokenizer> {
  const fail = (problem: string, cause?: unknown): never => {
    throw fileError(origin, problem, ADVICE, cause);
  };
  let slow = 0;
  const tooLong = (what: string, seconds: number): CallLimit => ({
    seconds,
    tooLong: () => {
      slow++;
      return fileError(origin, `took more than ${seconds} s to ${what}, and was stopped`, ADVICE);
    },
  });
  const vocabulary = await worker
    .call('vocabulary', [], tooLong('be read', mostSecondsToOpen))
    .catch((error: unknown) => {
      if (error instanceof RectiflowError) throw error;
      return fail((error as Error).message, error);
    });
  const encode = (caption: string): number[] => {
    const shown = JSON.stringify(brief(caption));
    // Each of a whole set may be one: they are not waited for one after the other.
    if (slow >= mostSlow) fail(`was stopped at ${mostSlow} captions, and is not tried with ${shown}`);
    try {
      return worker.callSync('encode', [caption], tooLong(`encode ${shown}`, mostSecondsToEncode));
    } catch (error) {
      if (error instanceof RectiflowError) throw error;
      return fail(`cannot encode ${shown}: ${(error as Error).message}`, error);
    }
  };

  const empty = encode('');
  const end = empty.at(-1);
  if (end === undefined) {
    return fail('has no post_processor that ends a caption with a token of its own');
  }
  if (length < empty.length + 1) {
    const problem = `begins and ends captions with ${empty.length} tokens, so they need ${empty.length + 1}`;
    throw fileError(origin, `${problem}, found ${length}`, 'Raise model.text.length');
  }
  return {
    name: origin,
    vocabulary,
    length,
    encode(caption) {
      const ids = encode(caption);
      const unknown = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < vocabulary));
      if (unknown >= 0) {
        fail(`has no token for a part of ${JSON.stringify(brief(caption))}, and none for what is unknown`);
      }
      return endAt(length, ids.slice(0, -1), end);
    },
  };
}

/** The beginning of a caption, for a message. */
function brief(caption: string): string {
  return caption.length > 60 ? `${caption.slice(0, 60)}...` : caption;
}
