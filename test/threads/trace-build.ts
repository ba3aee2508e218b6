// A copy of the built product whose nodes write traces: test/threads/trace-recorder.mjs is put into it by replacing
// pieces of its text that occur just once. A piece that is not there any more fails the test by name.

import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const recorder = new URL('./trace-recorder.mjs', import.meta.url).href

const seams = (dir: string): readonly (readonly [string, string])[] => [
  [
    "import { now, wall } from './clock.js';",
    `import { now, wall } from './clock.js';
import { Writer } from '../../base/bytes.js';
import { encodeEnvelope } from '../../protocol/codec.js';
import { encodeHistory } from '../../membership/history-codec.js';
import { redoBounds } from '../../storage/redo-rows.js';
import { firstRow, keepMemory, recorded } from ${JSON.stringify(recorder)};
const traces = ${JSON.stringify(dir)};
const scratch = new Writer();
function encode(envelope) {
    scratch.reset();
    encodeEnvelope(scratch, envelope);
    return Buffer.from(scratch.copy()).toString('base64');
}`,
  ],
  ['const adoption = task.predecessor &&', 'keepMemory(task, traces);\nconst adoption = task.predecessor &&'],
  [
    'const log = await restoreLog(',
    'this.logFrom = await firstRow(store, redoBounds);\nconst log = await restoreLog(',
  ],
  [
    'const verdict = this.verdict(peersSaw,',
    'this.peersSaw = peersSaw;\nconst verdict = this.verdict(peersSaw,',
  ],
  [
    'const host = new Host(ports, { supervisor: false });',
    `const host = recorded({ Host, ports, task, verdict, meta: this.meta, highWater: this.highWaterFound,
            peersSaw: this.peersSaw, logFrom: this.logFrom, encode, encodeHistory, memory: this.memory, dir: traces });`,
  ],
]

/** Makes the copy in `home`; its nodes write to `home`/traces. Returns the URL of its entry. */
export function buildRecording(home: string): { readonly entry: string; readonly traces: string } {
  const traces = join(home, 'traces')
  mkdirSync(traces)
  const dist = join(home, 'dist')
  cpSync(join(root, 'dist'), dist, { recursive: true, filter: (from) => !/\.(map|d\.ts)$/.test(from) })
  symlinkSync(join(root, 'node_modules'), join(home, 'node_modules'))
  writeFileSync(join(home, 'package.json'), '{ "type": "module" }')
  const path = join(dist, 'runtime', 'threads', 'node-thread.js')
  let text = readFileSync(path, 'utf8')
  for (const [from, to] of seams(traces)) {
    const times = text.split(from).length - 1
    if (times !== 1) throw new Error(`node-thread.js has ${times} times: ${from}`)
    text = text.replace(from, () => to)
  }
  writeFileSync(path, text)
  return { entry: pathToFileURL(join(dist, 'index.js')).href, traces }
}
