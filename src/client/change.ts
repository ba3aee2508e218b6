// What a write of the application asks for: the change itself, checked. What becomes of the key is the bucket's.

import { RingspunError } from '../base/errors.js'
import type { Millis } from '../base/units.js'
import type { Put } from '../protocol/write.js'
import type { PutOptions, WriteOptions } from './api.js'
import { checkFlag, checkNames, checkOneOf, none, requestNames } from './options.js'

/** The end of the year 9999. */
const expiresMax: Millis = 253_402_300_799_999

const writeNames = [...requestNames, 'context', 'w', 'dw', 'pw']
const deleteNames = [...writeNames, 'returnPrevious']
const putNames = [...deleteNames, 'ttl', 'expiresAt', 'keepExpiry', 'condition']

export interface Change {
  readonly change: Put['change']
  readonly value: unknown
  readonly expires: Millis
  readonly keepExpiry: boolean
  readonly condition: Put['condition']
  readonly returnPrevious: boolean
}

const plainChange: Change = {
  change: 'value',
  value: undefined,
  expires: 0,
  keepExpiry: false,
  condition: 'none',
  returnPrevious: false,
}

export function valueChange(value: unknown, options: PutOptions): Change {
  if (options === none) return { ...plainChange, value }
  checkNames(options, putNames, 'write')
  const { condition } = options
  return {
    change: 'value',
    value,
    expires: expiryOf(options),
    keepExpiry: checkFlag('keepExpiry', options.keepExpiry),
    condition: condition === undefined ? 'none' : checkOneOf('condition', condition, ['absent', 'present']),
    returnPrevious: checkFlag('returnPrevious', options.returnPrevious),
  }
}

export function deletion(options: WriteOptions & { readonly returnPrevious?: boolean }): Change {
  checkNames(options, deleteNames, 'write')
  const returnPrevious = checkFlag('returnPrevious', options.returnPrevious)
  return { ...plainChange, change: 'delete', returnPrevious }
}

export function touch(
  expiresAt: Millis,
  options: WriteOptions & { readonly returnPrevious?: boolean },
): Change {
  checkNames(options, deleteNames, 'write')
  const expires = expiresAt === 0 ? 0 : checkInstant(expiresAt)
  const returnPrevious = checkFlag('returnPrevious', options.returnPrevious)
  return { ...plainChange, change: 'touch', expires, condition: 'present', returnPrevious }
}

function expiryOf(options: PutOptions): Millis {
  const { ttl, expiresAt, keepExpiry } = options
  const given = (ttl === undefined ? 0 : 1) + (expiresAt === undefined ? 0 : 1) + (keepExpiry ? 1 : 0)
  if (given > 1) throw new RingspunError('option-invalid', 'give one of ttl, expiresAt and keepExpiry')
  if (ttl !== undefined) {
    if (!Number.isFinite(ttl) || ttl <= 0) {
      throw new RingspunError(
        'expiry-invalid',
        `ttl is a positive number of milliseconds, got ${String(ttl)}`,
      )
    }
    return checkInstant(Date.now() + Math.ceil(ttl))
  }
  return expiresAt === undefined ? 0 : checkInstant(expiresAt)
}

function checkInstant(at: unknown): Millis {
  if (typeof at === 'number' && Number.isFinite(at) && at > 0 && at <= expiresMax) return Math.ceil(at)
  throw new RingspunError('expiry-invalid', `an expiry is an instant up to the year 9999, got ${String(at)}`)
}
