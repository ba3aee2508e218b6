// Patterns of KEYS, SCAN and CONFIG GET, as Redis matches them.
// The table follows the matcher of Redis 7, with classes that are not closed and ranges the wrong way round.
// One test is for time: hostile patterns.

import { expect, test } from 'vitest'
import { globMatches } from '../../src/server/glob.js'

test.each<[string, string, boolean]>([
  ['*', '', true],
  ['', '', true],
  ['', 'a', false],
  ['a*c', 'abbbc', true],
  ['a*c', 'abbbd', false],
  ['*a*b*', 'xxaxxbxx', true],
  ['h?llo', 'hello', true],
  ['h?llo', 'hllo', false],
  ['h[ae]llo', 'hallo', true],
  ['h[^e]llo', 'hello', false],
  ['h[^e]llo', 'hbllo', true],
  ['h[a-c]llo', 'hbllo', true],
  ['h[c-a]llo', 'hbllo', true],
  ['h[a-c]llo', 'hdllo', false],
  ['[\\]]', ']', true],
  ['[abc', 'b', true],
  ['\\*', '*', true],
  ['\\*', 'a', false],
  ['a\\', 'a\\', true],
  ['*\0?', 'x\0y', true],
])('%j matches %j: %s', (pattern, text, expected) => {
  expect(globMatches(Buffer.from(pattern, 'latin1'), Buffer.from(text, 'latin1'))).toBe(expected)
})

test('a hostile pattern takes steps by the product of the lengths, not by the power of them', () => {
  expect(globMatches(Buffer.from(`${'a*'.repeat(100)}b`), Buffer.from('a'.repeat(5_000)))).toBe(false)
})
