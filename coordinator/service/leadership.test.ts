import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { currentHolder } from "../store/holder.ts";
import { RedisFixture } from "../store/redis-fixture.ts";
import { openRedisStore } from "../store/redis-store.ts";
import type { Held, Store } from "../store/store.ts";
import { Leadership } from "./leadership.ts";

