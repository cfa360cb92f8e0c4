/*
 * Back-off: how long to wait before the next attempt to reconnect. Pure: the caller gives the random number.
 */

/**
 * Milliseconds before attempt number `attempt` (0 is the first), by the options of Manager: reconnectionDelay * 2^attempt, at most
 * reconnectionDelayMax, less a random share of up to randomizationFactor (0..1), so that the clients of a restarted server do not
 * all come back in the same moment. `random` is in [0, 1).
 */
function backoff(attempt, opts, random) {
  return Math.min(opts.reconnectionDelayMax, opts.reconnectionDelay * Math.pow(2, attempt)) * (1 - opts.randomizationFactor * random);
}
