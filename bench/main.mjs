// npm run bench [-- NAME [--seconds S]]: one file a question. Prints a table, and the same as JSON to
// bench/results/NAME.json. Compare columns of one run, never runs: machines differ and are shared.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'

process.env.UV_THREADPOOL_SIZE ??= '16'

const here = fileURLToPath(new URL('.', import.meta.url))
const names = readdirSync(here)
  .filter(
    (file) =>
      file.endsWith('.mjs') && !['main.mjs', 'tools.mjs'].includes(file) && !file.endsWith('-worker.mjs'),
  )
  .map((file) => file.slice(0, -4))

const args = process.argv.slice(2)
const name = args.find((arg) => !arg.startsWith('--')) ?? 'baseline'
if (!names.includes(name)) {
  console.error(`there is no benchmark ${JSON.stringify(name)}; there are ${names.join(', ')}`)
  process.exit(64)
}
const at = args.indexOf('--seconds')
const seconds = at >= 0 ? Number(args[at + 1]) : 3

const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  platform: `${process.platform} ${process.arch}`,
}
console.log(
  `${name}: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Node ${machine.node}\n`,
)
const { run } = await import(`./${name}.mjs`)
const results = await run({ seconds })
mkdirSync(`${here}/results`, { recursive: true })
const file = `${here}/results/${name}.json`
writeFileSync(
  file,
  `${JSON.stringify({ name, at: new Date().toISOString(), machine, seconds, results }, null, 2)}\n`,
)
console.log(`\nwritten to bench/results/${name}.json`)
