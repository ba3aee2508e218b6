// The npm package has no types of its own; only what the tests use.
// It reads replies and, because they have the same form, requests that are arrays of bulk strings.
// Tests use it as an oracle; nothing in src depends on it.
declare module 'redis-parser' {
  interface Options {
    readonly returnReply: (reply: never) => void
    readonly returnError: (error: Error) => void
    readonly returnFatalError?: (error: Error) => void
    readonly returnBuffers?: boolean
  }
  export default class RedisParser {
    constructor(options: Options)
    execute(bytes: Buffer): void
  }
}
