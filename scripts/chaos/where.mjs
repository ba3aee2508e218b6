// Where a key is, of a cluster of this process: what lies in the memory of each node under its name and under those of
// the hints for it. Nobody is asked and nothing is changed by looking, so it can be said at the instant of a failure.

import { internalKey } from '../../dist/client/keys.js'
import { hintKey } from '../../dist/protocol/hint.js'
import { preferenceList } from '../../dist/ring/preference.js'
import { partitionOf } from '../../dist/ring/ring.js'
import { ObjectReader } from '../../dist/storage/object-buffer-reader.js'
import { decodeObject } from '../../dist/versions/object-codec.js'

/** `homes`: what the first n nodes hold; `others`: who else holds it; `hints`: who keeps what for whom. */
export function whereIs(cluster, bucket, name, n = 3) {
  const { core, ring, host } = cluster
  const key = internalKey(bucket.prefix, name)
  const hash = core.hash(key)
  const list = preferenceList(ring, partitionOf(ring, hash))
  const { memoryOf } = core.shared.options
  const readers = new Map(list.map((node) => [node, new ObjectReader(memoryOf(node))]))
  const held = (node, as) => {
    const bytes = readers.get(node).read(as, hash)
    if (bytes === undefined) return undefined
    const values = decodeObject(bytes, hash).siblings.map(({ value }) =>
      Buffer.from(value).toString('latin1'),
    )
    return values.map((value) => value.slice(value.lastIndexOf(' ') + 1)).join('|')
  }
  const homes = list
    .slice(0, n)
    .map((node) => `${node}=${held(node, key) ?? '-'} ${viewOf(cluster, host, node)}`)
  const others = list
    .slice(n)
    .flatMap((node) => (held(node, key) === undefined ? [] : `${node}=${held(node, key)}`))
  const hints = []
  for (const owner of list.slice(0, n)) {
    for (const keeper of list) {
      const kept = held(keeper, hintKey(owner, key))
      if (kept !== undefined) hints.push(`${keeper} keeps ${kept} for ${owner}`)
    }
  }
  return `homes ${homes.join(', ')}; others ${others.join(', ') || 'none'}; hints ${hints.join(', ') || 'none'}`
}

/** What the table of all threads says of a node, and what the gateway of this one believes. */
function viewOf(cluster, host, node) {
  const { state, generation } = cluster.status().nodes.find((each) => each.node === node)
  const known = host.gateway.nodes[node]
  return `(life ${generation} ${state}, here life ${known?.generation} ${known?.state})`
}
