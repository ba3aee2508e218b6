// Whose log direct puts go to: the same one for long, so that an fsync serves many, and never one that is stuck.

import { describe, expect, it } from 'vitest'
import { chooseWriters, startWriters, writerHeard } from '../../src/actors/gateway/writers.js'
import { preferenceList } from '../../src/ring/preference.js'
import { createRing } from '../../src/ring/ring.js'

const ringOf = (nodes: readonly number[]) =>
  createRing({ epoch: 1, partitions: 64, copies: 3, nodes, hash: 'halfsip', seed: [1, 2] })
const ring = ringOf([1, 2, 3])

/** The nodes that write the next puts through, one after the other, at the given instants. */
function chosen(writers = startWriters(), times: readonly number[] = [0], dw = 1, of = ring): number[][] {
  return times.map((now, i) => {
    const list = preferenceList(of, (i * 7) % of.partitions)
    const bits = chooseWriters(writers, of, list, 3, dw, now)
    return list.filter((_, place) => ((bits >>> place) & 1) === 1)
  })
}

describe('writers of direct puts', () => {
  it('a thousand puts in a row, of whatever keys, go to one log, and then to the next', () => {
    const nodes = chosen(startWriters(), new Array(3 * 1024).fill(5)).map(([node]) => node)
    for (const part of [0, 1, 2]) {
      expect(new Set(nodes.slice(part * 1024, (part + 1) * 1024)).size, `part ${part}`).toBe(1)
    }
    expect(new Set(nodes)).toEqual(new Set([1, 2, 3]))
  })

  it('a log that is silent for more than 10 ms is left; one that is heard stays', () => {
    const silent = startWriters()
    const [[first], [same], [other]] = chosen(silent, [100, 105, 112]) as [number[], number[], number[]]
    expect(same).toBe(first)
    expect(other).not.toBe(first)

    const heard = startWriters()
    const [[before]] = chosen(heard, [100]) as [number[]]
    writerHeard(heard, before as number, 109)
    expect(chosen(heard, [115])).toEqual([[before]])
    // Others are heard all the time, and that says nothing of this one.
    for (const node of [1, 2, 3]) if (node !== before) writerHeard(heard, node, 119)
    expect(chosen(heard, [121])).not.toEqual([[before]])
  })

  it('dw of them are different replicas, and all when all must', () => {
    const five = ringOf([1, 2, 3, 4, 5])
    for (const [dw, of] of [
      [0, ring],
      [2, ring],
      [3, ring],
      [1, five],
      [2, five],
    ] as const) {
      for (const nodes of chosen(
        startWriters(),
        Array.from({ length: 200 }, (_, i) => i * 3),
        dw,
        of,
      )) {
        expect(new Set(nodes).size).toBe(dw)
      }
    }
  })

  it('a ring that became smaller has a next one too', () => {
    const writers = startWriters()
    const five = ringOf([1, 2, 3, 4, 5])
    while (writers.node !== 5) chosen(writers, [writers.heardAt + 11], 1, five)
    const [nodes] = chosen(writers, [writers.heardAt + 1]) as [number[]]
    expect([1, 2, 3]).toContain(nodes[0])
    expect(nodes).toHaveLength(1)
  })
})
