// Commands of Redis that are known and refused, each with the reason: a store that keeps the last of several
// concurrent writes cannot keep the promise of a command that reads, changes and writes back, and values here
// are bytes without structure. Better a clear error than a lost update.
//
// Invariant: a refused command has no effect. It is refused whatever its arguments.

import { error } from '../resp/reply.js'
import type { Command } from './command.js'

const groups: readonly (readonly [reason: string, names: string])[] = [
  [
    'adds to a number in place; of two concurrent additions the last write would win and the other be lost. Keep one key per writer and add them up, or use a bucket with siblings and a merge (RS.GET, RS.PUT with CONTEXT)',
    'incr decr incrby decrby incrbyfloat',
  ],
  [
    'changes a part of a value in place; of two concurrent changes the last write would win and the other be lost. Read the value, change it and SET it, or use RS.GET and RS.PUT with CONTEXT',
    'append setrange setbit bitfield bitop pfadd pfmerge',
  ],
  [
    'changes several keys at once or none; there are no transactions over keys here. MSET writes several keys one by one',
    'msetnx rename renamenx copy move swapdb sort sort_ro lcs',
  ],
  [
    'needs a transaction, and there are none: every command stands alone. RS.PUT with the CONTEXT of an RS.GET replaces exactly what was read',
    'multi exec discard watch unwatch',
  ],
  [
    'works on a list, and values are bytes without structure here. Store the list as one value',
    'lpush rpush lpushx rpushx lpop rpop lrange llen lindex linsert lrem lset ltrim lpos lmove rpoplpush lmpop blpop brpop blmove brpoplpush blmpop',
  ],
  [
    'works on a hash, and values are bytes without structure here. Use one key per field, or store the hash as one value',
    'hset hget hmset hmget hgetall hdel hexists hkeys hvals hlen hstrlen hincrby hincrbyfloat hsetnx hrandfield hscan',
  ],
  [
    'works on a set, and values are bytes without structure here. Use one key per member, or store the set as one value',
    'sadd srem smembers sismember smismember scard spop srandmember smove sinter sinterstore sintercard sunion sunionstore sdiff sdiffstore sscan',
  ],
  [
    'works on a sorted set, and values are bytes without structure here. Store the set as one value',
    'zadd zrem zscore zmscore zincrby zcard zcount zlexcount zrange zrangestore zrangebyscore zrevrangebyscore zrangebylex zrevrangebylex zrevrange zrank zrevrank zpopmin zpopmax bzpopmin bzpopmax zmpop bzmpop zremrangebyrank zremrangebyscore zremrangebylex zunion zunionstore zinter zinterstore zintercard zdiff zdiffstore zrandmember zscan geoadd geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch geosearchstore',
  ],
  [
    'works on a stream, and values are bytes without structure here',
    'xadd xack xautoclaim xclaim xdel xgroup xinfo xlen xpending xrange xread xreadgroup xrevrange xsetid xtrim',
  ],
  [
    'reads structure inside a value, and values are bytes without structure here',
    'getbit bitcount bitpos bitfield_ro pfcount',
  ],
  [
    'needs channels, and nothing is published here',
    'subscribe unsubscribe psubscribe punsubscribe ssubscribe sunsubscribe publish spublish pubsub',
  ],
  [
    'needs a scripting engine, and there is none',
    'eval eval_ro evalsha evalsha_ro script function fcall fcall_ro module',
  ],
  ['needs a fair sample of all keys, and there is none here. Use SCAN', 'randomkey'],
  [
    'concerns replication between servers; here the replicas are inside the cluster. Ask for W and DW with RS.PUT',
    'wait replicaof slaveof psync sync replconf failover role cluster readonly readwrite asking',
  ],
  [
    'looks into or administers a Redis server. Use INFO and RS.STATUS',
    'object dump restore migrate save bgsave bgrewriteaof lastsave shutdown debug monitor acl latency memory slowlog lolwut',
  ],
]

function refusals(reason: string, names: string): Command[] {
  return names.split(' ').map((name): Command => {
    const reply = error(`ERR NOTSUPPORTED '${name}' ${reason}`)
    return { name, arity: -1, flags: ['refused'], order: 'free', run: () => reply }
  })
}

export const refusedCommands: readonly Command[] = groups.flatMap(([reason, names]) =>
  refusals(reason, names),
)
