// Splits an inline request (a line typed by a person, telnet or netcat) into its arguments, as Redis does:
// blanks between arguments, "double quotes" with \n \r \t \b \a \\ \" and \xHH, 'single quotes' with \'.
// A closing quote must be followed by a blank or the end. The line is at most 64 KiB: the parser sees to it.

const doubleQuote = 34
const singleQuote = 39
const backslash = 92

function isBlank(byte: number | undefined): boolean {
  return byte === 32 || (byte !== undefined && byte >= 9 && byte <= 13)
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

function unescaped(byte: number): number {
  switch (byte) {
    case 110:
      return 10
    case 114:
      return 13
    case 116:
      return 9
    case 98:
      return 8
    case 97:
      return 7
    default:
      return byte
  }
}

/** The arguments of the line, none for a blank one, or undefined when a quote is not closed. */
export function splitInline(line: Buffer): Buffer[] | undefined {
  const parts: Buffer[] = []
  const scratch = Buffer.allocUnsafe(line.length)
  let at = 0
  for (;;) {
    while (isBlank(line[at])) at++
    if (at >= line.length) return parts
    let length = 0
    while (at < line.length && !isBlank(line[at])) {
      const byte = line[at] as number
      if (byte !== doubleQuote && byte !== singleQuote) {
        scratch[length++] = byte
        at++
        continue
      }
      const closed = quoted(line, at + 1, byte, scratch, length)
      if (closed === undefined) return undefined
      at = closed.at
      length = closed.length
    }
    parts.push(Buffer.from(scratch.subarray(0, length)))
  }
}

/** Copies what is inside quotes to `scratch`; where it went on in both, or undefined when it is not closed. */
function quoted(
  line: Buffer,
  start: number,
  quote: number,
  scratch: Buffer,
  written: number,
): { at: number; length: number } | undefined {
  let at = start
  let length = written
  while (at < line.length) {
    const byte = line[at] as number
    if (byte === quote) {
      if (at + 1 < line.length && !isBlank(line[at + 1])) return undefined
      return { at: at + 1, length }
    }
    if (byte === backslash && at + 1 < line.length) {
      const next = line[at + 1] as number
      if (quote === singleQuote) {
        // Only \' is an escape here; any other backslash is itself.
        scratch[length++] = next === singleQuote ? singleQuote : backslash
        at += next === singleQuote ? 2 : 1
        continue
      }
      const high = next === 120 ? hexDigit(line[at + 2]) : -1
      const low = high < 0 ? -1 : hexDigit(line[at + 3])
      scratch[length++] = low < 0 ? unescaped(next) : high * 16 + low
      at += low < 0 ? 2 : 4
      continue
    }
    scratch[length++] = byte
    at++
  }
  return undefined
}
