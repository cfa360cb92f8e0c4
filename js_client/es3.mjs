// The gate for Internet Explorer 6: ES3 syntax by acorn, and what parses there but is missing or means something else.
import { parse } from 'acorn';

// Methods that came with ES5 or later. `indexOf` of a string is older, but cannot be told from an array's, so it is out too.
const METHODS = new Set(['forEach', 'map', 'filter', 'reduce', 'reduceRight', 'some', 'every', 'indexOf', 'lastIndexOf', 'find', 'findIndex',
  'includes', 'fill', 'bind', 'trim', 'trimStart', 'trimEnd', 'startsWith', 'endsWith', 'repeat', 'padStart', 'padEnd', 'toISOString', 'codePointAt']);
const STATICS = { Object: /^(?!prototype$)/, Array: /^(?!prototype$)/, Date: /^(?!prototype$|UTC$|parse$)/, String: /^(?!prototype$|fromCharCode$)/,
  Number: /^(is|EPSILON|MAX_SAFE|MIN_SAFE|parse)/, Math: /^(sign|trunc|log2|log10|hypot|cbrt|imul|fround|clz32)/ };
// Not in every engine: a bare name would be a ReferenceError, so only `global.X` or `typeof X` may mention them.
const OPTIONAL = new Set(['JSON', 'XMLHttpRequest', 'ActiveXObject', 'XDomainRequest', 'WebSocket', 'MozWebSocket', 'ArrayBuffer', 'Uint8Array',
  'DataView', 'Blob', 'File', 'FileReader', 'Promise', 'Map', 'Set', 'Symbol', 'WeakMap', 'localStorage', 'btoa', 'atob', 'console',
  'document', 'location', 'navigator', 'fetch', 'queueMicrotask', 'setImmediate', 'globalThis']);

/** The faults of a script, each "line:column what"; none if Internet Explorer 6 could run it. */
export function es3Faults(code) {
  const faults = [];
  let tree;
  try {
    tree = parse(code, { ecmaVersion: 3, sourceType: 'script', allowReserved: 'never', locations: true });
  } catch (error) {
    return [error.message];
  }
  const fault = (node, what) => faults.push(`${node.loc.start.line}:${node.loc.start.column} ${what}`);
  walk(tree, [], (node, parents) => check(node, parents, code, fault));
  return faults;
}

function check(node, parents, code, fault) {
  const parent = parents[parents.length - 1];
  if (node.type === 'MemberExpression') {
    const name = node.computed ? node.property.value : node.property.name;
    if (METHODS.has(name)) fault(node, `.${name} is not in ES3`);
    const owner = node.object.type === 'Identifier' && STATICS[node.object.name];
    if (owner && typeof name === 'string' && owner.test(name)) fault(node, `${node.object.name}.${name} is not in ES3`);
    if (node.computed && node.object.type === 'Literal' && typeof node.object.value === 'string') fault(node, 'index into a string');
  } else if (node.type === 'ArrayExpression') {
    if (node.elements.includes(null) || /,\s*\]$/.test(code.slice(node.start, node.end))) fault(node, 'hole or trailing comma in an array');
  } else if (node.type === 'Literal' && typeof node.value === 'string') {
    if (/[\n\r\u2028\u2029]/.test(node.raw)) fault(node, 'string over several lines');
  } else if (node.type === 'FunctionExpression' && node.id && isNamedBeside(node, parents)) {
    fault(node, `named function expression: JScript leaks its name, and ${node.id.name} means something else outside it`);
  } else if (node.type === 'Identifier' && OPTIONAL.has(node.name) && isReference(node, parent) && !isGuarded(node.name, parents)) {
    fault(node, `bare ${node.name}`);
  }
}

/** Whether the name of a function expression, which JScript declares in the function around it, is used there too. */
function isNamedBeside(expression, parents) {
  const around = parents.findLast((above) => /Function|Program/.test(above.type));
  let found = false;
  walk(around, [], (node, above) => {
    if (node.type === 'Identifier' && node.name === expression.id.name && !above.includes(expression) && isReference(node, above.at(-1))) found = true;
  });
  return found;
}

function isReference(node, parent) {
  return !(parent.type === 'MemberExpression' && parent.property === node && !parent.computed) && !(parent.type === 'Property' && parent.key === node);
}

/** Whether the name stands under typeof, or in an expression that looks at its typeof first. */
function isGuarded(name, parents) {
  if (parents[parents.length - 1].type === 'UnaryExpression') return parents[parents.length - 1].operator === 'typeof';
  return parents.some((above) => (above.type === 'ConditionalExpression' || above.type === 'LogicalExpression') && mentionsTypeof(above, name));
}

function mentionsTypeof(tree, name) {
  let found = false;
  walk(tree, [], (node) => {
    if (node.type === 'UnaryExpression' && node.operator === 'typeof' && node.argument.name === name) found = true;
  });
  return found;
}

function walk(node, parents, visit) {
  visit(node, parents);
  const inside = [...parents, node];
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (child && typeof child.type === 'string') walk(child, inside, visit);
    }
  }
}
