import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A compiler that passes every probe, and then fails as one does that runs out of memory. @returns its path */
export function brokenCompiler(folder: string): string {
  const path = join(folder, 'broken-cxx');
  const script = `#!/bin/sh
case "$*" in *-fsyntax-only*|*--version*) exit 0;; esac
echo "g++: internal compiler error: Killed (program cc1plus)" >&2
exit 1
`;
  writeFileSync(path, script, { mode: 0o755 });
  return path;
}
