// One thread of bench/threads.mjs: attaches, says that it is ready, measures when it is told to.

import { parentPort, workerData } from 'node:worker_threads'
import { Cluster } from '../dist/index.js'
import { rate } from './tools.mjs'

const { handle, keys } = workerData
const cluster = await Cluster.attach(handle)
const bucket = cluster.bucket('default')
const value = Buffer.alloc(100, 'y')
const keyOf = (i) => `user${String((i * 7919) % keys).padStart(8, '0')}`
const ops = { get: (i) => bucket.get(keyOf(i)), put: (i) => bucket.put(keyOf(i), value) }
parentPort.on('message', async ({ what, seconds }) => {
  parentPort.postMessage(await rate(ops[what], 64, seconds))
})
parentPort.postMessage('ready')
