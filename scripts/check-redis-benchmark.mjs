// Starts the built server on a free port, lets redis-benchmark set and get, plain and pipelined, ends the
// server with SIGTERM and expects 0 of both. Says the rates; they are of this machine and promise nothing.
// Exits with 1 when something fails, with 2 when there is no redis-benchmark.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const say = (text) => process.stdout.write(`${text}\n`)
const readyMsMax = 60_000
const endMsMax = 60_000

if (spawnSync('redis-benchmark', ['--version']).error !== undefined) {
  say('  skip  redis-benchmark is not installed')
  process.exit(2)
}

const dir = mkdtempSync(join(tmpdir(), 'ringspun-benchmark-'))
const server = spawn(
  process.execPath,
  [
    join(root, 'dist/cli/main.js'),
    'serve',
    '--dir',
    join(dir, 'data'),
    '--port',
    '0',
    '--nodes',
    '3',
    '--memory',
    '64',
    '--quiet',
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
)
const ended = new Promise((resolve) => server.once('exit', (code, signal) => resolve(code ?? signal)))
process.once('exit', () => server.kill('SIGKILL'))

function port() {
  return new Promise((resolve, reject) => {
    let said = ''
    const timer = setTimeout(() => reject(new Error('the server is not ready in time')), readyMsMax)
    const settle = (then) => {
      clearTimeout(timer)
      then()
    }
    server.stdout.on('data', (chunk) => {
      said += chunk
      const found = /^ringspun ready resp=.*:(\d+) nodes=3 pid=\d+$/m.exec(said)?.[1]
      if (found !== undefined) settle(() => resolve(found))
    })
    ended.then((code) => settle(() => reject(new Error(`the server ended with ${code} before it was ready`))))
  })
}

function benchmark(at, name, args) {
  const done = spawnSync(
    'redis-benchmark',
    ['-h', '127.0.0.1', '-p', at, '-t', 'set,get', '-r', '10000', '-q', ...args],
    {
      encoding: 'utf8',
      timeout: 180_000,
    },
  )
  const text = `${done.stdout}\n${done.stderr}`
  const rates = text.split(/[\r\n]+/).filter((line) => /requests per second/.test(line))
  // It ends with 0 although the server answers errors: they are in what it prints.
  const isWell = done.status === 0 && rates.length === 2 && !/error/i.test(text)
  say(
    `  ${isWell ? 'ok  ' : 'FAIL'}  ${name}: ${isWell ? rates.map((rate) => rate.trim()).join('; ') : text}`,
  )
  return isWell
}

let failed = 0
try {
  const at = await port()
  if (!benchmark(at, 'redis-benchmark', ['-n', '10000', '-c', '50'])) failed++
  if (!benchmark(at, 'redis-benchmark -P 16', ['-n', '50000', '-c', '50', '-P', '16'])) failed++
  server.kill('SIGTERM')
  const late = new Promise((resolve) => setTimeout(resolve, endMsMax, 'nothing, it did not end').unref())
  const code = await Promise.race([ended, late])
  say(`  ${code === 0 ? 'ok  ' : 'FAIL'}  the server ended with ${code} after SIGTERM`)
  if (code !== 0) failed++
} catch (error) {
  say(`  FAIL  ${error.message}`)
  failed++
}
server.kill('SIGKILL')
await ended
rmSync(dir, { recursive: true, force: true })
process.exit(failed === 0 ? 0 : 1)
