// The scripted conversation's server on Node's socket.io: the reference that ours is compared with.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { maxHttpBufferSize: 1e6, allowEIO3: true });

io.on("connection", (socket) => {
  socket.on("echo", (...args) => args.pop()(...args));
  socket.on("spell", (text, done) => done([...text].map((letter) => letter.codePointAt(0)), "h€😀"));
  socket.on("back", (...args) => socket.emit("back", ...args));
  socket.on("ask", (question, done) => socket.emit("question", question, (...answers) => done(answers)));
  socket.on("count", (total) => { for (let i = 0; i < total; i++) socket.emit("number", i); });
  socket.on("collected", (value) => { (socket.data.seen ??= []).push(value); });
  socket.on("seen", (done) => done(socket.data.seen));
  socket.on("join", (room, done) => { socket.join(room); done(); });
  socket.on("leave", (room, done) => { socket.leave(room); done(); });
  socket.on("to room", (room, text, done) => { io.to(room).emit("room", text); done(); });
  socket.on("others", (text, done) => { socket.broadcast.emit("others", text); done(); });
  socket.on("single", (sid, text, done) => { io.to(sid).emit("single", text); done(); });
  socket.on("kick", () => socket.disconnect());
});
io.of("/chat").on("connection", (socket) => {
  socket.on("where", (done) => done("chat"));
  socket.on("kick", () => socket.disconnect());
});
io.of("/guarded").use((socket, next) => {
  if (socket.handshake.auth.key === "right") return next();
  const error = new Error("wrong key");
  error.data = { tried: socket.handshake.auth.key ?? null };
  next(error);
});
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
