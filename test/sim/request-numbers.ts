// Moves the actors of a simulated world near the end of their request numbers.

import type { World } from '../../src/sim/world.js'

interface Numbered {
  lastRequest: number
}

function numbered(world: World): Numbered[] {
  const all: Numbered[] = [world['host'].gateway]
  for (const { host } of world.nodes.values()) {
    if (host === undefined) continue
    const { gateway, courier, mender, reaper } = host['cast']
    for (const actor of [gateway, courier, mender, reaper, ...host['vnodes']]) {
      if (actor !== undefined) all.push(actor)
    }
  }
  return all
}

/** All have so many numbers left. */
export function wrapSoon(world: World, left: number): void {
  for (const actor of numbered(world)) actor.lastRequest = 0xffff_ffff - left
}

/** True when some have begun again, and none has gone on beyond the end. */
export function firstAfterWrap(world: World): boolean {
  const last = numbered(world).map(({ lastRequest }) => lastRequest)
  return last.some((each) => each > 0 && each < 0x8000_0000) && last.every((each) => each <= 0xffff_ffff)
}
