// The rounds of `npm run chaos`: each makes a real fault on a real cluster, and says what was lost by it.

import {
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { native } from './native.mjs'
import { served } from './redis.mjs'
import { staged } from './stages.mjs'
import { blocked, heap, terminated, uncaught } from './threads.mjs'
import { begin, defaults, digest, end, folder, has, isRoot, must, progress, sleep, Tally } from './tools.mjs'

const random = (below) => Math.floor(Math.random() * below)

/** The process dies at any moment, again and again, also while it opens. */
async function killed(name, cycles, settings, mustBeZero) {
  const tally = new Tally(name, mustBeZero)
  const at = folder()
  const [dir, notes] = [join(at, 'data'), join(at, 'notes')]
  for (let cycle = 0; cycle < cycles; cycle++) {
    const life = await begin(dir, notes, settings)
    tally.add(life.report)
    if (cycle % 4 === 3) await sleep(random(30))
    else await progress(life, 2_000 + random(60_000))
    await end(life)
    tally.written += digest(notes).count - (cycle === 0 ? 0 : defaults.keys)
  }
  const last = await begin(dir, notes, { ...settings, writes: false })
  tally.add(last.report)
  await last.exit
  return tally.done()
}

/** A file system in a file, copied while it is written to: what a power cut leaves. */
async function power(cycles) {
  if (!isRoot) return 'needs root, to mount'
  const tally = new Tally('power cuts, dw 1, level disk')
  const at = folder()
  const [image, copy, here, there, notes] = ['image', 'copy', 'here', 'there', 'notes'].map((name) =>
    join(at, name),
  )
  mkdirSync(here)
  mkdirSync(there)
  must('truncate', '-s', '512M', image)
  must('mkfs.ext4', '-q', '-F', image)
  try {
    must('mount', '-o', 'loop', image, here)
  } catch (error) {
    return `cannot mount: ${error.message}`
  }
  let life
  try {
    life = await begin(join(here, 'data'), notes)
    for (let cycle = 0; cycle < cycles; cycle++) {
      await progress(life, 5_000 + random(40_000))
      const before = join(at, `notes-${cycle}`)
      cpSync(notes, before)
      must('cp', '--sparse=always', image, copy)
      must('mount', '-o', 'loop', copy, there)
      try {
        // What was noted while the copy was made may be there or not.
        const after = join(at, `after-${cycle}`)
        cpSync(before, after)
        const next = await begin(join(there, 'data'), after, { writes: false })
        await next.exit
        tally.add({ lost: next.report.lost, strange: [] })
        tally.written = Math.max(tally.written, readFileSync(before, 'latin1').split('\n').length - 1)
      } finally {
        must('umount', there)
        rmSync(copy)
      }
    }
  } finally {
    if (life !== undefined) await end(life)
    must('umount', here)
  }
  return tally.done()
}

async function stopped(cycles) {
  const tally = new Tally('stopped for seconds and continued, then killed')
  const at = folder()
  const [dir, notes] = [join(at, 'data'), join(at, 'notes')]
  for (let cycle = 0; cycle < cycles; cycle++) {
    const life = await begin(dir, notes)
    tally.add(life.report)
    await progress(life, 5_000)
    life.child.kill('SIGSTOP')
    await sleep(1_000 + random(3_000))
    life.child.kill('SIGCONT')
    if (!(await progress(life, 5_000))) tally.strange.push('it does not go on')
    await end(life)
    tally.written += digest(notes).count
  }
  const last = await begin(dir, notes, { writes: false })
  tally.add(last.report)
  return tally.done()
}

/** On a small file system: `spoil` makes writing impossible, `mend` possible again. */
async function onSmallDisk(name, spoil, mend) {
  if (!isRoot) return 'needs root, to mount'
  const tally = new Tally(name)
  const at = folder()
  const [disk, notes] = [join(at, 'disk'), join(at, 'notes')]
  mkdirSync(disk)
  try {
    must('mount', '-t', 'tmpfs', '-o', 'size=96m', 'tmpfs', disk)
  } catch (error) {
    return `cannot mount: ${error.message}`
  }
  let life
  try {
    life = await begin(join(disk, 'data'), notes)
    await progress(life, 20_000)
    spoil(disk)
    await sleep(6_000)
    life.child.kill('SIGUSR2')
    const { errors } = await life.next()
    mend(disk)
    tally.words.push(`puts that failed meanwhile: ${JSON.stringify(errors)}`)
    await sleep(1_000)
    await end(life)
    tally.written = digest(notes).count
    const last = await begin(join(disk, 'data'), notes, { writes: false })
    tally.add(last.report)
    await last.exit
  } finally {
    if (life !== undefined) await end(life)
    must('umount', '-l', disk)
  }
  return tally.done()
}

const fullDisk = () =>
  onSmallDisk(
    'a full disk, and room again',
    (disk) => {
      const ballast = openSync(join(disk, 'ballast'), 'w')
      const block = Buffer.alloc(64 * 1024)
      try {
        for (;;) writeSync(ballast, block)
      } catch {
        closeSync(ballast)
      }
    },
    (disk) => rmSync(join(disk, 'ballast')),
  )

/** The directory is mounted read-only when it is to be opened: refused with a code, and well when it can be written. */
async function unwritable() {
  if (!isRoot) return 'needs root, to mount'
  const tally = new Tally('a directory that cannot be written when it is opened')
  const at = folder()
  const [dir, notes] = [join(at, 'data'), join(at, 'notes')]
  const life = await begin(dir, notes)
  await progress(life, 20_000)
  await end(life)
  tally.written = digest(notes).count
  try {
    must('mount', '--bind', dir, dir)
    must('mount', '-o', 'remount,ro,bind', dir)
  } catch (error) {
    return `cannot mount: ${error.message}`
  }
  try {
    await end(await begin(dir, notes, { writes: false }))
    tally.strange.push('it was opened')
  } catch (error) {
    const code = /code: '([a-z-]+)'/.exec(error.message)?.[1]
    if (code === undefined) tally.strange.push(error.message)
    tally.words.push(`refused as ${code}`)
  } finally {
    must('umount', dir)
  }
  const last = await begin(dir, notes, { writes: false })
  tally.add(last.report)
  await last.exit
  return tally.done()
}

/** Files of one node's store are damaged while nobody has them open. Its peers have everything. */
async function corrupt() {
  const tally = new Tally('a damaged store of one node')
  const kinds = [/^CURRENT$/, /^MANIFEST-/, /\.sst$/, /\.log$/, /^OPTIONS-/, /^IDENTITY$/]
  const ways = {
    flipped: (bytes) => {
      for (let i = 0; i < 8; i++) bytes[random(bytes.length)] ^= 1 << random(8)
      return bytes
    },
    cut: (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2)),
    emptied: () => Buffer.alloc(0),
  }
  for (const kind of kinds) {
    for (const [way, damage] of Object.entries(ways)) {
      const at = folder()
      const [dir, notes] = [join(at, 'data'), join(at, 'notes')]
      const life = await begin(dir, notes)
      await progress(life, 20_000)
      await end(life, 'SIGTERM')
      const first = await begin(dir, notes, { writes: false })
      await first.exit
      const store = findStore(dir)
      const names = readdirSync(store).filter((name) => kind.test(name))
      for (const name of names) writeFileSync(join(store, name), damage(readFileSync(join(store, name))))
      if (names.length === 0) continue
      try {
        const last = await begin(dir, notes, { writes: false })
        await last.exit
        tally.add(last.report)
      } catch (error) {
        tally.cycles++
        tally.strange.push(`${names[0]} ${way}: ${error.message.slice(0, 300)}`)
      }
      tally.written += digest(notes).count
      rmSync(at, { recursive: true })
    }
  }
  return tally.done()
}

/** Where the first node keeps its rows. */
function findStore(dir) {
  for (const each of readdirSync(dir, { withFileTypes: true, recursive: true })) {
    if (each.name === 'CURRENT') return each.parentPath ?? each.path
  }
  throw new Error(`no store in ${dir}`)
}

async function files() {
  const tally = new Tally('few files may be open')
  for (const limit of [40, 64, 100, 200]) {
    const at = folder()
    const [dir, notes] = [join(at, 'data'), join(at, 'notes')]
    const wrap = ['sh', '-c', `ulimit -n ${limit}; exec "$@"`, 'sh']
    try {
      const life = await begin(dir, notes, {}, wrap)
      await progress(life, 20_000, 10_000)
      await end(life)
      tally.words.push(`${limit}: it runs`)
    } catch (error) {
      const code = /code: '([a-z-]+)'/.exec(error.message)?.[1]
      tally.words.push(`${limit}: ${code ?? 'it ends'}`)
    }
    tally.written += digest(notes).count
    const last = await begin(dir, notes, { writes: false })
    tally.add(last.report)
    await last.exit
  }
  return tally.done()
}

/** Only what says the time of day jumps, by libfaketime: between two lives, and in the middle of each. */
async function clock(cycles) {
  if (!has('faketime')) return 'faketime is not installed'
  const tally = new Tally('the clock jumps by an hour and by a year, between lives and within them')
  const at = folder()
  const [dir, notes, offset] = [join(at, 'data'), join(at, 'notes'), join(at, 'offset')]
  // The wrapper itself would be killed instead of what it runs.
  const library = must('faketime', '-m', '-f', '+0', 'printenv', 'LD_PRELOAD').trim()
  const names = { LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: offset, FAKETIME_CACHE_DURATION: 1 }
  Object.assign(names, { FAKETIME_DONT_FAKE_MONOTONIC: 1, DONT_FAKE_MONOTONIC: 1 })
  const wrap = ['env', ...Object.entries(names).map(([name, value]) => `${name}=${value}`)]
  const jumps = ['+0', '+1h', '-1h', '+1y']
  for (let cycle = 0; cycle < cycles; cycle++) {
    writeFileSync(offset, jumps[cycle % 4])
    const life = await begin(dir, notes, {}, wrap)
    tally.add(life.report)
    await progress(life, 10_000)
    writeFileSync(offset, jumps[(cycle + 1 + random(3)) % 4])
    await sleep(1_100)
    if (!(await progress(life, 10_000))) tally.strange.push('it does not go on')
    await end(life)
    tally.written += digest(notes).count
  }
  const last = await begin(dir, notes, { writes: false })
  tally.add(last.report)
  return tally.done()
}

export const rounds = {
  'kill-9': (cycles = 200) => killed('kill -9, dw 1, level disk', cycles, {}, true),
  'kill-9-os': (cycles = 20) =>
    killed('kill -9, dw 1, level os', cycles, { bucket: { ...defaults.bucket, durability: 'os' } }, true),
  'kill-9-memory': (cycles = 20) =>
    killed('kill -9, dw 0 (may lose)', cycles, { bucket: { ...defaults.bucket, dw: 0 } }, false),
  terminate: (cycles = 1_000) => terminated(cycles),
  native: (cycles = 2_000) => native(cycles),
  stages: (cycles = 20, only = '') => staged(cycles, only),
  uncaught: (cycles = 200) => uncaught(cycles),
  heap: (cycles = 10) => heap(cycles),
  blocked: (cycles = 30) => blocked(cycles),
  redis: (cycles = 40) => served(cycles),
  power: (cycles = 20) => power(cycles),
  stop: (cycles = 3) => stopped(cycles),
  'full-disk': fullDisk,
  unwritable,
  corrupt,
  files,
  clock: (cycles = 8) => clock(cycles),
}
