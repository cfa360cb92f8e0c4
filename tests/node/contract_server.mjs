// node contract_server.mjs MAX_PAYLOAD: the bare Engine.IO below Node's socket.io 4.8.3, with what tests/contract_stage.py says of it.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const { Server } = createRequire(createRequire(import.meta.url).resolve("socket.io"))("engine.io");
const sessions = {};
const engine = new Server({ maxHttpBufferSize: +process.argv[2], pingInterval: 1500, pingTimeout: 4000 });
const http = createServer((request, response) => {
  if (!request.url.startsWith("/ask")) return engine.handleRequest(request, response);
  let body = "";
  request.on("data", (text) => { body += text; }).on("end", () => {
    const [what, sid, ...args] = JSON.parse(body);
    if (what === "say") for (const message of args) engine.clients[sid].send(message);
    if (what === "end") engine.clients[sid].close();
    response.end(JSON.stringify(what === "session" ? sessions[sid] ?? null : null));
  });
});
http.on("upgrade", (request, socket, head) => engine.handleUpgrade(request, socket, head));

engine.on("connection", (socket) => {
  const session = sessions[socket.id] = { open: true, reason: null, heard: [], at: [] };
  socket.on("close", (reason) => Object.assign(session, { open: false, reason }));
  socket.on("message", (data) => {
    if (typeof data === "string" && data.startsWith("echo:")) return socket.send(data.slice(5));
    if (typeof data === "string" && data.startsWith("count:")) {
      for (let i = 0; i < +data.slice(6); i++) socket.send(String(i));
      return;
    }
    session.heard.push(typeof data === "string" ? data : { hex: Buffer.from(data).toString("hex") });
    session.at.push(performance.now() / 1000);
    if (typeof data !== "string") socket.send(data);
  });
});
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
