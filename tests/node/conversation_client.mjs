// The scripted conversation: node conversation_client.mjs URL polling|websocket|upgrade [sio1|sio2|...] -> a transcript as JSON lines.
import { createRequire } from "node:module";
import converse from "./conversation_script.mjs";

const [url, mode, client = "sio4"] = process.argv.slice(2);
// "anywire" is our own browser client in a small browser; its modes are also jsonp and htmlfile.
const io = client === "anywire" ? (await import("../js/real.mjs")).visit(url).page.io : createRequire(import.meta.url)(client);
await converse({
  io, url, mode,
  // Before 3.x a client said who it is in the query, heard of a refusal by "error", and made its ids from the engine's.
  old: client === "sio1" || client === "sio2",
  bytes: Buffer.from,
  tell: (said) => console.log(JSON.stringify(said)),
});
process.exit(0);
