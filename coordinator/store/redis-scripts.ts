import { createHash } from "node:crypto";
import type { Script } from "./redis-client.ts";

/** How late a claim may be carried out: whoever sent it has given it up by then. */
const LATE_MS = 2000;

/**
 * A lease is a hash: epoch, pid and startedAt of its holder (none once it was given up),
 * until (milliseconds by the server's clock) and ttl; and the address it announced.
 *
 * Where a server has lost its data, an epoch must still be greater than all before, so
 * the first is the time in seconds; and the leader, which alone remembers the runs, gets
 * a chance to renew before others who saw it lead may take over: until then the lease
 * has no epoch, only a time. Where a server was away, its leader could not renew: it
 * goes first again.
 */
const NOW = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local function text(number) return string.format('%.0f', number) end`;

const HOLD = `
  local function hold(epoch, pid, startedAt, ttl)
    redis.call('HSET', KEYS[1], 'epoch', epoch, 'pid', pid, 'startedAt', startedAt,
      'until', text(now + ttl), 'ttl', ttl)
  end`;

/**
 * Lease; pid, startedAt, ttlMs, whether the caller has seen the lease, whether it got no
 * answer when it asked before, when this was sent by the server's clock (or nothing)
 * → "held" and the epoch, "refused" and the holder's pid, or "late"; and the server's time.
 */
export const ACQUIRE = script(`${NOW} ${HOLD}
  local pid, startedAt, ttl, seen, wasAway, sent = unpack(ARGV)
  if sent ~= '' and now - sent > ${LATE_MS} then return {'late', '0', text(now)} end
  local epoch, holder, till, given = unpack(
    redis.call('HMGET', KEYS[1], 'epoch', 'pid', 'until', 'ttl'))
  local function wait(ms)
    redis.call('HSET', KEYS[1], 'until', text(now + ms), 'ttl', ms)
    return {'refused', holder or '0', text(now)}
  end
  if not epoch and not till then
    if seen == '1' then return wait(ttl) end
  elseif till then
    -- More time than was given: the server's clock was set back.
    if till - now > tonumber(given) then return wait(given) end
    if till - now > 0 then return {'refused', holder or '0', text(now)} end
    if wasAway == '1' then return wait(ttl) end
  end
  local new = text((epoch or time[1]) + 1)
  redis.call('HDEL', KEYS[1], 'address')
  hold(new, pid, startedAt, ttl)
  return {'held', new, text(now)}`);

/** Lease; epoch, pid, startedAt, ttlMs → whether it is held. */
export const RENEW = script(`${NOW} ${HOLD}
  local epoch, holder = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'pid'))
  if epoch and (epoch ~= ARGV[1] or not holder) then return 0 end
  hold(unpack(ARGV))
  return 1`);

/** Lease; epoch. */
export const RELEASE = script(`
  if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then
    redis.call('HDEL', KEYS[1], 'pid', 'startedAt', 'until', 'ttl')
  end`);

/** Lease; epoch, address. */
export const ANNOUNCE = script(`
  if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then
    redis.call('HSET', KEYS[1], 'address', ARGV[2])
  end`);

/** A write under a lease begins with this: lease; epoch, …. */
const FENCE = `
  local epoch, holder = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'pid'))
  if not epoch then return 'lost' end
  if epoch ~= ARGV[1] or not holder then return 'fenced' end`;

/** A run's place among those that are over, or are not: active, ended, sequence. */
const FILE = `
  local function file(run, active, ended, sequence, runId, isEnded)
    if isEnded == '1' then
      redis.call('ZREM', active, runId)
      if not redis.call('ZSCORE', ended, runId) then
        redis.call('ZADD', ended, redis.call('INCR', sequence), runId)
      end
    else
      redis.call('ZREM', ended, runId)
      redis.call('ZADD', active, redis.call('HGET', run, 'sequence'), runId)
    end
  end`;

/** A new run's hash; its fields follow the first three arguments. */
const INSERT = `
  local function insert(first)
    if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
    redis.call('HSET', KEYS[2], 'sequence', redis.call('INCR', KEYS[5]), unpack(ARGV, first))
    file(KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[2], ARGV[3])
    return 1
  end`;

/** Lease, run, active, ended, sequence; -, run id, is ended, fields… → whether it is new. */
export const CREATE = script(`${FILE} ${INSERT} return insert(4)`);

/** Lease, run, active, ended, sequence; epoch, run id, is ended, fields… → whether it is new. */
export const RESTORE = script(`${FENCE} ${FILE} ${INSERT} return insert(4)`);

/** Lease, run, active, ended, sequence; epoch, run id, is ended, life. */
export const SET_LIFE = script(`${FENCE} ${FILE}
  if redis.call('EXISTS', KEYS[2]) == 0 then return 'missing' end
  redis.call('HSET', KEYS[2], 'life', ARGV[4])
  file(KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[2], ARGV[3])
  return 'done'`);

/** Lease, ended, then each one's run and status; epoch, their ids… → how many were over. */
export const DROP_ENDED = script(`${FENCE}
  local dropped = 0
  for index = 2, #ARGV do
    if redis.call('ZREM', KEYS[2], ARGV[index]) == 1 then
      redis.call('DEL', KEYS[2 * index - 1], KEYS[2 * index])
      dropped = dropped + 1
    end
  end
  return dropped`);

/** Lease, run; epoch → the generation. */
export const NEXT_GENERATION = script(`${FENCE}
  if redis.call('EXISTS', KEYS[2]) == 0 then return 'missing' end
  return redis.call('HINCRBY', KEYS[2], 'generation', 1)`);

/** Lease, status; epoch, status, ttlMs. */
export const SET_STATUS = script(`${FENCE}
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
  return 'done'`);

const WISH = `return redis.call('HMGET', KEYS[1], 'phase', 'minRanks', 'maxRanks', 'checkpoints')`;

/** Run; fields to change… → the wish, or nothing if there is no such run. */
export const CHANGE_WISH = script(`
  if redis.call('EXISTS', KEYS[1]) == 0 then return false end
  if #ARGV > 0 then redis.call('HSET', KEYS[1], unpack(ARGV)) end
  ${WISH}`);

/** Run → the wish, or nothing if there is no such run. */
export const COUNT_CHECKPOINT = script(`
  if redis.call('EXISTS', KEYS[1]) == 0 then return false end
  redis.call('HINCRBY', KEYS[1], 'checkpoints', 1)
  ${WISH}`);

/** Tokens; id → the token, once. */
export const TAKE_TOKEN = script(`
  local token = redis.call('HGET', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[1], ARGV[1])
  return token`);

function script(lua: string): Script {
  return { lua, sha1: createHash("sha1").update(lua).digest("hex") };
}
