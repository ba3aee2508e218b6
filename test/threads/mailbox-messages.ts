// Messages that know what they should look like: life, number, and bytes that follow from both. Mostly small,
// some larger than a quarter of the ring, so that they go in pieces between the others.

const pattern = Buffer.from(Array.from({ length: 1 << 16 }, (_, i) => (i * 167 + (i >>> 7) * 13) & 0xff))
const headerBytes = 8

/** The largest that `writeMessage` makes. */
export const messageBytesMax = 20_000

function spread(life: number, number: number): number {
  return Math.imul(number ^ Math.imul(life, 0x9e3779b1), 0x85ebca6b) >>> 8
}

function lengthOf(life: number, number: number): number {
  const random = spread(life, number)
  if (random % 509 === 0) return headerBytes + (random % (messageBytesMax - headerBytes))
  return headerBytes + (random % 300)
}

/** Writes the message and answers its length. */
export function writeMessage(into: Buffer, life: number, number: number): number {
  const length = lengthOf(life, number)
  into.writeUInt32LE(life, 0)
  into.writeUInt32LE(number, 4)
  pattern.copy(
    into,
    headerBytes,
    spread(life, number) & 0x7fff,
    (spread(life, number) & 0x7fff) + length - headerBytes,
  )
  return length
}

export function lifeOf(bytes: Buffer, start: number): number {
  return bytes.readUInt32LE(start)
}

export function numberOf(bytes: Buffer, start: number): number {
  return bytes.readUInt32LE(start + 4)
}

/** True for all the bytes of one message and no others. */
export function isWhole(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < headerBytes) return false
  const life = lifeOf(bytes, start)
  const number = numberOf(bytes, start)
  if (end - start !== lengthOf(life, number)) return false
  const at = spread(life, number) & 0x7fff
  return pattern.compare(bytes, start + headerBytes, end, at, at + end - start - headerBytes) === 0
}
