// What a write can be asked for besides its value: what was there before, and the expiry of what was there. Both are
// decided by what a quorum has, not by what the coordinator happens to hold.

import { describe, expect, it } from 'vitest'
import type { PutAnswered } from '../../src/protocol/write.js'
import { hashOf } from '../../src/ring/ring.js'
import { internalKey, textsOf } from '../../src/sim/client.js'
import type { World } from '../../src/sim/world.js'
import { decodeObject } from '../../src/versions/object-codec.js'
import { mustPut, preference, put, sendAway, startWorld, takeDown, values } from '../sim/helpers.js'

const latest = 'last-write-wins' as const
const seeds = [1, 2, 3]

/** The texts that the answer says were there before; undefined when it says that nothing was. */
function previousOf(world: World, key: string, answer: PutAnswered): string[] | undefined {
  const { previous } = answer
  return previous && textsOf(decodeObject(previous, hashOf(world.ring, internalKey(key))))
}

describe('what was there before', () => {
  it.each(seeds)('is in the answer when it was asked for, and only then (%i)', (seed) => {
    const world = startWorld({ seed, nodes: 3 })
    const first = mustPut(world, 'k', 'one', { returnPrevious: true, conflicts: latest })
    expect(first).toMatchObject({ existed: false, previous: undefined })
    const second = mustPut(world, 'k', 'two', { returnPrevious: true, conflicts: latest })
    expect(second.existed).toBe(true)
    expect(previousOf(world, 'k', second)).toEqual(['one'])
    expect(mustPut(world, 'k', 'three', { conflicts: latest }).previous).toBeUndefined()
    const gone = mustPut(world, 'k', '', { change: 'delete', returnPrevious: true, conflicts: latest })
    expect(previousOf(world, 'k', gone)).toEqual(['three'])
    const again = mustPut(world, 'k', 'four', { returnPrevious: true, conflicts: latest })
    expect(again.existed).toBe(false)
    expect(previousOf(world, 'k', again) ?? []).toEqual([])
  })

  it.each(seeds)('is all siblings, when there are several (%i)', (seed) => {
    const world = startWorld({ seed, nodes: 3 })
    mustPut(world, 'k', 'one')
    mustPut(world, 'k', 'other')
    const answer = mustPut(world, 'k', 'third', { returnPrevious: true })
    expect(previousOf(world, 'k', answer)).toEqual(['one', 'other'])
  })

  it.each(seeds)('is what the others have, where the coordinator was away (%i)', (seed) => {
    const world = startWorld({ seed, nodes: 3 })
    mustPut(world, 'k', 'old', { w: 3, conflicts: latest })
    const [first] = preference(world, 'k')
    sendAway(world, [first as number])
    mustPut(world, 'k', 'new', { w: 2, conflicts: latest })
    world.start()
    const answer = put(world, 'k', 'newest', { returnPrevious: true, conflicts: latest, timeoutMs: 30_000 })
    expect(answer.type).toBe('put-answered')
    expect(previousOf(world, 'k', answer as PutAnswered)).toEqual(['new'])
  })
})

describe('the expiry of what is there', () => {
  it.each(seeds)('stays when that is asked for, and goes when not (%i)', (seed) => {
    const world = startWorld({ seed, nodes: 3 })
    const expires = world.wall() + 10_000
    for (const key of ['kept', 'plain']) mustPut(world, key, 'one', { expires, conflicts: latest })
    mustPut(world, 'kept', 'two', { keepExpiry: true, conflicts: latest })
    mustPut(world, 'plain', 'two', { conflicts: latest })
    expect(values(world, 'kept', { conflicts: latest })).toEqual(['two'])
    world.pass(11_000)
    const now = world.wall()
    expect(now).toBeGreaterThan(expires)
    const live = (key: string) => mustPut(world, key, 'three', { conflicts: latest }).existed
    expect(live('kept')).toBe(false)
    expect(live('plain')).toBe(true)
  })

  it('is none where nothing is', () => {
    const world = startWorld({ seed: 4, nodes: 3 })
    mustPut(world, 'k', 'one', { keepExpiry: true, conflicts: latest })
    world.pass(120_000)
    expect(mustPut(world, 'k', 'two', { conflicts: latest }).existed).toBe(true)
  })

  it('is that of the dead life of a key no more: what has expired hands nothing on', () => {
    const world = startWorld({ seed: 5, nodes: 3 })
    mustPut(world, 'k', 'one', { expires: world.wall() + 1_000, conflicts: latest })
    world.pass(2_000)
    mustPut(world, 'k', 'two', { keepExpiry: true, conflicts: latest })
    world.pass(60_000)
    expect(values(world, 'k', { conflicts: latest })).toEqual(['two'])
  })
})

it('a write that nobody can take says so, and what was there before is not told', () => {
  const world = startWorld({ seed: 6, nodes: 3 })
  mustPut(world, 'k', 'one', { conflicts: latest })
  takeDown(world, [1, 2])
  const answer = put(world, 'k', 'two', { w: 3, returnPrevious: true, conflicts: latest })
  expect(answer).toMatchObject({ type: 'put-failed', code: 'unavailable' })
})
