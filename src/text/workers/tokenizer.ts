// A tokenizer.json, of which nobody knows what its patterns cost.
import { Tokenizer } from '@huggingface/tokenizers';
import { serve } from './serve.ts';

/** What `parseTokenizer` asks of the worker. */
export interface TokenizerCalls {
  /** One more than the largest token; 0 without any. */
  vocabulary(): number;
  encode(caption: string): number[];
}

/** The largest in use have a million tokens; there are tables of so many rows. */
const mostTokens = 2 ** 22;

serve((text: string): { [Name in keyof TokenizerCalls]: TokenizerCalls[Name] } => {
  const json = attempt('is no JSON', () => JSON.parse(text) as object);
  checkNumbers(json);
  const encoder = attempt('is no tokenizer.json that can be used', () => new Tokenizer(json, {}));
  return {
    vocabulary: () => 1 + [...encoder.get_vocab().values()].reduce((most, id) => Math.max(most, id), -1),
    encode: (caption) => encoder.encode(caption).ids,
  };
});

function attempt<T>(problem: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new Error(`${problem}: ${(error as Error).message}`, { cause: error });
  }
}

/** The library makes a list as long as the largest number. */
function checkNumbers(json: unknown): void {
  const { model, added_tokens: added } = (json ?? {}) as {
    model?: { vocab?: unknown };
    added_tokens?: unknown;
  };
  const vocabulary = model?.vocab;
  const numbers: [unknown, unknown][] = [
    ...(typeof vocabulary === 'object' && vocabulary !== null && !Array.isArray(vocabulary)
      ? Object.entries(vocabulary)
      : []),
    ...(Array.isArray(added)
      ? added.map(
          (token: { content?: unknown; id?: unknown } | null) =>
            [token?.content, token?.id] as [unknown, unknown],
        )
      : []),
  ];
  const wrong = numbers.find(
    ([, id]) => !(Number.isInteger(id) && (id as number) >= 0 && (id as number) < mostTokens),
  );
  if (wrong === undefined) return;
  const [token, id] = wrong.map((value) => JSON.stringify(value));
  throw new Error(
    `gives the token ${token} the number ${id}, wanted a whole number from 0 to ${mostTokens - 1}`,
  );
}
