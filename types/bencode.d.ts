/** The parts of `bencode` 4 that swarm/bencode.ts uses. */
declare module 'bencode' {
  interface Bencode {
    encode(value: unknown): Uint8Array
    decode(bytes: Uint8Array): unknown
  }
  const bencode: Bencode
  export default bencode
}
