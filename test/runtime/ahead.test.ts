// Looking ahead is for speed alone: not a byte of memory is another one after it, keys that are not there are no
// matter, and a turn with more messages than are looked at in one go leaves none out.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { singleAddress, vnodeAddress } from '../../src/protocol/address.js'
import { createRing, hashOf, partitionOf } from '../../src/ring/ring.js'
import { Host } from '../../src/runtime/host.js'
import { Trees } from '../../src/runtime/trees.js'
import { ObjectBuffer } from '../../src/storage/object-buffer.js'
import { createObjectBuffer } from '../../src/storage/object-buffer-layout.js'
import { withMode } from '../../src/versions/mode.js'
import { encodeObject } from '../../src/versions/object-codec.js'
import { handDriven, key } from './hand-driven.js'

const hashes = fc.array(fc.integer({ min: 0, max: 0xffff_ffff }), { minLength: 1, maxLength: 128 })

test('memory is the same to the byte, and so are the trees', () => {
  fc.assert(
    fc.property(hashes, hashes, (there, looked) => {
      const shared = createObjectBuffer(64 * 1024)
      const memory = new ObjectBuffer(shared)
      const trees = new Trees(16)
      for (const hash of there) {
        const value = Buffer.alloc(40, hash & 0xff)
        memory.put(key(`k${hash}`), hash, value, 'clean')
        trees.changed(key(`k${hash}`), hash, undefined, value, 1)
      }
      const bytes = Buffer.from(Buffer.from(shared))
      const sums = [...trees.storedTrees()].map(([slot, tree]) => [slot, tree.toWords()])
      const all = Uint32Array.from([...looked, ...there]).slice(0, 128)
      memory.touch(all, all.length)
      trees.touch(all, all.length)
      expect(Buffer.compare(Buffer.from(shared), bytes)).toBe(0)
      expect([...trees.storedTrees()].map(([slot, tree]) => [slot, tree.toWords()])).toEqual(sums)
    }),
    { numRuns: 50 },
  )
})

test('a thousand copies that come in one turn are all taken, each once', () => {
  const driven = handDriven({ complete: true })
  const host = new Host(driven.ports, { supervisor: false })
  const self = singleAddress('host', 1)
  const ring = createRing({ epoch: 1, partitions: 4, copies: 1, nodes: [1], hash: 'halfsip', seed: [1, 2] })
  host.receive({ to: self, from: self, request: 0, deadline: 0, message: { type: 'ring-changed', ring } })
  host.step()
  const requests = Array.from({ length: 1_000 }, (_, at) => at + 1)
  for (const request of requests) {
    const name = key(`k${request}`)
    const hash = hashOf(ring, name)
    const to = vnodeAddress(1, partitionOf(ring, hash))
    const from = singleAddress('gateway', 9)
    const message =
      request % 3 === 0
        ? ({ type: 'fetch', key: name, hash } as const)
        : ({ type: 'replicate', key: name, hash, level: 'memory', object: objectFor(hash) } as const)
    host.receive({ to, from, request, deadline: driven.clock.now + 1_000, message })
  }
  host.step()
  const answers = driven.posted.filter(({ to }) => to.kind === 'gateway')
  expect(answers.map(({ request }) => request)).toEqual(requests)
  const found = new Set(answers.map(({ message }) => message.type))
  expect([...found].sort()).toEqual(['fetched', 'replicated'])
  expect(driven.memory.objects).toBe(667)
})

function objectFor(hash: number): Uint8Array {
  const encoding = withMode(1, 'last-write-wins', true, 1)
  const dot = { actor: 5, counter: 1 }
  const value = Buffer.from('a copy')
  const sibling = { dot, stamp: 1, expires: 0, deleted: false, encoding, value }
  return encodeObject({ clock: [{ ...dot, time: 1 }], siblings: [sibling] }, hash)
}
