// The handler "words" in Node, written from docs/protocol.md alone: node words.js [tcp://127.0.0.1:4242]
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { decode, encode } from "@msgpack/msgpack";
import { Dealer } from "zeromq";

const CORE = process.argv[2] ?? "tcp://127.0.0.1:4242";
const TOKEN = process.env.WORDS_TOKEN ?? null;
const CREDIT = 16;
const INSTANCE = randomBytes(8).toString("hex");
class Reject extends Error {} // the same will never work

// What it can do: doc, timeout in seconds or null, at most once, a JSON Schema, and the work itself.
const text = { type: "string", description: "what is counted" };
const METHODS = {
  count: {
    doc: "Counts the words of a text.", timeout: 30, atMostOnce: false,
    schema: { type: "object", properties: { text }, required: ["text"], additionalProperties: false },
    async run({ text }) {
      if (typeof text !== "string") throw new Reject("text: has to be text");
      return { words: text.split(/\s+/).filter(Boolean).length };
    },
  },
  read: {
    doc: "Reads a text aloud, a word at a time.", timeout: 600, atMostOnce: false,
    schema: { type: "object", properties: { text, pause: { type: "number", minimum: 0 } }, required: ["text"] },
    async run({ text, pause: seconds = 1 }, { signal, progress }) {
      const words = text.split(/\s+/);
      for (const [place, word] of words.entries()) {
        progress(place / words.length, word);
        await pause(seconds * 1000, undefined, { signal }); // throws when the core cancels
      }
      return words.length;
    },
  },
};

const socket = new Dealer({ linger: 1000, reconnectInterval: 200, reconnectMaxInterval: 5000 });
const running = new Map(); // "run attempt" → {pair, abort}
const answered = new Map(); // "run attempt" → {pair, ended, told}: kept until RESULT_ACK
let welcomed = false, draining = false, beat = 2, outgoing = [], sending = null;

const key = (pair) => pair.join(" ");
const held = () => [...running.values(), ...answered.values()].map(({ pair }) => pair);
const cut = (words, most) => Buffer.from(String(words).replaceAll("\0", " ").slice(0, most)).toString(); // proper UTF-8

// What is said in one turn leaves as one body. A socket sends one message at a time.
function say(...message) {
  outgoing.push(message);
  sending ??= Promise.resolve().then(async () => {
    while (outgoing.length) await socket.send([Buffer.concat([Buffer.of(1), encode(outgoing.splice(0, 64))])]);
    sending = null;
  });
}

function hello() {
  const offers = Object.entries(METHODS).map(([name, { doc, timeout, atMostOnce, schema }]) =>
    [name, doc, timeout, atMostOnce, JSON.stringify(schema)]);
  say("HELLO", "words", INSTANCE, [1, 1], `words/node ${process.version}`, offers, draining ? 0 : CREDIT, held(), TOKEN);
}

const tell = (kept) => { kept.told = performance.now(); say("RESULT", [kept.ended]); };

async function begin([run, attempt, method, args]) {
  const pair = [run, attempt], abort = new AbortController();
  if (running.has(key(pair))) return;
  if (answered.has(key(pair))) return tell(answered.get(key(pair)));
  if (!(method in METHODS)) return say("NACK", run, attempt, "unknown_method");
  if (draining || running.size >= CREDIT) return say("NACK", run, attempt, draining ? "draining" : "overloaded");
  running.set(key(pair), { pair, abort });
  say("ACK", [pair]);
  const progress = (fraction, note = "") => say("PROGRESS", run, attempt, fraction, cut(note, 500));
  let ended;
  try {
    const value = JSON.stringify((await METHODS[method].run(JSON.parse(args), { signal: abort.signal, progress })) ?? null);
    ended = ["succeeded", value.length > 65536 ? JSON.stringify("too large to be kept") : value, null, null, null];
  } catch (error) {
    const cause = error instanceof Reject ? "lasting" : "unknown";
    ended = abort.signal.aborted ? ["cancelled", null, null, "was cancelled", null]
      : ["failed", null, cause, cut(error.message, 2000), null];
  }
  running.delete(key(pair));
  answered.set(key(pair), { pair, ended: [run, attempt, ...ended] });
  tell(answered.get(key(pair)));
}

const HEARD = {
  WELCOME(version, lease, every) { welcomed = true; beat = every; answered.forEach(tell); },
  WHO() { welcomed = false; hello(); },
  REFUSE(reason, again) { console.error(reason); welcomed = false; if (!again) process.exit(1); },
  RUN(orders) { orders.forEach(begin); },
  CANCEL(run, attempt) { running.get(key([run, attempt]))?.abort.abort(); },
  RESULT_ACK(pairs) { pairs.forEach((pair) => answered.delete(key(pair))); },
  DRAIN() { drain(); },
};

async function drain() { // take nothing new, finish, wait for the acknowledgements, goodbye
  if (draining) return; else draining = true;
  say("DRAIN");
  for (let turns = 0; held().length && turns < 1300; turns++) { // 20 s for what runs, 6 s for what was cancelled then
    if (turns > 1000) running.forEach(({ abort }) => abort.abort());
    await pause(20);
  }
  say("BYE");
  await sending;
  socket.close();
}

async function live() { // a beat as often as the core wishes; and hello until we are known
  for (; !socket.closed; await pause(beat * 1000, undefined, { ref: false })) {
    if (welcomed) say("BEAT", held()); else hello();
    for (const kept of answered.values()) if (performance.now() - kept.told > 3000 * beat) tell(kept);
  }
}

for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => (draining ? process.exit(1) : drain()));
socket.connect(CORE);
live();
for await (const [body] of socket) for (const [kind, ...fields] of decode(body.subarray(1))) HEARD[kind]?.(...fields);
