export { changeEarly } from './change-early.ts';
export { emulateFloat16 } from './emulate-float16.ts';
export { fuse, viewsBehindMakers } from './fuse.ts';
export { type GradOptions, type ActivationMemory, grad } from './grad.ts';
export { lastTouches } from './last-touch.ts';
export { type Location, changesOf, memoryOf, startOf, touches } from './location.ts';
export { lower } from './lower.ts';
export {
  type MemoryPlan,
  type Placement,
  bytesOf,
  placeBeside,
  pieceBytes,
  planMemory,
} from './memory-plan.ts';
export { lowPrecisionOf, mixedPrecision } from './mixed-precision.ts';
export { oncePerProgram } from './once-per-program.ts';
export { Program, isWork, opOf, trace } from './program.ts';
export { formatType } from './print.ts';
