#!/usr/bin/env node
// The command `ringspun`: one file a command, this one finds it. The size of libuv's thread pool is set before
// anything else can start it: all stores of the process share it (docs/decisions/storage.md).

process.env['UV_THREADPOOL_SIZE'] ??= '16'

const { run } = await import('./run.js')
await run(process.argv.slice(2))

export {}
