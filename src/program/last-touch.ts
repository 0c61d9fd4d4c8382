import { memoryOf } from './location.ts';
import { oncePerProgram } from './once-per-program.ts';
import { type Program, isWork } from './program.ts';

/** The index of the last node that reads or changes each state, by its name; none where no node does. */
export const lastTouches: (program: Program) => ReadonlyMap<string, number> = oncePerProgram((program) => {
  const memory = memoryOf(program);
  const touches = new Map<string, number>();
  program.nodes.forEach((node, time) => {
    // A view by itself touches nothing: what reads it does.
    if (!isWork(node)) return;
    for (const { origin, name } of node.inputs.map(memory)) if (origin === 'state') touches.set(name!, time);
  });
  return touches;
});
