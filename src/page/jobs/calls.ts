// What is done in a process of its own, and what it says: messages between the server and src/page/jobs/worker.ts.
import type { Json, PathRequest, SampleRequest } from '../contract.ts';

/** A recipe, or the text of a config, with settings over it. */
export type AskedConfig = { readonly settings: readonly string[] } & (
  | { readonly recipe: string }
  | { readonly text: string }
);

/** Its functions, by name: what each is given, and what it answers. */
export type JobCall =
  /** Writes the picture to `picture`. */
  | { readonly kind: 'sample'; readonly run: string; readonly asked: SampleRequest; readonly picture: string }
  /** Writes all its pictures to `picture`. */
  | { readonly kind: 'path'; readonly run: string; readonly asked: PathRequest; readonly picture: string }
  | { readonly kind: 'straightness'; readonly run: string }
  | { readonly kind: 'doctor'; readonly config: AskedConfig }
  | {
      readonly kind: 'plan';
      readonly config: AskedConfig;
      readonly seconds?: number;
      readonly machine?: string;
    }
  | { readonly kind: 'data-check'; readonly config: AskedConfig }
  /** Draws the data of a run to `picture`. */
  | { readonly kind: 'preview'; readonly run: string; readonly picture: string };

export type JobMessage =
  | { readonly kind: 'progress'; readonly what: string; readonly done: number; readonly total: number }
  | { readonly kind: 'notice'; readonly text: string }
  | { readonly kind: 'result'; readonly result: Json }
  /** `isOurs`: a fault of the program, with all there is to say. */
  | { readonly kind: 'error'; readonly message: string; readonly isOurs: boolean };
