/*
 * Back-off: how long to wait before the next attempt to reconnect. Pure: the caller gives the random number.
 */

/**
 * Milliseconds before attempt number `attempt` (0 is the first): min * 2^attempt, at most max, less a random share of up to
 * `factor` (0..1), so that the clients of a restarted server do not all come back in the same moment. `random` is in [0, 1).
 */
function backoff(attempt, min, max, factor, random) {
  return Math.min(max, min * Math.pow(2, attempt)) * (1 - factor * random);
}
