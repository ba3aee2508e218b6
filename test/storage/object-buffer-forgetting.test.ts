// An object that is removed from memory while its row is still in the store: if the writer dies before the row is
// deleted, it is there again. So whoever adopts the memory asks the store what does not exist (found by the
// simulated world: replicas that compared themselves for ever).

import { describe, expect, it } from 'vitest'
import type { Key } from '../../src/base/units.js'
import { ObjectBuffer } from '../../src/storage/object-buffer.js'
import { createObjectBuffer } from '../../src/storage/object-buffer-layout.js'

function bufferWithOne(): { memory: SharedArrayBuffer; buffer: ObjectBuffer } {
  const memory = createObjectBuffer(256 * 1024)
  const buffer = new ObjectBuffer(memory)
  buffer.complete = true
  buffer.put('b\0k' as Key, 7, Buffer.from('value'), 'clean')
  return { memory, buffer }
}

describe('what was removed', () => {
  it('may be in the store again, when its writer dies before the row is deleted', () => {
    const { memory, buffer } = bufferWithOne()
    buffer.forgetting = true
    buffer.remove('b\0k' as Key, 7)
    const successor = new ObjectBuffer(memory)
    successor.adopt(() => true)
    expect(successor.complete).toBe(false)
    expect(successor.forgetting).toBe(false)
  })

  it('is gone for good when the store has said so before', () => {
    const { memory, buffer } = bufferWithOne()
    buffer.forgetting = true
    buffer.remove('b\0k' as Key, 7)
    buffer.forgetting = false
    const successor = new ObjectBuffer(memory)
    successor.adopt(() => true)
    expect(successor.complete).toBe(true)
  })
})
