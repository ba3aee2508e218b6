// The round `stages`: a node's thread ends at a chosen place of its turn, of a write into shared memory, or of the
// beginning of its next life, under load with w 1 and nothing durable. In a copy of the built code an exit is planted
// at each place: a thread that exits runs not one instruction more, as one that is terminated there. What is built
// and shipped knows nothing of this.

import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Load, Victims } from './load.mjs'
import { folder, sleep, Tally } from './tools.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const random = (below) => Math.floor(Math.random() * below)

/** For a thread that gets little of a busy machine to come to its stage, and for its next life to begin. */
const rebornMsMax = 180_000

/** Before the text, which is there once. */
const before = (stage, file, text, passes = 200) => ({ stage, file, text, passes, isAfter: false })
const after = (stage, file, text, passes = 200) => ({ stage, file, text, passes, isAfter: true })

const loop = 'runtime/threads/loop.js'
const host = 'runtime/host.js'
const journal = 'runtime/journal.js'
const mailbox = 'runtime/mailbox.js'
const buffer = 'storage/object-buffer.js'
const thread = 'runtime/threads/node-thread.js'

/** `passes`: the thread ends when it has come here up to so many times more. */
const stages = [
  after('taken from the mailbox, not read', mailbox, 'this.release((this.position + taken) | 0);'),
  after('gathered', loop, 'this.transport.gather(this.receive);'),
  before('a message is decided next', host, 'const { to } = envelope;\n        if (to.kind === '),
  after('a message was decided', host, 'vnodeActor.receive(state, envelope, this.turn);'),
  before('an object is half in memory', buffer, 'this.copy(key, value, unit * 8'),
  after(
    'an object is in memory, nobody knows',
    buffer,
    'this.copy(key, value, unit * 8 + entryHeaderBytes);',
  ),
  before('all is decided', host, 'this.releaseAll();'),
  before('one of several leaves next', host, 'this.release(envelope);\n        outbox.length = 0'),
  after('all has left, not visible', host, 'this.releaseAll();'),
  before('a frame is half in the mailbox', mailbox, 'this.copyIn(bytes, start, length, frameHeader);'),
  before('a batch is gathered', journal, 'const { gates, level } = this;', 20),
  before('a batch is given away next', journal, 'store.commit(writes, level', 20),
  after('a batch is under way', journal, 'this.committed(error, taken, gates, level, flushEnds));', 20),
  after('a batch is stored', journal, 'this.committing = false;', 20),
  before('a batch is clean next', journal, 'memory.markClean(key, hash, token);'),
  before('the high water is noted next', journal, '\n        highWater.note(this.ports.life', 20),
  after('the high water is noted', journal, 'this.ports.life.incarnation, this.sequence);\n        for', 20),
  before('the log goes next', journal, 'store.deleteRange(', 1),
  before('the turn is visible next', loop, 'const backlog = this.transport.publish();'),
  before('one mailbox is visible next', mailbox, 'Atomics.store(this.ring.words, tailWord'),
  after('one mailbox is visible', mailbox, 'Atomics.store(this.ring.words, tailWord, this.position);'),
  before('the turn is visible', loop, 'this.rest(backlog);'),
]
/** Of the life that follows: it ends here instead of beginning. */
const births = [
  before('the store is open', thread, 'this.store = store;\n        this.meta = await readMeta', 1),
  before('memory is taken over next', thread, 'const adoption = task.predecessor', 1),
  before('memory is half taken over', 'storage/object-buffer-adopt.js', 'const newest = restore(table);', 1),
  before('the log is read next', thread, 'const log = await restoreLog', 1),
  before('memory is taken over', thread, 'const verdict = this.verdict(peersSaw', 1),
  before('the new name is on disk', thread, 'const trees = await this.trees(', 1),
  before('the first turn is next', thread, 'this.run(verdict, incarnation', 1),
]

function plant(dist, { stage, file, text, isAfter }) {
  const path = join(dist, file)
  const code = readFileSync(path, 'utf8')
  const at = code.indexOf(text)
  if (at < 0 || code.indexOf(text, at + 1) >= 0) throw new Error(`${file}: not there once: ${text}`)
  // The end of the statement that the text is of, or its beginning.
  const cut = isAfter ? code.indexOf(';', at + text.indexOf(';')) + 1 : at + text.search(/\S/)
  // Before an expression it is a part of it: that may be all that a loop has.
  const isPart = !isAfter && !text.startsWith('const ')
  const exit = ` globalThis.endsAt?.(${JSON.stringify(stage)})${isPart ? ',' : ';'} `
  writeFileSync(path, code.slice(0, cut) + exit + code.slice(cut))
}

/** Answers where the copy is. */
function planted() {
  const at = folder()
  const dist = join(at, 'dist')
  cpSync(join(root, 'dist'), dist, { recursive: true, filter: (from) => !/\.(map|d\.ts)$/.test(from) })
  symlinkSync(join(root, 'node_modules'), join(at, 'node_modules'))
  cpSync(join(root, 'package.json'), join(at, 'package.json'))
  for (const each of [...stages, ...births]) plant(dist, each)
  const path = join(dist, thread)
  const begin = 'const node = new NodeThread(task, resolve, reject);'
  const listen = `
    let order = JSON.parse(process.env['RINGSPUN_CHAOS_' + task.node] ?? '{}');
    if (order.generation !== task.generation) order = {};
    const channel = new BroadcastChannel('chaos');
    channel.onmessage = ({ data }) => { if (data.node === task.node) order = data; };
    channel.unref();
    globalThis.endsAt = (stage) => { if (order.stage === stage && --order.passes < 0) process.exit(9); };`
  const code = readFileSync(path, 'utf8')
  if (!code.includes(begin)) throw new Error(`${thread}: ${begin}`)
  writeFileSync(
    path,
    code.replace(begin, () => listen + begin),
  )
  return join(dist, 'index.js')
}

/** One node ends at the stage; false when it did not come there. */
async function endAt({ stage, passes }, { channel, cluster, victims, load }, isBirth) {
  let node = victims.next()
  while (node === undefined) {
    await sleep(5)
    node = victims.next()
  }
  const generation = victims.generation(node)
  const order = { node, stage, passes: random(passes), generation: generation + 1 }
  // A life that begins hears of nothing but what it was born with.
  if (isBirth) {
    process.env[`RINGSPUN_CHAOS_${node}`] = JSON.stringify(order)
    victims.died(node)
    cluster.faults.kill(node)
    return victims.reborn(node, generation + 1, rebornMsMax)
  }
  channel.postMessage(order)
  await load.more(1)
  return victims.reborn(node, generation, rebornMsMax)
}

/** `cycles` deaths at each stage whose name has `only`. */
export async function staged(cycles, only) {
  const all = [...stages, ...births].filter(({ stage }) => stage.includes(only))
  const { Cluster } = await import(pathToFileURL(planted()).href)
  const tally = new Tally(`threads that end at each of ${all.length} stages, w 1, dw 0`)
  const cluster = await Cluster.open({
    nodes: 16,
    partitions: 64,
    memory: 16 * 1024 * 1024,
    dir: join(folder(), 'data'),
    log: () => {},
  })
  const load = new Load(cluster, tally)
  await load.more(500)
  const channel = new BroadcastChannel('chaos')
  const hands = { channel, cluster, load, victims: new Victims(cluster, random) }
  const lanes = 4
  // One death each is the short form: all of them beside each other, and one look at the end.
  for (const group of cycles === 1 ? [all] : all.map((each) => [each])) {
    const queue = group.flatMap((each) => Array.from({ length: cycles }, () => each))
    const lane = async () => {
      for (let each = queue.shift(); each !== undefined; each = queue.shift()) {
        if (await endAt(each, hands, births.includes(each))) tally.cycles++
        else tally.strange.push(`${each.stage}: no death here, or no life after it`)
      }
    }
    await Promise.all(Array.from({ length: lanes }, lane))
    await load.check(group.length === 1 ? group[0].stage : 'after all stages')
  }
  channel.close()
  await load.end()
  await cluster.close()
  return tally.done()
}
