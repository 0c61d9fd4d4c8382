// Starts the process of a variant.
import { fileURLToPath } from 'node:url';
import type { CpuOptions } from 'rectiflow';
import { type CaseName, type Variant, type VariantName, caseByName, variants } from './cases.ts';
import { Contestant } from './contestant.ts';
import { sustainedPeak } from './machine.ts';
import type { Player } from './match.ts';
import { type Peer, peerScript } from './peer.ts';
import { peerStep } from './peer-model.ts';

export interface Setting {
  readonly name: CaseName;
  readonly threads: number;
  readonly peer: Peer | undefined;
  /** What is run: a training step, or a sampler with these settings. */
  readonly sampling?: { readonly steps: number; readonly guidance: number };
}

export function player(name: VariantName, setting: Setting): Player<VariantName> {
  const variant: Variant = variants[name];
  return {
    name,
    start: () => (variant.by === 'rectiflow' ? startOurs(variant, setting) : startPeer(variant, setting)),
    measurePeak: () => sustainedPeak(optionsOf(variant, setting.threads)),
  };
}

export function optionsOf({ precision, isa, threads }: Variant, given: number): CpuOptions {
  const own = precision === 'fp32' ? 'fp32' : 'bf16';
  return { precision: own, threads: threads ?? given, ...(isa && { isa }) };
}

function startOurs(variant: Variant, { name, threads, sampling }: Setting): Promise<Contestant> {
  const script = fileURLToPath(new URL(sampling ? 'sample-child.js' : 'step-child.js', import.meta.url));
  const args = [script, name, JSON.stringify(optionsOf(variant, threads))];
  return Contestant.start(process.execPath, sampling ? [...args, JSON.stringify(sampling)] : args);
}

function startPeer({ precision }: Variant, { name, threads, peer, sampling }: Setting): Promise<Contestant> {
  const { config } = caseByName(name);
  const specification = { ...sampling, ...peerStep(config), precision, threads };
  const script = peerScript(sampling ? 'sample' : 'step');
  return Contestant.start(peer!.python, [script, JSON.stringify(specification)]);
}
