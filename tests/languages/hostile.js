// Does its worst, as its settings say.

import { connector, object, text } from "../sdk/index.js";

const acts = {
  "endless-loop"() {
    for (;;);
  },
  "memory-bomb"() {
    const kept = [];
    for (;;) kept.push(new Uint8Array(1 << 20).fill(1));
  },
  "log-flood"() {
    for (let line = 0; line < 1_000; line += 1) console.log("words ".repeat(20));
  },
  throw() {
    throw new Error("thrown as told");
  },
};

export default connector({
  about: {
    id: "hostile",
    channel: "sms",
    titles: { en: "Hostile" },
    descriptions: { en: "Does its worst." },
    hosts: ["echo.example.com"],
  },
  settings: object({ act: text() }),
  async send({ act }) {
    acts[act]();
  },
});
