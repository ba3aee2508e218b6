// What somebody does who has just installed the package: a cluster on disk, some writes, close, open, read.
// scripts/check-package.mjs runs it, installed from the packed file, on every line of Node that is supported.
import { rm } from 'node:fs/promises'
import { Cluster, RingspunError } from 'ringspun'

const dir = './data'
await rm(dir, { recursive: true, force: true })
const keys = Array.from({ length: 500 }, (_, index) => `key-${index}`)

const first = await Cluster.open({ dir, nodes: 3, memory: 16 * 1024 * 1024 })
const results = await first.bucket('things').putMany(keys.map((key) => [key, { key }]))
if (results.some(({ dw, level }) => dw < 1 || level !== 'disk')) throw new Error('not durable')
await first.close()

const second = await Cluster.open({ dir, nodes: 3, memory: 16 * 1024 * 1024 })
const things = second.bucket('things')
const found = await things.getMany(keys)
if (found.some(({ value }, index) => value?.key !== keys[index])) throw new Error('something is lost')
if ((await things.count()) !== keys.length) throw new Error('the count is wrong')
const refused = await things.put('', 1).catch((error) => error)
if (!(refused instanceof RingspunError) || refused.code !== 'key-empty') throw new Error('no typed error')
await second.close()
process.stdout.write(`node ${process.versions.node}: ${keys.length} keys written, closed, opened, read\n`)
