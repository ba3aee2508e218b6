// How real bytes are spoiled, for the fuzzing of decoders: cut, changed, doubled, spliced with another
// capture, and lengths blown up. All drawn by fast-check, so that a failure prints its seed and shrinks.

import fc from 'fast-check'

const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

/** Values that lengths and counts are overwritten with. */
const extremes: readonly (readonly number[])[] = [
  [0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0x7f],
  [0, 0, 0, 0x80],
  [0xff, 0xff],
  [0x80],
  [0],
]

type Spoil = (bytes: Buffer) => Buffer

const spoil: fc.Arbitrary<Spoil> = fc.oneof(
  place.map(
    (at): Spoil =>
      (bytes) =>
        bytes.subarray(0, Math.floor(at * bytes.length)),
  ),
  fc.tuple(place, fc.integer({ min: 1, max: 255 })).map(([at, flip]): Spoil => {
    return (bytes) => {
      const changed = Buffer.from(bytes)
      const index = Math.floor(at * bytes.length)
      if (index < changed.length) changed[index] = (changed[index] as number) ^ flip
      return changed
    }
  }),
  fc.tuple(place, fc.constantFrom(...extremes)).map(([at, extreme]): Spoil => {
    return (bytes) => {
      const changed = Buffer.from(bytes)
      changed.set(extreme.slice(0, changed.length), Math.floor(at * Math.max(0, changed.length - 4)))
      return changed
    }
  }),
  fc.tuple(place, place).map(([from, to]): Spoil => {
    return (bytes) =>
      Buffer.concat([
        bytes.subarray(0, Math.floor(from * bytes.length)),
        bytes.subarray(Math.floor(to * bytes.length)),
      ])
  }),
  fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 12 })).map(([at, more]): Spoil => {
    return (bytes) => {
      const index = Math.floor(at * bytes.length)
      return Buffer.concat([bytes.subarray(0, index), more, bytes.subarray(index)])
    }
  }),
)

/** One of the captures, spoiled one to four times, or the head of it with the tail of another. */
export function mutated(captures: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const capture = fc.constantFrom(...captures)
  const spoiled = fc
    .tuple(capture, fc.array(spoil, { minLength: 1, maxLength: 4 }))
    .map(([bytes, spoils]) => spoils.reduce<Buffer>((each, next) => next(each), Buffer.from(bytes)))
  const spliced = fc
    .tuple(capture, capture, place, place)
    .map(([head, tail, at, from]) =>
      Buffer.concat([
        head.subarray(0, Math.floor(at * head.length)),
        tail.subarray(Math.floor(from * tail.length)),
      ]),
    )
  return fc.oneof({ weight: 4, arbitrary: spoiled }, { weight: 1, arbitrary: spliced })
}
