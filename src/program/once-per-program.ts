import type { Program } from './program.ts';

/** Does the work of `make` once for each program, which never changes: it is planned to estimate its memory, and then compiled. */
export function oncePerProgram<T>(make: (program: Program) => T): (program: Program) => T {
  const made = new WeakMap<Program, T>();
  return (program) => {
    const known = made.get(program);
    if (known !== undefined) return known;
    const value = make(program);
    made.set(program, value);
    return value;
  };
}
