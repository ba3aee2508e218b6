// The npm package has no types of its own; only what the tests use.
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
