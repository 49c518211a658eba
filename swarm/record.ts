import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto'
import type { BlobRecord, SignedRecord } from '../common/api/blobs.ts'
import type { PublicKey } from '../common/api/cluster.ts'
import { PantalaError } from '../common/errors.ts'
import { unitCount } from '../common/store/units.ts'

/** An Ed25519 key that signs records (RFC 8032). */
export interface SigningKey {
  readonly public: PublicKey
  sign(record: BlobRecord): SignedRecord
  signBytes(bytes: Uint8Array): Uint8Array
  /** PKCS #8, DER. */
  export(): Uint8Array
}

export function createSigningKey(): SigningKey {
  return signingKey(generateKeyPairSync('ed25519').privateKey)
}

/** @throws {PantalaError} `BAD_KEY` when the bytes are no Ed25519 private key */
export function importSigningKey(pkcs8: Uint8Array): SigningKey {
  let key: KeyObject
  try {
    key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
  } catch (cause) {
    throw new PantalaError('BAD_KEY', 'the signing key is damaged: remove it to have a new one made', { cause })
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new PantalaError('BAD_KEY', `expected an Ed25519 key, got ${key.asymmetricKeyType}`)
  return signingKey(key)
}

function signingKey(key: KeyObject): SigningKey {
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  const id = createHash('sha256').update(spki).digest('hex').slice(0, 16)
  return {
    public: { id, spki: spki.toString('base64') },
    sign: (record) => ({ record, signature: sign(null, canonical(record), key).toString('base64'), keyId: id }),
    signBytes: (bytes) => sign(null, bytes, key),
    export: () => key.export({ format: 'der', type: 'pkcs8' }),
  }
}

/**
 * Checks a record that came from a seeder or a peer: signed by one of these keys, for this digest, and consistent in itself.
 * @throws {PantalaError} `BAD_RECORD` (502)
 */
export function verifyRecord(signed: SignedRecord, keys: readonly PublicKey[], digest: string): BlobRecord {
  const { record } = signed
  const key = keys.find(({ id }) => id === signed.keyId)
  if (!key) throw badRecord(`signed by the unknown key ${signed.keyId}`)
  if (!verifyBytes(key, canonical(record), Buffer.from(signed.signature, 'base64'))) throw badRecord('its signature is wrong')
  if (record.digest !== digest) throw badRecord(`it is for ${record.digest}, expected ${digest}`)
  const unitBytes = Buffer.from(record.units, 'base64').length
  const pieceBytes = Buffer.from(record.pieces, 'base64').length
  if (unitBytes !== 0 && unitBytes !== 32 * unitCount(record.length, record.unit)) throw badRecord('the number of unit hashes does not fit its length')
  if (pieceBytes !== 20 * unitCount(record.length, record.pieceLength)) throw badRecord('the number of piece hashes does not fit its length')
  return record
}

/** Whether this key has signed these bytes. */
export function verifyBytes(key: PublicKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    const publicKey = createPublicKey({ key: Buffer.from(key.spki, 'base64'), format: 'der', type: 'spki' })
    return verify(null, bytes, publicKey, signature)
  } catch {
    return false
  }
}

/** A flat record's canonical JSON (RFC 8785 for strings and integers): keys sorted, no white space. */
function canonical(record: BlobRecord): Buffer {
  return Buffer.from(JSON.stringify(record, Object.keys(record).sort()))
}

function badRecord(why: string): PantalaError {
  return new PantalaError('BAD_RECORD', `a blob record was refused: ${why}`, { status: 502 })
}
