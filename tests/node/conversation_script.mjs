// The scripted conversation, for any client in any engine. `io` is the client's, `old` says that it is one before Socket.IO 3,
// `bytes` makes what it takes for binary of a list of numbers, `tell` is given [what, what was heard], in order.
export default async function converse({ io, url, mode, old = false, bytes, tell }) {
  const options = {
    transports: mode === "upgrade" ? ["polling", "websocket"] : [mode],
    forceNew: true,
    reconnection: false,
  };
  const say = (name, value) => tell([name, plain(value)]);
  const isBytes = (value) => value instanceof ArrayBuffer || ArrayBuffer.isView(value);
  const view = (value) => (value instanceof ArrayBuffer ? new Uint8Array(value) : value);
  const hex = (value) => Array.from(view(value), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const plain = (value) =>
    isBytes(value) ? { hex: hex(value) }
      : Array.isArray(value) ? value.map(plain)
        : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)])) : value;
  const once = (socket, name) => new Promise((resolve) => socket.once(name, (...args) => resolve(args)));
  const call = (socket, name, ...args) => new Promise((resolve) => socket.emit(name, ...args, (...back) => resolve(back)));
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const connected = async (path = "", extra = {}) => {
    const socket = io(url + path, { ...options, ...extra });
    await once(socket, "connect");
    return socket;
  };

  const credentials = (auth) => (old ? { query: auth } : { auth });
  const refusal = async (socket) => {
    const [error] = await once(socket, old ? "error" : "connect_error");
    return old ? error : [error.message, error.data ?? null];
  };

  const a = await connected();
  const b = await connected();
  if (mode === "upgrade") {
    while (a.io.engine.transport.name !== "websocket" || b.io.engine.transport.name !== "websocket") await pause(10);
  }
  say("transport", a.io.engine.transport.name);
  say("echo", await call(a, "echo", 1, "two", null, { three: [true, 1.5, "é€😀"] }));
  say("spelled", await call(a, "spell", "é€😀Ã©"));
  say("binary", await call(a, "echo", bytes([1, 2]), { deep: [bytes([3]), { er: bytes([]) }] }));
  {
    const back = once(a, "back");
    a.emit("back", { file: bytes([0, 255]) }, "name");
    say("binary event", await back);
  }
  a.on("question", (question, answer) => answer(question + "!", bytes([7])));
  say("ack from client", await call(a, "ask", "how"));
  {
    const numbers = [];
    const all = new Promise((resolve) => a.on("number", (i) => { numbers.push(i); if (numbers.length === 500) resolve(); }));
    a.emit("count", 500);
    await all;
    say("500 in order", numbers.every((value, index) => value === index));
    for (let i = 0; i < 500; i++) a.emit("collected", i);
    const [seen] = await call(a, "seen");
    say("500 to the server in order", seen.length === 500 && seen.every((value, index) => value === index));
  }
  {
    const big = "é".repeat(150000);
    const [text] = await call(a, "echo", big);
    const sevens = view((await call(a, "echo", bytes(new Uint8Array(300000).fill(7))))[0]);
    say("large", [text === big, sevens.length, sevens.every((byte) => byte === 7)]);
  }
  {
    const heard = [];
    for (const [name, socket] of [["a", a], ["b", b]])
      for (const event of ["room", "others", "single"]) socket.on(event, (text) => heard.push([name, event, text]));
    await call(a, "join", "red");
    await call(b, "join", "red");
    await call(a, "to room", "red", "both");
    await call(b, "leave", "red");
    await call(a, "to room", "red", "only a");
    await call(a, "others", "only b");
    await call(a, "single", b.id, "for b");
    await call(b, "echo");
    await call(a, "echo"); // an answer comes after all that was sent before it
    say("rooms", heard.map(String).sort());
  }
  const chat = a.io.socket("/chat"); // on the connection that "/" has
  await once(chat, "connect");
  say("namespace", await call(chat, "where"));
  say("own id in each namespace", chat.id !== a.id && chat.id !== a.io.engine.id);
  for (const [name, path, auth] of [["unknown", "/nowhere", {}], ["refused", "/guarded", { key: "bad" }]]) {
    const socket = io(url + path, { ...options, ...credentials(auth) });
    say(name, await refusal(socket));
    socket.close();
  }
  const guarded = await connected("/guarded", credentials({ key: "right" }));
  say("admitted", guarded.connected);
  {
    const gone = once(chat, "disconnect");
    chat.emit("kick");
    say("kicked from /chat", [(await gone)[0], a.connected, await call(a, "echo", "here")]);
  }
  {
    const gone = once(b, "disconnect");
    b.emit("kick");
    say("kicked", (await gone)[0]);
  }
  {
    const gone = once(a, "disconnect");
    a.disconnect();
    say("left", (await gone)[0]);
  }
}
