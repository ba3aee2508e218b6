// One life of a process that is to be ended: opens a cluster in a directory, verifies what earlier lives were told is
// written, then writes until it dies, and notes each write when it has been acknowledged. What is noted is outside of
// the directory and outlives the process. Arguments: directory, notes, settings as JSON.
//
// The oracle: each key has one writer, which writes 1, 2, 3 and waits for each. A value at least as new as the last
// that was noted must be there, and at most one newer; anything else is lost, or comes from nowhere.

import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { Cluster } from '../../dist/index.js'

const [dir, notes, given] = process.argv.slice(2)
const { bucket: settings, keys, writes = true, deep = false, ...options } = JSON.parse(given)
const began = performance.now()
const logged = []
const cluster = await Cluster.open({ dir, ...options, log: (level, text) => logged.push(`${level} ${text}`) })
const openedMs = Math.round(performance.now() - began)
const bucket = cluster.bucket('chaos', settings)

const numbers = new Map()
if (existsSync(notes)) {
  for (const line of readFileSync(notes, 'latin1').split('\n')) {
    const [key, number] = line.split(' ')
    if (number) numbers.set(key, Math.max(numbers.get(key) ?? 0, Number(number)))
  }
}

async function readAll(names) {
  for (let tries = 0; ; tries++) {
    try {
      return await bucket.getMany(names, { r: 2, timeout: 60_000 })
    } catch (error) {
      if (error.outcome !== 'refused' || tries > 2_000) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

async function verify() {
  const names = Array.from({ length: keys }, (_, i) => `k${i}`)
  const results = await readAll(names)
  const lost = []
  const strange = []
  for (const [i, { values }] of results.entries()) {
    const key = names[i]
    const noted = numbers.get(key) ?? 0
    const found = values.map((value) => String(value).split(' '))
    const newest = Math.max(0, ...found.map(([, number]) => Number(number)))
    if (found.some(([name]) => name !== key) || newest > noted + 1)
      strange.push(`${key}: ${newest} after ${noted}`)
    if (newest < noted) lost.push(`${key}: ${newest} of ${noted}`)
    // What was never noted may have happened all the same.
    numbers.set(key, Math.max(newest, noted))
  }
  return { lost, strange, contexts: results.map(({ context }) => context) }
}

const { lost, strange, contexts } = await verify()
if (deep) {
  const comparison = await cluster.verify?.()
  logged.push(`verify ${JSON.stringify(comparison?.equal)}`)
}
process.stdout.write(`${JSON.stringify({ openedMs, lost, strange, logged })}\n`)

const pending = []
/** Resolves when it is in the file: the next number is not written before, or a kill between the two leaves two. */
function note(key, number) {
  if (pending.length === 0) setImmediate(flush)
  return new Promise((resolve) => pending.push({ line: `${key} ${number}`, resolve }))
}
function flush() {
  appendFileSync(notes, `${pending.map(({ line }) => line).join('\n')}\n`)
  for (const { resolve } of pending.splice(0)) resolve()
}

const errors = {}
async function write(key, context) {
  let number = numbers.get(key) ?? 0
  let seen = context
  const padding = '.'.repeat(100)
  for (;;) {
    const next = number + 1
    try {
      const put = await bucket.put(key, `${key} ${next} ${padding}`, { context: seen, timeout: 60_000 })
      seen = put.context
      number = next
      await note(key, number)
    } catch (error) {
      errors[error.code] = (errors[error.code] ?? 0) + 1
      // What became of it nobody knows: the same number again, so that one write is never two.
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

if (writes) {
  for (let i = 0; i < keys; i++) void write(`k${i}`, contexts[i])
  process.on('SIGUSR2', () => process.stdout.write(`${JSON.stringify({ errors })}\n`))
} else {
  await cluster.close()
}
