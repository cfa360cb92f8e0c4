// The benchmarks' server on Node's socket.io. Prints its port. Its events are those of benchmarks/servers/anywire_server.py.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { serveClient: false, pingInterval: 300_000 });
io.on("connection", (socket) => {
  socket.on("echo", (data) => socket.emit("echo", data));
  socket.on("ask", (data, acknowledge) => acknowledge(data));
  socket.on("news", (number) => io.emit("news", { number, text: "x".repeat(60) }));
  socket.on("collect", () => {
    // Twice: what the first pass finalizes, the second gives back.
    globalThis.gc();
    globalThis.gc();
    socket.emit("collected");
  });
});
http.listen(0, "127.0.0.1", 4096, () => console.log(http.address().port));
