// Puts one value after the other into a cluster of three nodes and says of each, on standard output and by a
// system call of its own, when it was acknowledged. Arguments: directory, dw, durability, number of puts.

import { writeSync } from 'node:fs'
import { Cluster } from '../../dist/index.js'

const [dir, dw, durability, count] = process.argv.slice(2)
const cluster = await Cluster.open({
  dir,
  nodes: 3,
  n: 3,
  w: 3,
  dw: Number(dw),
  durability,
  partitions: 8,
  log: () => {},
})
const bucket = cluster.bucket('order')
for (let i = 1; i <= Number(count); i++) {
  await bucket.put(`key ${i % 4}`, Buffer.from(`<value ${i}>`))
  writeSync(1, `ACKNOWLEDGED ${i}\n`)
}
await cluster.close()
