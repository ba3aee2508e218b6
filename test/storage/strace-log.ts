// What strace wrote, as a list of calls with when they began and ended: enough to say which call was over
// before which other began. The clock is the number of the line.

export interface Call {
  readonly name: string
  /** Of the file descriptor that the call is about, or the path that it opens. */
  readonly path: string
  /** Everything strace printed of the call. */
  readonly text: string
  readonly begun: number
  /** Infinity when strace saw no end of it. */
  ended: number
  succeeded: boolean
}

/** Of `strace -f -y -o FILE`: each line begins with the thread; calls that overlap are printed in two parts. */
export function parseStrace(log: string): Call[] {
  const calls: Call[] = []
  const unfinished = new Map<string, Call>()
  for (const [at, line] of log.split('\n').entries()) {
    const thread = /^\d+/.exec(line)?.[0] ?? ''
    const resumed = /^\d+\s+<\.\.\. \w+ resumed>/.test(line)
    const failed = / = -1 E/.test(line)
    if (resumed) {
      const call = unfinished.get(thread)
      unfinished.delete(thread)
      if (call !== undefined) finish(call, at, !failed)
      continue
    }
    const [, name, rest] = /^\d+\s+(\w+)\((.*)$/.exec(line) ?? []
    if (name === undefined || rest === undefined) continue
    const call = {
      name,
      path: pathOf(rest),
      text: rest,
      begun: at,
      ended: Number.POSITIVE_INFINITY,
      succeeded: false,
    }
    calls.push(call)
    if (rest.endsWith('<unfinished ...>')) unfinished.set(thread, call)
    else finish(call, at, !failed)
  }
  return calls
}

function finish(call: Call, at: number, succeeded: boolean): void {
  call.ended = at
  call.succeeded = succeeded
}

/** openat(AT_FDCWD<…>, "path"…, unlink("path"), write(7<path>…. */
function pathOf(args: string): string {
  return /^(?:AT_FDCWD\S*, )?"([^"]*)"/.exec(args)?.[1] ?? /^\d+<([^>]*)>/.exec(args)?.[1] ?? ''
}
