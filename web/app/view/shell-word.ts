/** A file's name as one word of a command line (POSIX shell). */
export function shellWord(name: string): string {
  if (/^[A-Za-z0-9_.,:=@%+/][A-Za-z0-9_.,:=@%+/-]*$/.test(name)) return name
  return `'${name.replaceAll("'", "'\\''")}'`
}
