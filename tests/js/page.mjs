// A small browser: enough of a document, XMLHttpRequest, scripts, iframes and forms for the client to work in, over a network
// that is given: the real one (network.mjs), or one played by a test (world.mjs).
//
// A network is a function (method, url, body, on) -> abort(); it calls on.head(status), on.chunk(text)..., on.end(), or on.fail().
import vm from 'node:vm';

class Events {
  constructor() { this.listeners = {}; }
  addEventListener(name, listener) { (this.listeners[name] ??= []).push(listener); }
  dispatch(name) {
    const event = { type: name, target: this };
    for (const listener of this.listeners[name] ?? []) listener(event);
    this[`on${name}`]?.(event);
  }
}

class Node extends Events {
  constructor(browser, tag) {
    super();
    Object.assign(this, { browser, tag, childNodes: [], parentNode: null, style: {} });
  }
  get firstChild() { return this.childNodes[0] ?? null; }
  get lastChild() { return this.childNodes.at(-1) ?? null; }
  get attached() { return this === this.browser.root || Boolean(this.parentNode?.attached); }
  appendChild(node) {
    node.parentNode = this;
    this.childNodes.push(node);
    if (this.attached) node.entered();
    return node;
  }
  removeChild(node) {
    if (node.parentNode !== this) throw new Error('not a child');
    this.childNodes.splice(this.childNodes.indexOf(node), 1);
    node.parentNode = null;
    node.left();
  }
  entered() { for (const node of this.childNodes) node.entered(); }
  left() { for (const node of this.childNodes) node.left(); }
  getElementsByTagName(tag) { return this.childNodes.flatMap((node) => [...(node.tag === tag ? [node] : []), ...node.getElementsByTagName(tag)]); }
  /** Knows the tags that the client writes. */
  set innerHTML(html) {
    const stack = [this];
    for (const [, close, tag, attributes] of html.matchAll(/<(\/?)(\w+)([^>]*)>/g)) {
      if (close) {
        stack.pop();
      } else {
        const node = this.browser.create(tag);
        for (const [, name, value] of attributes.matchAll(/([\w-]+)=(\S+)/g)) node[name] = value;
        node.parentNode = stack.at(-1);
        stack.at(-1).childNodes.push(node);
        stack.push(node);
      }
    }
  }
}

class Script extends Node {
  entered() {
    let text = '', status = 0;
    // A removed script still runs: no browser aborts it.
    this.browser.network('GET', this.browser.resolve(this.src), null, {
      head: (code) => { status = code; },
      chunk: (part) => { text += part; },
      end: () => {
        if (status !== 200) return this.dispatch('error');
        this.browser.run(text);
        this.dispatch('load');
      },
      fail: () => this.dispatch('error'),
    });
  }
}

class Frame extends Node {
  entered() {
    if (this.src) this.load('GET', this.src, null, {});
  }
  left() { this.abort?.(); }
  load(method, src, body) {
    const root = new Node(this.browser, 'html');
    const inside = vm.createContext({ parent: this.browser.page, document: root, setTimeout: this.browser.page.setTimeout });
    let text = '';
    this.contentWindow = { location: { href: src }, document: { body: { get innerHTML() { return text; } } } };
    const ended = () => { this.abort = null; this.dispatch('load'); };
    this.abort = this.browser.network(method, this.browser.resolve(src), body, {
      head: () => {},
      chunk: (part) => {
        text += part;
        for (let found; (found = /<script>(.*?)<\/script>/s.exec(text));) {
          text = text.slice(found.index + found[0].length);
          const script = new Node(this.browser, 'script');
          script.parentNode = root;
          root.childNodes.push(script);
          this.scripts = root.childNodes.length;
          this.browser.guard(() => vm.runInContext(found[1], inside));
        }
      },
      end: ended,
      fail: ended,
    });
  }
}

class Form extends Node {
  submit() {
    const value = this.getElementsByTagName('textarea')[0].value.replace(/\r?\n/g, '\r\n');
    const frame = this.browser.root.getElementsByTagName('iframe').find((one) => one.name === this.target);
    frame.load('POST', this.action, `d=${encodeURIComponent(value).replace(/%20/g, '+')}`);
  }
}

const KINDS = { script: Script, iframe: Frame, form: Form };

/** The XMLHttpRequest of a browser: level 2 if it may cross origins. */
function xhrOf(browser, level2) {
  return class XMLHttpRequest {
    constructor() {
      Object.assign(this, { readyState: 0, status: 0, responseText: '' });
      if (level2) this.withCredentials = false;
    }
    open(method, url) { Object.assign(this, { method, url: browser.resolve(url), readyState: 1 }); }
    setRequestHeader() {}
    send(body) {
      const move = (state) => { this.readyState = state; this.onreadystatechange?.(); };
      this.cancel = browser.network(this.method, this.url, body, {
        head: (status) => { this.status = status; move(2); },
        chunk: (text) => { this.responseText += text; move(3); },
        end: () => move(4),
        fail: () => { this.status = 0; this.responseText = ''; move(4); },
      });
    }
    abort() { this.cancel?.(); }
  };
}

export class Browser {
  /** href: the page's address. have: which of XMLHttpRequest, document, WebSocket... there are. */
  constructor(network, { href = 'http://host/', level2 = true, readyState = 'complete', navigator = {}, storage = true } = {}) {
    const { protocol, host } = new URL(href), window = new Events();
    Object.assign(this, { network, href, window, errors: [] });
    this.root = new Node(this, 'html');
    const head = this.root.appendChild(new Node(this, 'head'));
    this.document = Object.assign(new Events(), {
      readyState,
      createElement: (tag) => this.create(tag),
      getElementsByTagName: (tag) => this.root.getElementsByTagName(tag),
      head,
      body: this.root.appendChild(new Node(this, 'body')),
    });
    const kept = new Map();
    /** The globals for load(). */
    this.globals = {
      document: this.document,
      location: { protocol, host, href },
      navigator,
      XMLHttpRequest: xhrOf(this, level2),
      addEventListener: (name, listener) => window.addEventListener(name, listener),
      onpagehide: null,
      btoa, atob, Uint8Array, ArrayBuffer, Promise,
    };
    if (storage) this.globals.localStorage = { setItem: (key, value) => kept.set(key, String(value)), getItem: (key) => kept.get(key) ?? null, kept };
  }
  create(tag) { return new (KINDS[tag] ?? Node)(this, tag); }
  resolve(url) { return new URL(url, this.href).href; }
  /** The page as load() made it. */
  enter(page) {
    this.page = page;
    return this;
  }
  run(text) { this.guard(() => this.page.run(text)); }
  /** What a script throws goes to window.onerror, not to who loaded it. */
  guard(fn) {
    try { fn(); } catch (error) { this.errors.push(error); }
  }
  /** Nodes that the client has put into the page and not taken out. */
  get furniture() { return ['script', 'iframe', 'form', 'div'].flatMap((tag) => this.root.getElementsByTagName(tag)).length; }
}
