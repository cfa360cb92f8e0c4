import assert from 'node:assert/strict';
import test from 'node:test';
import { inside, load } from './load.mjs';

const page = load();
const backoff = (attempt, reconnectionDelay, reconnectionDelayMax, randomizationFactor, random) =>
  page.backoff(attempt, { reconnectionDelay, reconnectionDelayMax, randomizationFactor }, random);

test('the wait doubles up to its limit', inside, () => {
  assert.deepEqual([0, 1, 2, 3, 4, 50].map((attempt) => backoff(attempt, 1000, 5000, 0.5, 0)), [1000, 2000, 4000, 5000, 5000, 5000]);
});

test('the random share only ever shortens it', inside, () => {
  assert.equal(backoff(0, 1000, 5000, 0.5, 0.75), 625);
  assert.equal(backoff(9, 1000, 5000, 0.5, 0.5), 3750);
  assert.equal(backoff(3, 1000, 5000, 0, 0.9), 5000);
});

test('a thousand clients of a server that restarts come back spread over half the wait', inside, () => {
  const waits = Array.from({ length: 1000 }, () => backoff(0, 1000, 5000, 0.5, Math.random()));
  const tenths = new Set(waits.map((ms) => Math.floor((ms - 500) / 50)));
  assert.ok(Math.min(...waits) >= 500 && Math.max(...waits) <= 1000);
  assert.equal(tenths.size, 10);
});
