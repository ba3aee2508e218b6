// Plants one bug into a copy of the built code and runs seeds until a check finds it. Runs in a worker thread, whose
// modules go with it.

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'

/** All that the simulated world is made of. */
const folders = [
  'base',
  'ring',
  'versions',
  'quorum',
  'merkle',
  'membership',
  'protocol',
  'actors',
  'storage',
]
folders.push('runtime', 'sim')

const { dist, bug, seeds } = workerData
const folder = mkdtempSync(join(tmpdir(), 'ringspun-planted-'))
try {
  parentPort.postMessage(await hunt())
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function hunt() {
  const filter = (from) => !/\.(map|d\.ts)$/.test(from) && !/runtime.threads/.test(from)
  for (const each of folders) cpSync(join(dist, each), join(folder, each), { recursive: true, filter })
  symlinkSync(join(dist, '..', 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  if (bug !== undefined) {
    const path = join(folder, bug.file)
    const text = readFileSync(path, 'utf8')
    const times = text.split(bug.from).length - 1
    if (times !== 1) return { times }
    writeFileSync(
      path,
      text.replace(bug.from, () => bug.to),
    )
  }
  const load = (path) => import(pathToFileURL(join(folder, path)).href)
  const { planOf } = await load('sim/plan.js')
  const { runPlan } = await load('sim/run.js')
  const seen = {}
  for (let tried = 0; tried < seeds; tried++) {
    const seed = (((bug?.near ?? 1) - 1 + tried) % seeds) + 1
    for (const { check, text } of runPlan(planOf(seed, bug?.focus)).violations) {
      seen[check] ??= text
      if (bug === undefined || bug.found.includes(check)) return { times: 1, seed, check, text }
    }
  }
  return { times: 1, seen }
}
