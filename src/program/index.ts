export { changeEarly } from './change-early.ts';
export { emulateFloat16 } from './emulate-float16.ts';
export { fuse } from './fuse.ts';
export { type GradOptions, type ActivationMemory, grad } from './grad.ts';
export { lower } from './lower.ts';
export {
  type MemoryPlan,
  type Placement,
  bytesOf,
  placeBeside,
  pieceBytes,
  planMemory,
} from './memory-plan.ts';
export { mixedPrecision } from './mixed-precision.ts';
export { Program, opOf, trace } from './program.ts';
export { formatType } from './print.ts';
