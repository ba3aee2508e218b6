// What a read and a write answer the application with. Contexts, and values of before, are made only when they are
// asked for: most requests never use them.

import { RingspunError } from '../base/errors.js'
import type { Millis, NodeId } from '../base/units.js'
import type { PutAnswered } from '../protocol/write.js'
import type { ObjectCopy } from '../storage/object-copy.js'
import type { StoredObject } from '../versions/object.js'
import { decodeObject } from '../versions/object-codec.js'
import { earliestExpiry } from '../versions/read.js'
import type { ContextToken, GetResult, WriteResult } from './api.js'

/** The bucket that a result is of. */
export interface ResultSource<T> {
  valuesOf(object: StoredObject | undefined, owned?: boolean): T[]
  token(object: StoredObject, hash: number, coordinator: NodeId): ContextToken
  contextToken(answer: PutAnswered, hash: number): ContextToken
}

/** The context is made only when asked for: most reads never use it. */
export class Reading<T> implements GetResult<T> {
  readonly values: readonly T[]
  readonly expiresAt: Millis
  private readonly bucket: ResultSource<T>
  private readonly object: StoredObject | undefined
  private readonly hash: number
  private readonly fastest: NodeId

  /** `owned`: the object's bytes are nobody else's. */
  constructor(
    bucket: ResultSource<T>,
    object: StoredObject | undefined,
    hash: number,
    fastest: NodeId,
    owned: boolean,
  ) {
    this.bucket = bucket
    this.object = object
    this.hash = hash
    this.fastest = fastest
    this.values = bucket.valuesOf(object, owned)
    this.expiresAt = object === undefined ? 0 : earliestExpiry(object, Date.now())
  }

  get value(): T | undefined {
    if (this.values.length > 1) {
      const reason = `the key has ${this.values.length} concurrent values: use values`
      throw new RingspunError('too-many-siblings', reason, { siblings: this.values.length })
    }
    return this.values[0]
  }

  get context(): ContextToken | undefined {
    return this.object && this.bucket.token(this.object, this.hash, this.fastest)
  }
}

/** One value that lives for ever, out of shared memory: the rest of its object is decoded when it is asked for. */
export class Glance<T> implements GetResult<T> {
  readonly value: T
  private readonly bucket: ResultSource<T>
  private readonly hash: number
  private readonly first: NodeId
  private readonly bytes: Buffer
  private readonly start: number
  private readonly end: number

  constructor(bucket: ResultSource<T>, value: T, hash: number, first: NodeId, copy: ObjectCopy) {
    this.bucket = bucket
    this.value = value
    this.hash = hash
    this.first = first
    this.bytes = copy.bytes
    this.start = copy.valueStart
    this.end = copy.valueEnd
  }

  get values(): readonly T[] {
    return [this.value]
  }

  get expiresAt(): Millis {
    return 0
  }

  get context(): ContextToken {
    const object = decodeObject(this.bytes.subarray(this.start, this.end), this.hash)
    return this.bucket.token(object, this.hash, this.first)
  }
}

export class Written<T> implements WriteResult<T> {
  readonly w: number
  readonly dw: number
  readonly level: PutAnswered['level']
  readonly existed: boolean
  private readonly bucket: ResultSource<T>
  private readonly answer: PutAnswered
  private readonly hash: number

  constructor(bucket: ResultSource<T>, answer: PutAnswered, hash: number) {
    this.bucket = bucket
    this.answer = answer
    this.hash = hash
    this.w = answer.stored
    this.dw = answer.durable
    this.level = answer.level
    this.existed = answer.existed
  }

  get context(): ContextToken {
    return this.bucket.contextToken(this.answer, this.hash)
  }

  get previous(): readonly T[] {
    const { previous } = this.answer
    return previous === undefined ? [] : this.bucket.valuesOf(decodeObject(previous, this.hash))
  }
}
