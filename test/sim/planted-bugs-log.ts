// Bugs that are planted one at a time into a copy of the built code: of the redo log (see planted-bugs.ts).

import { back, differ, lost, type PlantedBug } from './planted-bugs.js'

export const logBugs: readonly PlantedBug[] = [
  {
    name: 'deletions are not logged',
    file: 'runtime/journal.js',
    from: 'this.redo.deleted(key);',
    to: '',
    found: [...back, ...differ],
  },
  {
    name: 'what came over unflushed is not logged anew',
    file: 'runtime/journal.js',
    from: 'if (storage.logged)\n            return;',
    to: 'return;',
    found: lost,
  },
  {
    name: 'of the log goes what was written since the flush began as well',
    file: 'runtime/journal.js',
    from: 'superfluous(isAll ? this.sequence : undefined)',
    to: 'superfluous(this.sequence)',
    found: lost,
  },
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
  },
  {
    name: 'a damaged row of the log is passed over in silence',
    file: 'runtime/redo-restore.js',
    from: 'damage ??= error;',
    to: '',
    found: lost,
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
]
