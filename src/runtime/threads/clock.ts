// The two clocks of a thread. `now` only goes forward and means the same on every thread of the process
// (CLOCK_MONOTONIC), so deadlines can travel. `wall` may jump. test/assumptions/waiting.mjs shows both.

import type { Millis } from '../../base/units.js'

export function now(): Millis {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}

export function wall(): Millis {
  return Date.now()
}
