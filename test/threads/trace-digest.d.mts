// Types of trace-digest.mjs, for the replay.

export function textOf(bytes: Uint8Array): string
export function digestOf(of: { host: object; memory: object; trees: object }): Record<string, string | number>
export function digestOfRows(rows: readonly unknown[]): string
export function digestOfWrites(writes: readonly { row: string; value: Uint8Array | undefined }[]): string
