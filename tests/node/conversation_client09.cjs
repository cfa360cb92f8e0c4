// The scripted conversation by socket.io-client 0.9: node conversation_client09.cjs URL websocket|xhr-polling -> a transcript as JSON lines.
// Binary is left out: 0.9 has none. A client of 0.9 does not know its own id, so the server tells it.
const io = require("sio09");

const [url, mode] = process.argv.slice(2);
io.transports.splice(0, io.transports.length, mode);
const say = (name, value) => console.log(JSON.stringify([name, value]));
const once = (socket, name) => new Promise((resolve) => socket.once(name, (...args) => resolve(args)));
const call = (socket, name, ...args) => new Promise((resolve) => socket.emit(name, ...args, (...back) => resolve(back)));
const connected = async (path = "") => {
  const socket = io.connect(url + path, { "force new connection": true });
  await once(socket, "connect");
  return socket;
};

(async () => {
  const a = await connected();
  const b = await connected();
  say("transport", a.socket.transport.name);
  say("echo", await call(a, "echo", 1, "two", null, { three: [true, 1.5, "é€😀"] }));
  a.on("question", (question, answer) => answer(question + "!", 7));
  say("ack from client", await call(a, "ask", "how"));
  say("separators", await call(a, "echo", "\u2028\u2029\n\ufffd5\ufffd\\/</script>", "a\\/b"));
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
    say("large", text === big);
  }
  {
    const messages = [];
    a.on("message", (data) => messages.push(data));
    a.send("plain");
    a.json.send({ json: ["é", 1] });
    await new Promise((resolve) => a.send("acknowledged", resolve));
    await call(a, "echo");
    say("messages", messages);
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
    const [id] = await call(b, "whoami");
    await call(a, "single", id, "for b");
    await call(b, "echo");
    await call(a, "echo"); // an answer comes after all that was sent before it
    say("rooms", heard.map(String).sort());
  }
  const chat = a.of("/chat");
  await once(chat, "connect");
  say("namespace", await call(chat, "where"));
  {
    const guarded = a.of("/guarded");
    const [reason] = await once(guarded, "connect_failed");
    say("refused", reason);
  }
  {
    const gone = once(chat, "disconnect");
    chat.emit("kick");
    await gone;
    say("kicked from /chat", [a.socket.connected, await call(a, "echo", "here")]);
  }
  {
    const gone = once(b, "disconnect");
    b.emit("kick");
    say("kicked", [...(await gone), b.socket.reconnecting]);
  }
  {
    const gone = once(a, "disconnect");
    a.disconnect();
    say("left", await gone);
  }
  process.exit(0);
})();
