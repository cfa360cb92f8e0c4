// A clock moved by hand: timers run when the time is made to pass.

export class Clock {
  constructor(now = 1_700_000_000_000) {
    this.now = now;
    this.timers = new Map();
    this.last = 0;
    const clock = this;
    /** What a page needs of it. */
    this.globals = {
      setTimeout: (fn, ms) => {
        this.timers.set(++this.last, { at: this.now + (Number(ms) || 0), fn });
        return this.last;
      },
      clearTimeout: (id) => { this.timers.delete(id); },
      Date: function PageDate(ms) { return new Date(ms === undefined ? clock.now : ms); },
    };
  }

  /** Lets ms pass: due timers run in order, also those that others start. */
  advance(ms) {
    const end = this.now + ms;
    for (;;) {
      let next;
      for (const [id, timer] of this.timers) if (timer.at <= end && (!next || timer.at < next.timer.at)) next = { id, timer };
      if (!next) break;
      this.timers.delete(next.id);
      this.now = Math.max(this.now, next.timer.at);
      next.timer.fn();
    }
    this.now = end;
  }

  /** The machine sleeps: the time passes, and timers that were due meanwhile run late. */
  sleep(ms) {
    this.now += ms;
    this.advance(0);
  }
}
