/*
 * Back-off: how long to wait before the next attempt to reconnect. Pure: the caller gives the random number.
 */

/**
 * Milliseconds before attempt number `attempt` (0 is the first): min * 2^attempt, at most max, spread by +-factor (0..1).
 * The spread stays below max, but is as wide there as anywhere: cut off instead, half of all clients of a restarted
 * server would come back in the very same millisecond. `random` is in [0, 1).
 */
function backoff(attempt, min, max, factor, random) {
  var middle = Math.min(max, min * Math.pow(2, attempt)),
    low = middle * (1 - factor);
  return Math.round(low + random * (Math.min(max, middle * (1 + factor)) - low));
}
