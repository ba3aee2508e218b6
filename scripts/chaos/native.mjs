// The round `native`: threads that are ended while they call native code as often as they can. What goes wrong there
// takes the whole process, so it is one of its own.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { ending, folder, Tally } from './tools.mjs'

const script = fileURLToPath(new URL('./native-life.mjs', import.meta.url))

export async function native(cycles) {
  const tally = new Tally('threads ended among calls of native code')
  const child = spawn(process.execPath, [script, folder(), String(cycles)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  ending(child)
  child.stdout.on('data', (said) => {
    tally.cycles = Number(said)
  })
  const [code, signal] = await once(child, 'close')
  if (code !== 0) tally.strange.push(`the process ended with ${signal ?? code}`)
  return tally.done()
}
