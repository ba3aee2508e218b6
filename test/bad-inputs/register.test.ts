// The table of the sixty bad inputs (docs/decisions/bad-inputs.md) is held to its word: each of them once, and each
// that names a test is in that test by its number, or names a file that is there.

import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const at = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url))
const doors = ['api', 'redis', 'data-directory', 'command-line']
const textOf = (door: string) => readFileSync(at(`bad-inputs/${door}.test.ts`), 'utf8')

const page = readFileSync(at('../docs/decisions/bad-inputs.md'), 'utf8')
const rows = page
  .split('\n')
  .filter((line) => /^\| \d+ \|/.test(line))
  .map((line) => {
    const cells = line.slice(2, -2).split(' | ')
    return { number: Number(cells[0]), cells, where: (cells[3] ?? '').split(', ') }
  })

test('sixty rows, in order, each with an answer and a place', () => {
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1))
  expect(rows.filter(({ cells }) => cells.length !== 4 || cells.some((cell) => cell === ''))).toEqual([])
})

test('a row that names a door is in the test of that door, and no test has a row that the table lacks', () => {
  const inTable = rows.flatMap(({ number, where }) =>
    where.filter((each) => doors.includes(each)).map((door) => `${door} #${number}`),
  )
  const inTests = doors.flatMap((door) => {
    const numbers = [...textOf(door).matchAll(/'#(\d+) /g)].map(([, number]) => Number(number))
    return [...new Set(numbers)].map((number) => `${door} #${number}`)
  })
  expect(inTests.sort()).toEqual(inTable.sort())
})

test('a row that names another file names one that is there', () => {
  const others = rows.flatMap(({ where }) => where.filter((each) => !doors.includes(each) && each !== 'none'))
  expect(others.filter((path) => !existsSync(at(path)))).toEqual([])
  expect(rows.filter(({ where }) => where.includes('none')).map(({ number }) => number)).toEqual([30, 57])
})
