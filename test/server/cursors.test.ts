// The numbers of SCAN cursors: bounded whatever clients do, and two per iteration that is under way.
// Bounds are set small, so that a test reaches them in a few steps.
// What a cursor means to the cluster is tested elsewhere.

import { expect, test } from 'vitest'
import { CursorTable } from '../../src/server/cursors.js'

test('a number leads back to its cursor, as often as it is asked for, and only for its bucket', () => {
  const table = new CursorTable(100)
  const number = table.add('abc', 'default', 0)
  expect(number).toBe(101)
  expect([table.find(number, 'default'), table.find(number, 'default')]).toEqual(['abc', 'abc'])
  expect(table.find(number, 'other')).toBeUndefined()
  expect(table.find(number + 1, 'default')).toBeUndefined()
})

test('an iteration of a thousand pages holds two numbers', () => {
  const table = new CursorTable(0)
  let number = 0
  for (let page = 0; page < 1000; page++) {
    expect(number === 0 || table.find(number, 'b') === `page ${page - 1}`).toBe(true)
    number = table.add(`page ${page}`, 'b', number)
  }
  expect(table.size).toBe(2)
  table.end(number)
  expect(table.size).toBe(1)
})

test('iterations that are never finished push out the longest unused', () => {
  const table = new CursorTable(0, { cursorsMax: 10 })
  const numbers = Array.from({ length: 10 }, (_, i) => table.add(`c${i}`, 'b', 0))
  table.find(numbers[0] as number, 'b')
  table.add('new', 'b', 0)
  expect(table.size).toBe(10)
  expect(table.find(numbers[0] as number, 'b')).toBe('c0')
  expect(table.find(numbers[1] as number, 'b')).toBeUndefined()
})

test('long cursors are bounded by their bytes', () => {
  const table = new CursorTable(0, { bytesMax: 1000 })
  for (let i = 0; i < 100; i++) table.add('x'.repeat(400), 'b', 0)
  expect(table.size).toBe(2)
})
