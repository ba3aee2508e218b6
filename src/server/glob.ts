// Patterns as KEYS, SCAN MATCH and CONFIG GET know them: * ? [abc] [^a-z] and \ before a character that means
// itself. Bytes, not characters. Unlike the recursive matcher of Redis it goes back to the last star only, so
// a hostile pattern costs at most (length of the pattern) x (length of the key) steps, never exponential time.

const star = 42
const question = 63
const open = 91
const close = 93
const caret = 94
const dash = 45
const backslash = 92

/** Bytes of a pattern. */
export const patternBytesMax = 4096

export function globMatches(pattern: Uint8Array, text: Uint8Array): boolean {
  let p = 0
  let t = 0
  let retryPattern = -1
  let retryText = 0
  while (t < text.length) {
    const token = pattern[p]
    if (token === star) {
      retryPattern = ++p
      retryText = t
      continue
    }
    const next = token === undefined ? -1 : step(pattern, p, text[t] as number)
    if (next >= 0) {
      p = next
      t++
    } else if (retryPattern >= 0) {
      p = retryPattern
      t = ++retryText
    } else {
      return false
    }
  }
  while (pattern[p] === star) p++
  return p === pattern.length
}

/** Where the pattern goes on when its element at `at` accepts `byte`, or -1. */
function step(pattern: Uint8Array, at: number, byte: number): number {
  const token = pattern[at]
  if (token === question) return at + 1
  if (token === open) return stepClass(pattern, at + 1, byte)
  if (token === backslash && at + 1 < pattern.length) return pattern[at + 1] === byte ? at + 2 : -1
  return token === byte ? at + 1 : -1
}

/** A class that is not closed ends with the pattern, as in Redis. */
function stepClass(pattern: Uint8Array, start: number, byte: number): number {
  let at = start
  const negated = pattern[at] === caret
  if (negated) at++
  let found = false
  while (at < pattern.length && pattern[at] !== close) {
    if (pattern[at] === backslash && at + 1 < pattern.length) at++
    let low = pattern[at] as number
    let high = low
    if (pattern[at + 1] === dash && at + 2 < pattern.length) {
      high = pattern[at + 2] as number
      at += 2
      if (low > high) [low, high] = [high, low]
    }
    if (byte >= low && byte <= high) found = true
    at++
  }
  return found === negated ? -1 : Math.min(at + 1, pattern.length)
}
