// The scripted conversation by socket.io-client 1.x to 4.x in a page: talk(URL, options, old, [letters, bytes]). What was heard ends up in `said`.
var said = {}, done = false;

const once = (socket, name) => new Promise((resolve) => socket.once(name, (...args) => resolve(args)));
const call = (socket, name, ...args) => new Promise((resolve) => socket.emit(name, ...args, (...back) => resolve(back)));
const hex = (value) =>
  value instanceof ArrayBuffer ? { hex: [...new Uint8Array(value)].map((byte) => byte.toString(16).padStart(2, "0")).join("") }
    : Array.isArray(value) ? value.map(hex)
      : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, hex(v)])) : value;
const bytes = (...numbers) => new Uint8Array(numbers).buffer;
const counted = (numbers) => numbers.length === 500 && numbers.every((number, index) => number === index);

async function talk(url, options, old, sizes) {
  const connected = async (path, more) => {
    const socket = io(url + path, { forceNew: true, reconnection: false, ...options, ...more });
    await once(socket, "connect");
    return socket;
  };
  const credentials = (auth) => (old ? { query: auth } : { auth });
  const refusal = async (socket) => {
    const [error] = await once(socket, old ? "error" : "connect_error");
    return old ? error : [error.message, error.data || null];
  };
  const a = await connected("");
  const b = await connected("");
  if (options.upgrade !== false && options.transports.length > 1)
    for (const socket of [a, b])
      while (socket.io.engine.transport.name !== "websocket") await new Promise((resolve) => setTimeout(resolve, 10));
  said.transport = a.io.engine.transport.name;
  said.scripts = (window.___eio || []).length > 0; // where JSONP's answers arrive
  said.echo = await call(a, "echo", 1, "two", null, { three: [true, 1.5, "é€😀"] });
  said.spelled = await call(a, "spell", "é€😀Ã©");
  const odd = ["\u2028\u2029\n\r\n\"\\n\\\\n\\/<" + "/script>", "<" + "!--", "& = +%"];
  said.odd = JSON.stringify(await call(a, "echo", ...odd)) === JSON.stringify(odd);
  said.binary = hex(await call(a, "echo", bytes(1, 2), { deep: [bytes(3), { er: bytes() }] }));
  a.on("question", (question, answer) => answer(question + "!", bytes(7)));
  said.ask = hex((await call(a, "ask", "how"))[0]);
  const numbers = [];
  const all = new Promise((resolve) => a.on("number", (number) => { if (numbers.push(number) === 500) resolve(); }));
  a.emit("count", 500);
  await all;
  said.counted = counted(numbers);
  for (let i = 0; i < 500; i++) a.emit("collected", i);
  said.seen = counted((await call(a, "seen"))[0]);
  const big = "é".repeat(sizes[0]), raw = new Uint8Array(sizes[1]).fill(7).buffer;
  said.large = [(await call(a, "echo", big))[0] === big, hex((await call(a, "echo", raw))[0]).hex === "07".repeat(sizes[1])];
  const heard = [];
  for (const [name, socket] of [["a", a], ["b", b]])
    for (const event of ["room", "others", "single"]) socket.on(event, (text) => heard.push([name, event, text].join()));
  await call(a, "join", "red");
  await call(b, "join", "red");
  await call(a, "to room", "red", "both");
  await call(b, "leave", "red");
  await call(a, "to room", "red", "only a");
  await call(a, "others", "only b");
  await call(a, "single", b.id, "for b");
  await call(b, "echo");
  await call(a, "echo");
  said.rooms = heard.sort();
  const chat = a.io.socket("/chat");
  await once(chat, "connect");
  said.namespace = (await call(chat, "where"))[0];
  for (const [name, path, auth] of [["unknown", "/nowhere", {}], ["refused", "/guarded", { key: "bad" }]]) {
    const socket = io(url + path, { forceNew: true, reconnection: false, ...options, ...credentials(auth) });
    said[name] = await refusal(socket);
    socket.close();
  }
  const guarded = await connected("/guarded", credentials({ key: "right" }));
  said.admitted = guarded.connected;
  guarded.close();
  let gone = once(chat, "disconnect");
  chat.emit("kick");
  said.kickedFromChat = [(await gone)[0], a.connected, (await call(a, "echo", "here"))[0]];
  gone = once(b, "disconnect");
  b.emit("kick");
  said.kicked = (await gone)[0];
  gone = once(a, "disconnect");
  a.disconnect();
  said.left = (await gone)[0];
  done = true;
}
addEventListener("unhandledrejection", (event) => { said.error = String(event.reason); });
