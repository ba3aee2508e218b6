// The properties of buckets: defaults of the cluster, what was set per bucket, kept in the data directory.

import { RingspunError } from '../base/errors.js'
import type { DataDirectory } from '../storage/data-directory.js'
import type { BucketProperties } from './api.js'
import { checkBucketName, isBucketName } from './keys.js'
import { type ClusterSettings, checkBucketOptions, checkProperties } from './options.js'

const file = 'buckets.json'

export class Buckets {
  private readonly settings: ClusterSettings
  private readonly directory: DataDirectory | undefined
  /** What was set, and only that: defaults may change with the next opening. */
  private readonly given = new Map<string, Partial<BucketProperties>>()
  private readonly effective = new Map<string, BucketProperties>()

  /** Called with what was given, when it is kept. */
  changed: (name: string, given: Partial<BucketProperties>) => void = () => {}

  constructor(settings: ClusterSettings, directory: DataDirectory | undefined) {
    this.settings = settings
    this.directory = directory
    if (directory === undefined) return
    for (const [name, properties] of Object.entries(readBuckets(directory))) {
      try {
        this.lay(name, checkBucketOptions(properties))
      } catch (error) {
        // Nobody gave this option now: without the file's name nobody would find it.
        throw damaged(directory, `: bucket ${name}: ${(error as Error).message}`, error)
      }
    }
  }

  get(name: string): BucketProperties {
    const known = this.effective.get(name)
    if (known !== undefined) return known
    checkBucketName(name)
    return this.lay(name, {})
  }

  /** Changes what is given and keeps the rest; persisted before it returns. */
  set(name: string, properties: Partial<BucketProperties>): BucketProperties {
    checkBucketName(name)
    const before = this.given.get(name) ?? {}
    if (!this.isNews(name, properties)) return this.get(name)
    // What is there but undefined was left out.
    const wanted = Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined))
    const effective = this.lay(name, { ...before, ...wanted })
    this.directory?.writeJson(file, Object.fromEntries(this.given))
    this.changed(name, wanted)
    return effective
  }

  /** True when something of this was not given before. */
  isNews(name: string, properties: Partial<BucketProperties>): boolean {
    const before = this.given.get(name) ?? {}
    return Object.entries(properties).some(
      ([key, value]) => value !== undefined && before[key as keyof BucketProperties] !== value,
    )
  }

  /** What was given to each bucket that is known. */
  allGiven(): readonly (readonly [string, Partial<BucketProperties>])[] {
    return [...this.given]
  }

  private lay(name: string, given: Partial<BucketProperties>): BucketProperties {
    const { defaults, nodes, dir } = this.settings
    const conflicts = name === 'default' ? 'last-write-wins' : defaults.conflicts
    const effective = checkProperties(
      given,
      bent({ ...defaults, conflicts }, given),
      nodes,
      dir !== undefined,
    )
    this.given.set(name, given)
    this.effective.set(name, effective)
    return effective
  }

  list(): { readonly name: string; readonly properties: BucketProperties }[] {
    return [...this.effective].map(([name, properties]) => ({ name, properties }))
  }

  /** The largest n of any bucket, the cluster's default included. */
  copiesMax(): number {
    let most = this.settings.defaults.n
    for (const { n } of this.effective.values()) most = Math.max(most, n)
    return most
  }
}

/** What is stored, if it has the right shape: a file that somebody else wrote is no reason to forget a quorum. */
function readBuckets(directory: DataDirectory): Readonly<Record<string, Partial<BucketProperties>>> {
  const stored = directory.readJson(file)
  if (stored === undefined) return {}
  const isRecord = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)
  if (
    !isRecord(stored) ||
    !Object.entries(stored as object).every(([name, of]) => isBucketName(name) && isRecord(of))
  ) {
    throw damaged(directory, '')
  }
  return stored as Readonly<Record<string, Partial<BucketProperties>>>
}

function damaged(directory: DataDirectory, how: string, cause?: unknown): RingspunError {
  const { path: dir } = directory
  return new RingspunError('data-dir-invalid', `${dir} has a damaged ${file}${how}`, { dir }, cause)
}

/** Defaults that were not chosen for this bucket bend to what was: r and w to its n, dw to its w and durability. */
function bent(defaults: BucketProperties, given: Partial<BucketProperties>): BucketProperties {
  const n = given.n ?? defaults.n
  const r = Math.min(defaults.r, n)
  const w = Math.min(defaults.w, n)
  const durability = given.durability ?? defaults.durability
  const dw = durability === 'memory' ? 0 : Math.min(defaults.dw, given.w ?? w)
  return { ...defaults, n, r, w, dw, durability }
}
