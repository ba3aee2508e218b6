// Checks the package as others get it: packs it, lints it, and installs the packed file into an empty folder,
// where scripts/consumer.mjs runs on each line of Node that is supported, and after it what is assumed of Node and
// RocksDB (test/assumptions). Runtimes come from npm. Exits with 1 when anything fails. `node scripts/check-package.mjs 22 24` tries those lines only.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const lines = process.argv.length > 2 ? process.argv.slice(2) : ['20', '22', '24', '26']
const temporary = mkdtempSync(join(tmpdir(), 'ringspun-package-'))
const say = (text) => process.stdout.write(`${text}\n`)

function run(command, args, options = {}) {
  const done = spawnSync(command, args, { encoding: 'utf8', cwd: root, timeout: 300_000, ...options })
  if (done.status === 0) return done.stdout
  const reason = done.error?.message ?? `status ${done.status ?? done.signal}`
  throw new Error(`${command} ${args.join(' ')}: ${reason}\n${done.stdout ?? ''}${done.stderr ?? ''}`)
}

const failures = []

function step(name, work) {
  const began = Date.now()
  try {
    const more = work()
    say(`  ok    ${name}${more ? `: ${more}` : ''} (${((Date.now() - began) / 1000).toFixed(1)} s)`)
    return true
  } catch (error) {
    failures.push(name)
    say(`  FAIL  ${name}: ${error.message}`)
    return false
  }
}

let packed = ''
const tool = (name) => join(root, 'node_modules', '.bin', name)
const isPacked = step('npm pack', () => {
  const [{ filename, size, entryCount }] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', temporary]),
  )
  packed = join(temporary, filename)
  return `${filename}, ${entryCount} files, ${Math.round(size / 1024)} KiB`
})
if (isPacked) {
  step('publint', () => void run(tool('publint'), ['run', packed, '--strict']))
  step('attw', () => void run(tool('attw'), [packed, '--profile', 'esm-only', '--no-emoji']))
  const home = join(temporary, 'home')
  const isInstalled = step('install into an empty folder', () => {
    mkdirSync(home)
    writeFileSync(join(home, 'package.json'), '{ "name": "home", "private": true, "type": "module" }\n')
    run('npm', ['install', '--no-audit', '--no-fund', '--omit=dev', packed], { cwd: home })
    copyFileSync(join(root, 'scripts', 'consumer.mjs'), join(home, 'consumer.mjs'))
  })
  if (isInstalled) for (const line of lines) step(`Node ${line}`, () => tryLine(line, home))
}

/** Fetches the newest runtime of a line, and runs the program and the command line with it. */
function tryLine(line, home) {
  const runtime = `node-${process.platform}-${process.arch}`
  const prefix = join(temporary, `node-${line}`)
  mkdirSync(prefix)
  run('npm', ['install', '--no-audit', '--no-fund', '--prefix', prefix, `${runtime}@${line}`], {
    cwd: prefix,
  })
  const node = join(prefix, 'node_modules', runtime, 'bin', 'node')
  const said = run(node, ['consumer.mjs'], { cwd: home, timeout: 120_000 })
  const dist = join(home, 'node_modules', 'ringspun', 'dist')
  run(node, [join(dist, 'cli', 'main.js'), '--version'], { cwd: home })
  const assumed = run(node, [join(root, 'test', 'assumptions', 'run.mjs'), dist])
  rmSync(prefix, { recursive: true, force: true })
  return `${said.trim()}; ${assumed.trim()}`
}

rmSync(temporary, { recursive: true, force: true })
process.exitCode = failures.length === 0 ? 0 : 1
