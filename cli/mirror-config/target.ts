/** A runtime's configuration file, and what it must say so that the runtime asks the mirror. */
export interface MirrorTarget {
  /** Where the runtime looks for it. */
  file: string
  /** Who may read it, where that matters; else as it is, or everybody. */
  mode?: number
  /** The whole file, made from what is in it now; the same text when nothing has to change. @throws {PantalaError} `CONFIG_INVALID` */
  merge(existing: string | undefined): string
  /** What else must be so; looked up when the file is about to be written. @throws {PantalaError} `CONFIG_INVALID` */
  check(file: string): Promise<void>
  /** What is left for the user to do. */
  notes: readonly string[]
}
