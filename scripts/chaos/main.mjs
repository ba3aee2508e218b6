// `npm run chaos -- [ROUND[=N]...] [--cycles N] [--only TEXT]`: real faults on the real thing, N times. Without a name
// all rounds. `--only`: of `stages` those whose name has that text.
// One line a round; what cannot be done here is skipped with a word. Exits with 1 when something was lost that must not be.

import { rounds } from './rounds.mjs'
import { say } from './tools.mjs'

const args = process.argv.slice(2)
/** What comes after the name of an option; both leave the list. */
function option(name) {
  const at = args.indexOf(name)
  return at < 0 ? undefined : args.splice(at, 2)[1]
}
const wanted = option('--cycles')
const cycles = wanted === undefined ? undefined : Number(wanted)
const only = option('--only')
const named = args.map((text) => {
  const [name, own] = text.split('=')
  return { name, cycles: own === undefined ? cycles : Number(own) }
})
const isWrong = (each) => !(each.name in rounds) || (each.cycles !== undefined && !(each.cycles > 0))
if (named.some(isWrong) || (cycles !== undefined && !(cycles > 0))) {
  const rule = 'npm run chaos -- [ROUND[=N]...] [--cycles N] [--only TEXT]'
  say(`usage: ${rule}; rounds: ${Object.keys(rounds).join(', ')}`)
  process.exit(64)
}
// One for each folder of a round.
process.setMaxListeners(1_000)
let failed = 0
const all = Object.keys(rounds).map((name) => ({ name, cycles }))
for (const { name, cycles: own } of named.length > 0 ? named : all) {
  const began = performance.now()
  let outcome
  try {
    outcome = await rounds[name](own, only)
  } catch (error) {
    say(`FAILED ${name}: ${error.stack}`)
    outcome = false
  }
  if (typeof outcome === 'string') say(`skip   ${name}: ${outcome}`)
  else say(`       ${name}: ${Math.round((performance.now() - began) / 1_000)} s`)
  if (outcome === false) failed++
}
process.exit(failed > 0 ? 1 : 0)
