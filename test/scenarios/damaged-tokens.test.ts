// Contexts as an application holds them: texts. What this cluster did not hand out for this key is refused by name, also
// when its signature is right: one that another version made, or a mistake of ours.

import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Writer } from '../../src/base/bytes.js'
import { hashOf } from '../../src/ring/ring.js'
import { internalKey } from '../../src/sim/client.js'
import { decodeContext, encodeContext } from '../../src/versions/context-codec.js'
import { checkMerge } from '../../src/versions/merge-function.js'
import { mustGet, mustPut, startWorld, values } from '../sim/helpers.js'

type Write = (writer: Writer) => void

const entry =
  (actor: number, counter = 1): Write =>
  (writer) => {
    writer.f64(actor)
    writer.varint(counter)
    writer.u32(7)
  }

/** Signed as the cluster signs. */
function signed(write: Write, [a, b]: readonly [number, number]): string {
  const writer = new Writer(64)
  write(writer)
  const body = Buffer.from(writer.copy())
  const key = Buffer.alloc(8)
  key.writeUInt32LE(a, 0)
  key.writeUInt32LE(b, 4)
  const signature = createHmac('sha256', key).update(body).digest().subarray(0, 8)
  return Buffer.concat([body, signature]).toString('base64url')
}

const senseless: readonly (readonly [string, (hash: number, writer: Writer) => void])[] = [
  ['an unknown version', (_hash, writer) => writer.u8(9)],
  ['nothing behind its version', (_hash, writer) => writer.u8(1)],
  ['a stamp below 0', head(-1, 0)],
  ['a stamp that is none', head(Number.NaN, 0)],
  ['too many entries', head(5, 1_000)],
  ['entries out of order', head(5, 2, entry(2), entry(1))],
  ['an actor that is none', head(5, 1, entry(Number.NaN))],
  ['an event of number 0', head(5, 1, entry(1, 0))],
  ['bytes behind its end', head(5, 0, entry(1))],
]

function head(stamp: number, count: number, ...entries: readonly Write[]) {
  return (hash: number, writer: Writer) => {
    writer.u8(1)
    writer.u32(hash)
    writer.f64(stamp)
    writer.varint(count)
    for (const write of entries) write(writer)
  }
}

describe('a context that goes out and comes back', () => {
  it.each(senseless)('with %s is refused, and writes nothing', (_what, make) => {
    const world = startWorld({ seed: 1, nodes: 3 })
    const { ring } = world
    const hash = hashOf(ring, internalKey('k'))
    mustPut(world, 'k', 'one', { w: 3 })
    const token = signed((writer) => make(hash, writer), ring.seed)
    expect(() => decodeContext(token, hash, ring.seed)).toThrow(
      expect.objectContaining({ code: 'context-invalid' }),
    )
    expect(values(world, 'k', { r: 3 })).toEqual(['one'])
  })

  it('replaces what was read, siblings that were made one by the application among it', () => {
    const world = startWorld({ seed: 2, nodes: 3 })
    const { ring } = world
    const hash = hashOf(ring, internalKey('cart'))
    mustPut(world, 'cart', 'bread', { w: 3 })
    mustPut(world, 'cart', 'milk', { w: 3 })
    const union = (a: string, b: string) => [...new Set([...a.split(','), ...b.split(',')])].sort().join()
    checkMerge(union, ['bread', 'milk', 'bread,milk'])
    checkMerge(union, ['bread', 'milk'], { equal: (a, b) => a === b })
    expect(() => checkMerge((a: string, b: string) => a + b, ['bread', 'milk'])).toThrow('not idempotent')
    expect(() => checkMerge((a?: string, _b?: string) => a, [undefined, 'milk'])).toThrow('not commutative')
    const { object } = mustGet(world, 'cart', { r: 3 })
    const clock = object?.clock ?? []
    const token = encodeContext({ clock, stamp: 0 }, hash, ring.seed)
    const found = values(world, 'cart', { r: 3 })
    const merged = found.reduce(union)
    mustPut(world, 'cart', merged, { w: 3, context: decodeContext(token, hash, ring.seed) })
    expect(values(world, 'cart', { r: 3 })).toEqual(['bread,milk'])
  })
})
