import assert from 'node:assert/strict';
import test from 'node:test';
import { inside, load } from './load.mjs';

const { emitter } = load();

test('listeners are called in the order in which they came, with the arguments', inside, () => {
  const heard = [], events = emitter({});
  assert.equal(events.on('x', (...args) => heard.push(['first', ...args])), events);
  events.addListener('x', (...args) => heard.push(['second', ...args]));
  events.$emit('x', 1, 'two');
  assert.deepEqual(heard, [['first', 1, 'two'], ['second', 1, 'two']]);
});

test('a listener hears its emitter as this', inside, () => {
  const events = emitter({});
  let self;
  events.on('x', function () { self = this; });
  events.$emit('x');
  assert.equal(self, events);
});

test('once is heard once, also when the event comes again from within', inside, () => {
  let count = 0;
  const events = emitter({});
  events.once('x', () => { count++; events.$emit('x'); });
  events.$emit('x');
  assert.equal(count, 1);
});

test('off takes one listener, all of an event, or all', inside, () => {
  const heard = [], events = emitter({}), note = (text) => () => heard.push(text), a = note('a'), b = note('b');
  events.on('x', a).on('x', b).once('y', a).on('z', b);
  events.off('x', a).off('y', a).removeListener('nobody listens to this', a);
  for (const name of ['x', 'y', 'z']) events.$emit(name);
  assert.deepEqual(heard, ['b', 'b']);
  events.removeAllListeners('x');
  for (const name of ['x', 'z']) events.$emit(name);
  assert.deepEqual(heard, ['b', 'b', 'b']);
  events.off();
  events.$emit('z');
  assert.equal(heard.length, 3);
});

test('who listens twice and leaves once still listens', inside, () => {
  let count = 0;
  const events = emitter({}), listener = () => count++;
  events.on('x', listener).on('x', listener).once('x', listener);
  events.off('x', listener);
  events.$emit('x');
  assert.equal(count, 2);
  events.off('x', listener).off('x', listener);
  events.$emit('x');
  assert.equal(count, 2);
});

test('who leaves during an event still hears it, who comes hears the next', inside, () => {
  const heard = [], events = emitter({}), late = () => heard.push('late'), leaver = () => heard.push('leaver');
  events.on('x', () => { events.off('x', leaver); events.on('x', late); });
  events.on('x', leaver);
  events.$emit('x');
  assert.deepEqual(heard, ['leaver']);
  events.$emit('x');
  assert.deepEqual(heard, ['leaver', 'late']);
});

test('names that every object has are names like others', inside, () => {
  const heard = [], events = emitter({});
  for (const name of ['constructor', '__proto__', 'hasOwnProperty', 'toString']) {
    events.$emit(name);
    events.on(name, () => heard.push(name));
    events.$emit(name);
    assert.equal(events.listeners(name).length, 1);
  }
  assert.deepEqual(heard, ['constructor', '__proto__', 'hasOwnProperty', 'toString']);
});

test("a listener's error stops nobody and reaches the page's error handler later", inside, () => {
  const later = [], heard = [];
  const events = load({ setTimeout: (fn) => later.push(fn) }).emitter({});
  events.on('x', () => { throw new Error('oops'); });
  events.on('x', () => { throw new Error('again'); });
  events.on('x', () => heard.push('x'));
  events.$emit('x');
  assert.deepEqual(heard, ['x']);
  assert.equal(later.length, 2);
  assert.throws(later[0], { message: 'oops' });
  assert.throws(later[1], { message: 'again' });
});
