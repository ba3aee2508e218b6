// What the checks of assumptions share: a thread from a text, its messages and its end, and a failure with a reason.
// Plain JavaScript, nothing but Node: scripts/check-package.mjs runs the checks on every supported line.

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** Throws when what was assumed is not so. */
export function hold(isSo, reason) {
  if (!isSo) throw new Error(reason)
}

/** What a check returns when it cannot be made here. */
export function skipped(reason) {
  return { skipped: reason }
}

const preamble = `
  const { parentPort, workerData } = require('node:worker_threads')
  const words = workerData.words && new Int32Array(workerData.words)
`

/** A thread that runs `source`, which sees `parentPort`, `workerData` and `words`, a view of `workerData.words`. */
export function thread(source, workerData = {}, options = {}) {
  return new Worker(preamble + source, { eval: true, workerData, ...options })
}

/** Shared words, all 0. */
export function sharedWords(count = 16) {
  return new Int32Array(new SharedArrayBuffer(count * 4))
}

export async function message(from) {
  const [value] = await once(from, 'message')
  return value
}

/** The exit codes that have come so far, and the first of them. */
export function watchExit(worker) {
  const codes = []
  const first = new Promise((resolve) => {
    worker.on('exit', (code) => {
      codes.push(code)
      resolve(code)
    })
  })
  return { codes, first }
}

/** Lets everything happen that is due: several rounds of the event loop. */
export async function rounds(count = 5) {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Waits for a word to reach a value, without a round of the event loop. */
export function awaitWord(words, at, value) {
  const end = Date.now() + 4_000
  for (let seen = Atomics.load(words, at); seen < value; seen = Atomics.load(words, at)) {
    hold(Date.now() < end, `word ${at} is ${seen} and not ${value}`)
    Atomics.wait(words, at, seen, 10)
  }
}

/** The callback style of the store as a promise. */
export function promised(call) {
  return new Promise((resolve, reject) => {
    call((error, result) => (error === undefined ? resolve(result) : reject(error)))
  })
}
