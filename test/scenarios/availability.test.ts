// Dynamo 6, "(N, R, W)": with a strict quorum (pr, pw) an operation succeeds exactly when enough of the n replicas
// can be reached, with a sloppy one when enough nodes can, for every n, r, w, dw and every number of nodes down. A put that is refused says how
// many it needed and how many there were, and has had no effect anywhere.

import { describe, expect, it } from 'vitest'
import type { PutFailed } from '../../src/protocol/write.js'
import type { World } from '../../src/sim/world.js'
import { expectNoTrace, get, keyLedBy, preference, put, startWorld, takeDown } from '../sim/helpers.js'

interface Cell {
  readonly n: number
  readonly down: number
  readonly quorum: number
}

function cells(): Cell[] {
  const all: Cell[] = []
  for (let n = 1; n <= 5; n++) {
    for (let down = 0; down <= n; down++) {
      for (let quorum = 1; quorum <= n; quorum++) all.push({ n, down, quorum })
    }
  }
  return all
}

/** Five nodes, of which the last `down` of the key's first n are gone. */
function worldWith(n: number, down: number, key: (world: World) => string): World {
  const world = startWorld({ seed: n * 10 + down, nodes: 5, n: 5, partitions: 8 })
  const list = preference(world, key(world)).slice(0, n)
  takeDown(world, list.slice(n - down))
  return world
}

describe.each(['strict', 'sloppy'])('the matrix of n, r, w, dw and nodes down, %s', (kind) => {
  const isStrict = kind === 'strict'
  for (let n = 1; n <= 5; n++) {
    for (let down = 0; down <= n; down++) {
      it(`n=${n}, ${down} of them down`, () => {
        const key = (world: World) => keyLedBy(world, 1)
        const world = worldWith(n, down, key)
        // Five nodes: who is not among the n stands in for one that is.
        const up = isStrict ? n - down : Math.min(n, 5 - down)
        for (const { quorum } of cells().filter((cell) => cell.n === n && cell.down === down)) {
          for (let dw = 0; dw <= quorum; dw++) {
            const name = `${key(world)}`
            const before = world.transcript.lines.length
            const answer = put(world, name, `w${quorum} dw${dw}`, {
              n,
              w: quorum,
              dw,
              pw: isStrict ? quorum : 0,
              conflicts: 'last-write-wins',
              level: dw % 2 === 0 ? 'disk' : 'os',
            })
            if (up >= quorum) {
              expect(answer).toMatchObject({ type: 'put-answered' })
              if (answer.type !== 'put-answered') continue
              expect(answer.stored).toBeGreaterThanOrEqual(quorum)
              expect(answer.durable).toBeGreaterThanOrEqual(dw)
            } else {
              expect(answer).toMatchObject({
                type: 'put-failed',
                code: 'unavailable',
              })
              const { needed, reached, pw, atHome } = (answer as PutFailed).details
              if (pw !== undefined) expect({ pw, atHome }).toEqual({ pw: quorum, atHome: up })
              else expect(reached).toBeLessThan(needed as number)
              expect(world.transcript.lines.slice(before).join()).not.toContain('replicate')
            }
          }
          const pr = isStrict ? quorum : 0
          const read = get(world, key(world), { n, r: quorum, pr, conflicts: 'last-write-wins' })
          if (up >= quorum) expect(read.type).toBe('get-answered')
          else
            expect(read).toMatchObject({
              type: 'get-failed',
              code: 'unavailable',
              ...(!isStrict && { details: { needed: quorum, reached: up } }),
            })
        }
      })
    }
  }
})

describe('a refused put', () => {
  it.each([1, 2])('leaves no trace when only %i of 3 replicas are up and w is 3', (up) => {
    const world = startWorld({ seed: 60 + up, nodes: 3 })
    const key = keyLedBy(world, 2)
    takeDown(world, preference(world, key).slice(up, 3))
    for (const dw of [0, 1, 3]) {
      expect(put(world, key, 'never', { w: 3, dw })).toMatchObject({
        type: 'put-failed',
        code: 'unavailable',
        details: { needed: 3, reached: up, of: 3 },
      })
    }
    world.pass(2_000)
    expectNoTrace(world, key)
    // Nor after everybody is back.
    world.start()
    world.runUntil(() => world.whole)
    expectNoTrace(world, key)
  })

  it('is answered at once, not at its deadline', () => {
    const world = startWorld({ seed: 63, nodes: 3 })
    takeDown(world, preference(world, 'k').slice(1))
    const request = world.client.put('k', 'v', { w: 2, timeoutMs: 5_000 })
    const begun = world.now()
    world.runUntil(() => request.answer !== undefined)
    expect(request.answer).toMatchObject({ code: 'unavailable' })
    expect((request.answeredAt ?? 0) - begun).toBeLessThan(5)
  })

  it('a read with r=1 succeeds while any replica is up, whichever it is', () => {
    for (let alive = 0; alive < 3; alive++) {
      const world = startWorld({ seed: 64 + alive, nodes: 3 })
      put(world, 'k', 'v', { w: 3 })
      takeDown(
        world,
        preference(world, 'k').filter((_, index) => index !== alive),
      )
      expect(get(world, 'k', { r: 1 })).toMatchObject({ type: 'get-answered' })
      expect(put(world, 'k', 'w', { w: 1 })).toMatchObject({ type: 'put-answered', stored: 1 })
    }
  })
})
