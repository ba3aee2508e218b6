// Runs the checks of assumptions with the Node that runs this, each in a process of its own, against a built product:
//   node run.mjs <dist>            all of them, one line each; exits with 1 when one does not hold
//   node run.mjs <dist> <name>     one of them, in this process; its result as JSON
//   node run.mjs --list            names and titles as JSON

import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { storeChecks } from './stores.mjs'
import { threadChecks } from './threads.mjs'
import { waitingChecks } from './waiting.mjs'

const checks = [...threadChecks, ...waitingChecks, ...storeChecks]
const [dist, name] = process.argv.slice(2)
const say = (text) => process.stdout.write(`${text}\n`)

async function runOne(check) {
  const url = (module) => pathToFileURL(join(resolve(dist), module)).href
  try {
    const result = await check.run({ url, load: (module) => import(url(module)) })
    say(JSON.stringify({ holds: true, ...result }))
  } catch (error) {
    say(JSON.stringify({ holds: false, reason: error.stack }))
    process.exitCode = 1
  }
}

function runAll() {
  let held = 0
  const skips = []
  for (const check of checks) {
    const args = [fileURLToPath(import.meta.url), dist, check.name]
    const { stdout, stderr, status, signal } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      timeout: 60_000,
    })
    const last = stdout.trim().split('\n').at(-1) ?? ''
    const result = status === 0 && last.startsWith('{') ? JSON.parse(last) : undefined
    if (result?.skipped !== undefined) skips.push(`${check.name} (${result.skipped})`)
    else if (result?.holds) held++
    else {
      say(`does not hold: ${check.title}: ${status ?? signal}\n${last}\n${stderr}`)
      process.exitCode = 1
    }
  }
  const left = skips.length === 0 ? '' : `, skipped: ${skips.join(', ')}`
  say(`node ${process.versions.node}: ${held} of ${checks.length} assumptions hold${left}`)
}

if (dist === '--list') say(JSON.stringify(checks.map(({ name, title }) => ({ name, title }))))
else if (name === undefined) runAll()
else await runOne(checks.find((check) => check.name === name))
