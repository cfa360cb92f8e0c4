// Sessions that move from polling to WebSocket while both sides talk: node upgrade_client.mjs URL PACKAGE SESSIONS MESSAGES LONG
// -> what each session saw, as JSON.
import { createRequire } from "node:module";

const [url, client, sessions, messages, long] = process.argv.slice(2);
const io = createRequire(import.meta.url)(client);
const total = Number(messages);
// Every seventh is long, every fifth carries bytes: what is long is still under way when the session moves.
const filling = (n) => (n % 7 === 0 ? "x".repeat(Number(long)) : n % 5 === 0 ? Buffer.alloc(500, n) : null);

const talk = (number) =>
  new Promise((resolve) => {
    const socket = io(url, { transports: ["polling", "websocket"], forceNew: true, reconnection: false });
    const heard = [];
    let moved = null;
    let said = 0;
    const finish = (end) => {
      // On a busy machine all may be said before the WebSocket is there.
      if (end === null && moved === null) return setTimeout(finish, 10, null);
      if (end === null) socket.emit("seen", (seen) => resolve({ heard, seen, moved, transport: socket.io.engine.transport.name, end }));
      else resolve({ heard, seen: null, moved, transport: null, end });
    };
    const say = () => {
      for (let burst = (number + said) % 4; burst >= 0 && said < total; burst--, said++) socket.emit("up", said, filling(said));
      if (said < total) setTimeout(say, (number + said) % 3);
      else if (heard.length === total) finish(null);
    };
    socket.on("connect", () => {
      socket.io.engine.on("upgrade", () => { moved = heard.length; });
      say();
    });
    socket.on("down", (n, filled) => {
      heard.push(String(filled) === String(filling(n)) ? n : `${n} broken`);
      if (heard.length === total && said === total) finish(null);
    });
    socket.on("disconnect", (reason) => finish(reason));
    socket.on("connect_error", (error) => finish(String(error)));
  });

console.log(JSON.stringify(await Promise.all(Array.from({ length: Number(sessions) }, (_, number) => talk(number)))));
process.exit(0);
