import test from 'ava'
import { createPromisedBlobs } from '../../../agent/services/promised-blobs.ts'
import { digestOf } from '../../../common/oci/digest.ts'
import { childrenOf } from '../../../common/oci/manifest-children.ts'

const digests = Array.from({ length: 4 }, (_, index) => digestOf(Buffer.from(String(index))))
const [config, layer, foreign, child] = digests as [(typeof digests)[0], (typeof digests)[0], (typeof digests)[0], (typeof digests)[0]]

function manifestOf(value: unknown) {
  const bytes = Buffer.from(JSON.stringify(value))
  return { bytes, mediaType: 'x/y', digest: digestOf(bytes) }
}

test('what a served manifest lists is promised, but for layers that live elsewhere', (t) => {
  const promised = createPromisedBlobs()
  promised.note(manifestOf({ config: { digest: config }, layers: [{ digest: layer }, { digest: foreign, urls: ['https://elsewhere.example'] }] }))
  t.deepEqual(
    [config, layer, foreign, child].map((digest) => promised.has(digest)),
    [true, true, false, false],
  )
})

test('children of every kind of manifest; nonsense has none', (t) => {
  t.deepEqual(childrenOf(manifestOf({ manifests: [{ digest: child }, { digest: 'sha256:short' }, null] }).bytes), { manifests: [child], blobs: [] })
  t.deepEqual(childrenOf(manifestOf({ fsLayers: [{ blobSum: layer }, null] }).bytes), { manifests: [], blobs: [layer] })
  for (const value of [null, 3, 'x', [], { layers: 7, config: null, manifests: {} }]) t.deepEqual(childrenOf(manifestOf(value).bytes), { manifests: [], blobs: [] })
  t.deepEqual(childrenOf(Buffer.from('{"layers": [')), { manifests: [], blobs: [] })
})
