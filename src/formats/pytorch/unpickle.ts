// Reads a pickle, protocols 2 to 5, as a list of instructions for a machine with a stack and a memo (Python's pickletools.py
// describes them). The machine builds plain values: the only names that it resolves are those of globals.ts.
import { PickleProblem, callGlobal, findGlobal, findStorage } from './globals.ts';
import { PickleObject, PickleTuple, type PickleValue } from './pickle-values.ts';

/** Every instruction leaves at most one new value behind, so this bounds time, stack, memo and depth. */
const MAX_INSTRUCTIONS = 2_000_000;
/** Of a whole number: no seed or count has more. */
const MAX_INTEGER_BYTES = 64;
const MAX_PROTOCOL = 5;

/** What MARK leaves on the stack. */
const mark: unique symbol = Symbol('mark');
type Slot = PickleValue | typeof mark;
type Instruction = (machine: Machine) => void;

/**
 * The value that a pickle describes.
 * @throws PickleProblem when it is damaged, or asks for anything that is not on the allow-list
 */
export function unpickle(bytes: Uint8Array): PickleValue {
  return new Machine(bytes).run();
}

class Machine {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #stack: Slot[] = [];
  readonly #memo = new Map<number, PickleValue>();
  #at = 0;
  #left = MAX_INSTRUCTIONS;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  run(): PickleValue {
    for (;;) {
      this.spend(1);
      const code = this.byte();
      if (code === STOP) return this.pop();
      const instruction = instructions[code];
      if (instruction === undefined) {
        const text = code.toString(16).padStart(2, '0');
        throw new PickleProblem(`uses the pickle instruction 0x${text}, which weights have no need of`);
      }
      instruction(this);
    }
  }

  spend(instructions: number): void {
    this.#left -= instructions;
    if (this.#left < 0) throw new PickleProblem(`has more than ${MAX_INSTRUCTIONS} pickle instructions`);
  }

  take(count: number): Uint8Array {
    if (!(count <= this.#bytes.length - this.#at)) throw new PickleProblem('has a pickle that is cut short');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  byte(): number {
    return this.take(1)[0]!;
  }

  /** A number of 1, 2, 4 or 8 bytes. */
  unsigned(bytes: 1 | 2 | 4 | 8): number {
    const at = this.#at;
    this.take(bytes);
    if (bytes === 8) return Number(this.#view.getBigUint64(at, true));
    return bytes === 4
      ? this.#view.getUint32(at, true)
      : bytes === 2
        ? this.#view.getUint16(at, true)
        : this.#view.getUint8(at);
  }

  int32(): number {
    const at = this.#at;
    this.take(4);
    return this.#view.getInt32(at, true);
  }

  /** Floats, alone among the numbers of a pickle, are big endian. */
  float(): number {
    const at = this.#at;
    this.take(8);
    return this.#view.getFloat64(at, false);
  }

  /** Two's complement, little endian; a number where it fits one. */
  long(bytes: number): number | bigint {
    if (bytes > MAX_INTEGER_BYTES) throw new PickleProblem(`has a whole number of ${bytes} bytes`);
    const hex = Buffer.from(this.take(bytes).toReversed()).toString('hex');
    const value = BigInt.asIntN(8 * bytes, BigInt(hex === '' ? 0 : `0x${hex}`));
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  text(bytes: number): string {
    return Buffer.from(this.take(bytes)).toString();
  }

  line(): string {
    const end = this.#bytes.indexOf(NEWLINE, this.#at);
    if (end < 0) throw new PickleProblem('has a pickle that is cut short');
    const line = this.text(end - this.#at);
    this.#at = end + 1;
    return line;
  }

  push(value: Slot): void {
    this.#stack.push(value);
  }

  pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined || value === mark)
      throw new PickleProblem('takes a value that its pickle did not make');
    return value;
  }

  /** The value on top of the stack, which stays. */
  top(): PickleValue {
    const value = this.pop();
    this.push(value);
    return value;
  }

  /** What was pushed since the last mark, which goes. */
  popToMark(): PickleValue[] {
    const at = this.#stack.lastIndexOf(mark);
    if (at < 0) throw new PickleProblem('goes back to a mark that its pickle did not set');
    const values = this.#stack.splice(at + 1) as PickleValue[];
    this.#stack.pop();
    return values;
  }

  /** @param index by default the next that is free */
  remember(index: number = this.#memo.size): void {
    this.#memo.set(index, this.top());
  }

  recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw new PickleProblem(`reads memo ${index}, which its pickle did not write`);
    this.push(value);
  }
}

const STOP = 0x2e;
const NEWLINE = 0x0a;

const pushing =
  (make: (machine: Machine) => PickleValue): Instruction =>
  (machine) =>
    machine.push(make(machine));

/** A sequence's or a dict's new members, for the value below them. */
function adding(
  take: (machine: Machine) => readonly PickleValue[],
  add: (to: PickleValue, values: readonly PickleValue[]) => void,
): Instruction {
  return (machine) => {
    const values = take(machine);
    add(machine.top(), values);
  };
}

const popOne = (machine: Machine): PickleValue[] => [machine.pop()];
const popTwo = (machine: Machine): PickleValue[] => [machine.pop(), machine.pop()].toReversed();
const popMarked = (machine: Machine): PickleValue[] => machine.popToMark();

function append(to: PickleValue, values: readonly PickleValue[]): void {
  if (!Array.isArray(to)) throw new PickleProblem('appends to what is no list');
  for (const value of values) to.push(value);
}

function setItems(to: PickleValue, values: readonly PickleValue[]): void {
  if (!(to instanceof Map) || values.length % 2 !== 0)
    throw new PickleProblem('sets items of what is no dict');
  for (let i = 0; i < values.length; i += 2) to.set(values[i]!, values[i + 1]!);
}

function addItems(to: PickleValue, values: readonly PickleValue[]): void {
  if (!(to instanceof Set)) throw new PickleProblem('adds items to what is no set');
  for (const value of values) to.add(value);
}

function call(machine: Machine): void {
  const args = machine.pop();
  if (!(args instanceof PickleTuple)) throw new PickleProblem('calls something without a tuple of arguments');
  machine.push(callGlobal(machine.pop(), args.items, (values) => machine.spend(values)));
}

/** Sets attributes. Those of an OrderedDict are notes of torch on the modules, which nobody asks for. */
function build(machine: Machine): void {
  const state = machine.pop();
  const target = machine.top();
  if (target instanceof Map) return;
  if (!(target instanceof PickleObject) || !(state instanceof Map))
    throw new PickleProblem('sets attributes of what has none');
  machine.spend(state.size);
  for (const [name, value] of state) if (typeof name === 'string') target.attributes.set(name, value);
}

function checkProtocol(machine: Machine): void {
  const protocol = machine.byte();
  if (protocol < 2 || protocol > MAX_PROTOCOL)
    throw new PickleProblem(`is a pickle of protocol ${protocol}, wanted 2 to ${MAX_PROTOCOL}`);
}

function stackGlobal(machine: Machine): PickleValue {
  const [module, name] = popTwo(machine);
  if (typeof module !== 'string' || typeof name !== 'string')
    throw new PickleProblem('asks for a Python name that is no text');
  return findGlobal(module, name);
}

const tupleOf = (count: number): Instruction =>
  pushing((machine) => new PickleTuple(Array.from({ length: count }, () => machine.pop()).toReversed()));

/** By their codes; the names are those of pickletools. */
const instructions: Readonly<Record<number, Instruction>> = {
  0x80: checkProtocol, // PROTO
  0x95: (m) => void m.take(8), // FRAME
  0x28: (m) => m.push(mark), // MARK
  0x30: (m) => void m.pop(), // POP
  0x31: (m) => void m.popToMark(), // POP_MARK
  0x32: (m) => m.push(m.top()), // DUP
  0x4e: pushing(() => null), // NONE
  0x88: pushing(() => true), // NEWTRUE
  0x89: pushing(() => false), // NEWFALSE
  0x4a: pushing((m) => m.int32()), // BININT
  0x4b: pushing((m) => m.unsigned(1)), // BININT1
  0x4d: pushing((m) => m.unsigned(2)), // BININT2
  0x8a: pushing((m) => m.long(m.unsigned(1))), // LONG1
  0x8b: pushing((m) => m.long(m.unsigned(4))), // LONG4
  0x47: pushing((m) => m.float()), // BINFLOAT
  0x8c: pushing((m) => m.text(m.unsigned(1))), // SHORT_BINUNICODE
  0x58: pushing((m) => m.text(m.unsigned(4))), // BINUNICODE
  0x8d: pushing((m) => m.text(m.unsigned(8))), // BINUNICODE8
  0x55: pushing((m) => m.text(m.unsigned(1))), // SHORT_BINSTRING
  0x54: pushing((m) => m.text(m.unsigned(4))), // BINSTRING
  0x43: pushing((m) => m.take(m.unsigned(1))), // SHORT_BINBYTES
  0x42: pushing((m) => m.take(m.unsigned(4))), // BINBYTES
  0x8e: pushing((m) => m.take(m.unsigned(8))), // BINBYTES8
  0x96: pushing((m) => m.take(m.unsigned(8))), // BYTEARRAY8
  0x5d: pushing(() => []), // EMPTY_LIST
  0x6c: pushing((m) => m.popToMark()), // LIST
  0x61: adding(popOne, append), // APPEND
  0x65: adding(popMarked, append), // APPENDS
  0x29: tupleOf(0), // EMPTY_TUPLE
  0x85: tupleOf(1), // TUPLE1
  0x86: tupleOf(2), // TUPLE2
  0x87: tupleOf(3), // TUPLE3
  0x74: pushing((m) => new PickleTuple(m.popToMark())), // TUPLE
  0x7d: pushing(() => new Map()), // EMPTY_DICT
  0x73: adding(popTwo, setItems), // SETITEM
  0x75: adding(popMarked, setItems), // SETITEMS
  0x8f: pushing(() => new Set()), // EMPTY_SET
  0x90: adding(popMarked, addItems), // ADDITEMS
  0x91: pushing((m) => new Set(m.popToMark())), // FROZENSET
  0x94: (m) => m.remember(), // MEMOIZE
  0x71: (m) => m.remember(m.unsigned(1)), // BINPUT
  0x72: (m) => m.remember(m.unsigned(4)), // LONG_BINPUT
  0x68: (m) => m.recall(m.unsigned(1)), // BINGET
  0x6a: (m) => m.recall(m.unsigned(4)), // LONG_BINGET
  0x63: pushing((m) => findGlobal(m.line(), m.line())), // GLOBAL
  0x93: pushing(stackGlobal), // STACK_GLOBAL
  0x52: call, // REDUCE
  0x81: call, // NEWOBJ
  0x62: build, // BUILD
  0x51: pushing((m) => findStorage(m.pop())), // BINPERSID
};
