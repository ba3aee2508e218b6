// Hybrid logical time (Kulkarni et al., "Logical Physical Clocks", 2014): near the wall clock, yet later than
// everything that was seen, whatever the wall clock does. One number below 2^53: milliseconds and 11 bits of
// count, which may run over into the milliseconds without harm.

import type { Millis } from '../base/units.js'
import type { Stamp } from './object.js'

const perMilli = 2048
/** The end of the year 2099: a wall clock that is far off must not use up the numbers below 2^53 (the year 2109). */
const wallMax: Millis = 4_102_444_800_000

/** A stamp later than `last`, at the wall clock's time (as far as `wallMax`) or after it. */
export function nextStamp(last: Stamp, wall: Millis): Stamp {
  return Math.max(Math.floor(Math.min(wall, wallMax)) * perMilli, last + 1)
}

/** The wall-clock part in seconds: the time of a clock entry. */
export function stampSeconds(stamp: Stamp): number {
  return Math.floor(stampMillis(stamp) / 1000)
}

/** The wall-clock part. */
export function stampMillis(stamp: Stamp): Millis {
  return Math.floor(stamp / perMilli)
}
