import { createCipheriv, createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { digestFromHash, type Digest } from '../../common/oci/digest.ts'

export interface Content {
  digest: Digest
  /** SHA-1 of each unit, joined. */
  sha1: Buffer
  /** SHA-256 of each unit, joined. */
  sha256: Buffer
}

/** Writes the same bytes each time, different ones in each unit: AES in counter mode over zeros. */
export async function writeContent(path: string, size: number, unit: number): Promise<Content> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16))
  const zeros = Buffer.alloc(unit)
  const whole = createHash('sha256')
  const sha1: Buffer[] = []
  const sha256: Buffer[] = []
  const file = await open(path, 'w')
  try {
    for (let at = 0; at < size; at += unit) {
      const bytes = cipher.update(zeros.subarray(0, Math.min(unit, size - at)))
      whole.update(bytes)
      sha1.push(createHash('sha1').update(bytes).digest())
      sha256.push(createHash('sha256').update(bytes).digest())
      await file.write(bytes, 0, bytes.length, at)
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return { digest: digestFromHash(whole), sha1: Buffer.concat(sha1), sha256: Buffer.concat(sha256) }
}
