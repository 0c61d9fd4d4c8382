import type { Communicator } from '../../train/ranks/communicator.ts';
import { JointWork } from './joint-work.ts';

/** What ranks do together of a run's store, by what may go on at the same time. */
export interface StoreWork {
  readonly saving: JointWork;
  readonly averaging: JointWork;
  readonly reading: JointWork;
}

export function storeWork(communicator: Communicator): StoreWork {
  const work = (topic: string): JointWork => new JointWork(communicator, `store/${topic}`);
  return { saving: work('save'), averaging: work('averages'), reading: work('read') };
}
