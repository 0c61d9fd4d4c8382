/** What identifies a file's content. */
export interface FileDigest {
  readonly bytes: number;
  readonly sha256: string;
}
