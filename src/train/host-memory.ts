/** What is known of the memory of the machine, in bytes. */
export interface HostMemory {
  /** What this process has now, and had at most. */
  used(): number;
  mostUsed(): number;
  /** What it may have in all, with what it has already. */
  available(): number;
  /** What the machine has when nothing else runs, with its swap space. */
  installed(): number;
}
