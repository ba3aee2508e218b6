// Bugs that are planted one at a time into a copy of the built code: of the redo log (see planted-bugs.ts). What the mix
// does not find of it, the story of the log does (test/runtime/redo-story.test.ts, docs/decisions/simulation.md).

import { differ, lost, type PlantedBug } from './planted-bugs.js'

export const logBugs: readonly PlantedBug[] = [
  {
    name: 'the log is not read',
    file: 'runtime/redo-restore.js',
    from: 'if (sources.memory.restored)',
    to: 'if (true)',
    found: lost,
  },
  {
    name: 'the journal lets answers go before their batch',
    file: 'runtime/journal.js',
    from: 'this.gates.push({ level, envelope, otherwise });',
    to: 'this.release(envelope);',
    found: lost,
    near: 48,
  },
  {
    name: 'what is written while its row is under way counts as flushed',
    file: 'storage/object-buffer.js',
    from: 'if (unit === 0 || this.token(unit) !== token)\n            return;\n        if ((table.state(unit) & entryState.flushing) === 0)\n            table.order.remove(unit);',
    to: 'if (unit === 0)\n            return;\n        if ((table.state(unit) & entryState.flushing) === 0)\n            table.order.remove(unit);',
    found: differ,
  },
  {
    name: 'the log is read from its second page on',
    file: 'runtime/redo-restore.js',
    from: 'page(redoBounds.after);\n}',
    to: "page('r\\x00\\x00\\x00\\x00\\x00\\x00\\x7f');\n}",
    found: lost,
  },
  {
    name: 'every third batch logs nothing',
    file: 'runtime/journal.js',
    from: 'if (logged !== undefined) {',
    to: 'if (logged !== undefined && this.sequence % 3 !== 0) {',
    found: lost,
  },
  {
    name: 'what comes back from the log counts as flushed',
    file: 'runtime/redo-restore.js',
    from: "memory.put(key, hash, value, 'dirty')",
    to: "memory.put(key, hash, value, 'clean')",
    found: lost,
  },
]
