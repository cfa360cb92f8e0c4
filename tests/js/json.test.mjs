// The reader and writer for Internet Explorer 6 and 7, beside Node's own.
import assert from 'node:assert/strict';
import test from 'node:test';
import { inside, load, plain } from './load.mjs';

const page = load({}, ['JSON']);
const VALUES = [null, true, false, 0, -1.5, 1e21, 1e-7, '', 'x', 'é€😀', '"\\/\b\f\n\r\t\u0000\u001f\u007f\u2028\u2029', [], [[]], {}, { a: 1, 'b c': [null, { d: '"' }] }];

test('there is one in every engine', inside, () => {
  assert.ok(load().run('json === JSON'));
  assert.equal(typeof page.json.parse, 'function');
  assert.equal(page.JSON, undefined);
});

for (const value of VALUES) {
  const text = JSON.stringify(value);
  test(`reads and writes ${text}`, inside, () => {
    assert.deepEqual(plain(page.json.parse(text)), value);
    assert.deepEqual(JSON.parse(page.json.stringify(page.json.parse(text))), value);
  });
}

test('writes what JSON.stringify writes where a value has no JSON', inside, () => {
  const value = '{ u: undefined, f: function () {}, list: [undefined, function () {}, NaN, -Infinity] }';
  assert.equal(page.run(`json.stringify(${value})`), '{"list":[null,null,null,null]}');
  assert.equal(page.json.stringify(undefined), undefined);
});

test('writes only ASCII, so that no carrier can spoil it', inside, () => {
  assert.equal(page.json.stringify('é\u2028😀'), '"\\u00e9\\u2028\\ud83d\\ude00"');
});

test('what JavaScript takes for a line end is a character in JSON', inside, () => {
  assert.equal(page.json.parse('"a\u2028b\u2029c"'), 'a\u2028b\u2029c');
});

for (const text of ['alert(1)', '[1', '{"a":f()}', '"a', 'x', '[1]];[2', '(function(){return 1})()', '{"a":this}', '`x`', "'x'"]) {
  test(`refuses ${text}`, inside, () => assert.throws(() => page.json.parse(text)));
}
