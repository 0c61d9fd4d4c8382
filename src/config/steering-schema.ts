// What a run that trains may be asked, and of what form that can be.
import { z } from 'zod';
import type { SteeringRequest } from '../steering/event.ts';
import { configError, describeProblem } from '../tensor/config-error.ts';
import { describeIssues } from './config-problems.ts';
import { sampleForms } from './schema.ts';
import { above0, settings, text, variant, whole } from './schema-parts.ts';

/** A grid stays as large as it was planned for. */
const { perClass: _, gridWeights: __, ...steerable } = sampleForms;

const forms = Object.fromEntries(
  Object.entries(steerable).map(([name, schema]) => [name, withoutDefault(schema).exactOptional()]),
);
const sample = settings(forms);
const samples = settings({
  ...forms,
  count: whole(1).exactOptional(),
  weights: text('ema, model or another average that the run keeps').exactOptional(),
});

function withoutDefault(form: z.core.$ZodType): z.ZodType {
  const isOptional = form instanceof z.ZodDefault || form instanceof z.ZodOptional;
  return isOptional ? withoutDefault(form.unwrap()) : (form as z.ZodType);
}

const schema = z.discriminatedUnion(
  'kind',
  [
    settings({ kind: z.enum(['pause', 'goOn', 'save', 'stop']) }),
    settings({
      kind: z.literal('set'),
      settings: settings({
        learningRate: above0.exactOptional(),
        sampleEvery: whole(0).exactOptional(),
        checkpointEvery: whole(0).exactOptional(),
        logEvery: whole(1).exactOptional(),
        sample: sample.exactOptional(),
      }),
    }),
    settings({ kind: z.literal('sample'), samples: samples.exactOptional() }),
  ],
  { error: variant('kind', 'pause', 'goOn', 'save', 'stop', 'set', 'sample') },
);

/**
 * @param asked anything
 * @throws RectiflowError that lists every setting that there is not, or that is of a form that it cannot be
 */
export function parseSteering(asked: unknown): SteeringRequest {
  const parsed = schema.safeParse(asked);
  if (parsed.success) {
    const request = parsed.data as SteeringRequest;
    if (request.kind !== 'set' || Object.keys(request.settings).length > 0) return request;
    throw configError('steering', [describeProblem([], 'at least one of them', request.settings)]);
  }
  const { issues } = parsed.error;
  const part = (['settings', 'samples'] as const).find((name) =>
    issues.every(({ path }) => path[0] === name),
  );
  if (part === undefined) throw configError('steering', describeIssues(issues, asked));
  const shown = issues.map((issue) => ({ ...issue, path: issue.path.slice(1) }));
  throw configError('steering', describeIssues(shown, (asked as Record<typeof part, unknown>)[part]));
}
