// Dynamo 4.1: the paper's hash, against the vectors of RFC 1321 (appendix A.5).

import { describe, expect, test } from 'vitest'
import { md5Position } from '../../src/ring/md5.js'

const vectors = [
  ['', 0xd41d8cd9],
  ['a', 0x0cc175b9],
  ['abc', 0x90015098],
  ['message digest', 0xf96b697d],
  ['abcdefghijklmnopqrstuvwxyz', 0xc3fcd3d7],
  ['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789', 0xd174ab98],
  ['1234567890'.repeat(8), 0x57edf4a2],
] as const

describe('MD5 position', () => {
  test.each(vectors)('of %j', (text, position) => {
    expect(md5Position(text)).toBe(position)
  })

  test('a character is a byte, not its UTF-8', () => {
    expect(md5Position('\xe9')).not.toBe(md5Position('\xc3\xa9'))
  })
})
