// `npm run chaos -- [ROUND...] [--cycles N]`: real faults on the real thing. Without a name all rounds. One line a
// round; what cannot be done here is skipped with a word. Exits with 1 when something was lost that must not be.

import { rounds } from './rounds.mjs'
import { say } from './tools.mjs'

const args = process.argv.slice(2)
const at = args.indexOf('--cycles')
const cycles = at < 0 ? undefined : Number(args[at + 1])
const names = args.filter((_, i) => at < 0 || (i !== at && i !== at + 1))
const unknown = names.find((name) => !(name in rounds))
if (unknown !== undefined || (cycles !== undefined && !(cycles > 0))) {
  say(`usage: npm run chaos -- [ROUND...] [--cycles N]; rounds: ${Object.keys(rounds).join(', ')}`)
  process.exit(64)
}
// One for each folder of a round.
process.setMaxListeners(1_000)
let failed = 0
for (const name of names.length > 0 ? names : Object.keys(rounds)) {
  const began = performance.now()
  let outcome
  try {
    outcome = await rounds[name](cycles)
  } catch (error) {
    say(`FAILED ${name}: ${error.stack}`)
    outcome = false
  }
  if (typeof outcome === 'string') say(`skip   ${name}: ${outcome}`)
  else say(`       ${name}: ${Math.round((performance.now() - began) / 1_000)} s`)
  if (outcome === false) failed++
}
process.exit(failed > 0 ? 1 : 0)
