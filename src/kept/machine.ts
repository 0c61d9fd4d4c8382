/** Where a run was started, for its record. */
export interface Machine {
  readonly host: string;
  readonly platform: string;
  readonly arch: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
}
