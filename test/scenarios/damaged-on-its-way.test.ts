// A value carries a checksum from where it came in (crc32, begun with the hash of its key). One that was changed on its
// way to its coordinator is refused there, before anything is noted: no replica has a trace of it.

import { describe, expect, it } from 'vitest'
import type { Put } from '../../src/protocol/write.js'
import { askVnode, expectNoTrace, keyLedBy, startWorld, valuesAtEach } from '../sim/helpers.js'

describe('a put that is damaged on its way', () => {
  const damages: readonly (readonly [string, (put: Put) => Put])[] = [
    ['in one bit of its value', (put) => ({ ...put, value: flipped(put.value) })],
    ['by losing its last byte', (put) => ({ ...put, value: put.value.subarray(1) })],
    ['in its checksum', (put) => ({ ...put, checksum: put.checksum ^ 1 })],
    ['in the hash of its key', (put) => ({ ...put, hash: put.hash ^ 1 })],
  ]

  it.each(damages)('%s is refused, and nobody has anything of it', (_how, damage) => {
    // As a client makes it, in a world of its own: here it has not been asked for.
    const elsewhere = startWorld({ seed: 16, nodes: 3 })
    const key = keyLedBy(elsewhere, 1)
    const whole = elsewhere.client.put(key, 'a value', { w: 2, dw: 1 }).message as Put

    const world = startWorld({ seed: 16, nodes: 3 })
    const refusal = { type: 'put-failed', code: 'value-invalid' }
    expect(askVnode(world, 1, key, damage(whole))).toMatchObject(refusal)
    expectNoTrace(world, key)
    expect(askVnode(world, 1, key, whole)).toMatchObject({ type: 'put-answered' })
    expect(valuesAtEach(world, key, 1)).toEqual([['a value']])
  })
})

function flipped(value: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(value)
  copy[3] = (copy[3] as number) ^ 0x10
  return copy
}
