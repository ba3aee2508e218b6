// npm run bench [-- NAME [--seconds S] [--OPTION VALUE]]: one file a question. Prints a table, and the same as JSON to
// bench/results/NAME.json. Without a name it lists what there is, with the question that each opens with. Compare
// columns of one run, never runs: machines differ and are shared.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
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

const options = {}
const given = []
for (let args = process.argv.slice(2); args.length > 0; ) {
  const [first, ...rest] = args
  if (first.startsWith('--')) options[first.slice(2)] = rest.shift()
  else given.push(first)
  args = rest
}
const [name] = given
if (name === undefined) {
  console.log('npm run bench -- NAME [--seconds S] [--OPTION VALUE]\n')
  for (const each of names) console.log(`  ${each.padEnd(9)}  ${question(each)}`)
  process.exit(0)
}
if (!names.includes(name)) {
  console.error(`there is no benchmark ${JSON.stringify(name)}; there are ${names.join(', ')}`)
  process.exit(64)
}
const seconds = Number(options.seconds ?? 3)

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
const results = await run({ seconds, options })
mkdirSync(`${here}/results`, { recursive: true })
const file = `${here}/results/${name}.json`
writeFileSync(
  file,
  `${JSON.stringify({ name, at: new Date().toISOString(), machine, seconds, options, results }, null, 2)}\n`,
)
console.log(`\nwritten to bench/results/${name}.json`)
// Some clients of the stores that are compared with leave a timer behind.
process.exit(0)

/** The first sentence of the comment that a benchmark opens with. */
function question(of) {
  const lines = readFileSync(`${here}/${of}.mjs`, 'utf8').split('\n')
  const comment = lines.slice(
    0,
    lines.findIndex((line) => !line.startsWith('//')),
  )
  const text = comment.map((line) => line.slice(3)).join(' ')
  return /^.*?[?.](?= |$)/.exec(text)?.[0] ?? text
}
