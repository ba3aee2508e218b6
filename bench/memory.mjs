// What does an object cost in memory, beyond its key and its value, on each replica? And what does the process take
// for so many of them? Buckets kept in memory; keys of 20 bytes with the bucket's name.

import { Cluster } from '../dist/index.js'
import { table } from './tools.mjs'

const keys = 100_000
const keyOf = (i) => `user${String(i).padStart(8, '0')}`
/** `default`, NUL and the key, as the house keeps it. */
const keyBytes = 'default\0'.length + keyOf(0).length

export async function run() {
  const results = []
  for (const bytes of [10, 100, 1024]) {
    const before = process.memoryUsage()
    const cluster = await Cluster.open({ nodes: 3, n: 3, r: 2, w: 3, log: () => {} })
    const opened = process.memoryUsage()
    await cluster
      .bucket('default')
      .putMany(Array.from({ length: keys }, (_, i) => [keyOf(i), Buffer.alloc(bytes, 'x')]))
    // The counters are told 20 times a second.
    await new Promise((resolve) => setTimeout(resolve, 200))
    const { nodes } = cluster.status()
    const after = process.memoryUsage()
    const objects = nodes.reduce((sum, node) => sum + node.objects, 0)
    const held = nodes.reduce((sum, node) => sum + node.bufferBytes, 0)
    // The index: a place is nine bytes, and there are fewer objects than places.
    results.push({
      bytes,
      objects,
      perObject: held / objects - keyBytes - bytes,
      residentPerObject: (after.rss - opened.rss) / objects - keyBytes - bytes,
      openedMiB: (opened.rss - before.rss) / 2 ** 20,
    })
    await cluster.close()
  }
  table(
    results.map(({ bytes, objects, perObject, residentPerObject, openedMiB }) => ({
      'value bytes': String(bytes),
      copies: objects.toLocaleString('en'),
      'in the buffer beyond key and value': perObject,
      'resident beyond key and value': residentPerObject,
      'MiB of an empty cluster': openedMiB,
    })),
  )
  return results
}
