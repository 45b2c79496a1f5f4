// What an author may write in TypeScript, and what the compiler refuses: checked by tsc, never run.

import {
  type Infer,
  choice,
  connector,
  list,
  mailTemplates,
  object,
  optional,
  post,
  templates,
  text,
} from "../sdk/index.js";

const settings = object({
  region: choice("eu", "us"),
  sender: optional(text()),
  tags: list(text()),
  templates: templates({ alias: text() }),
  texts: mailTemplates(),
});

const region = (read: Infer<typeof settings>): "eu" | "us" => read.region;
// @ts-expect-error: it may be absent.
const sender = (read: Infer<typeof settings>): string => read.sender;

const about = { id: "typed", titles: { en: "Typed" }, descriptions: { en: "Typed." } };

export default connector({
  about: { ...about, channel: "email" },
  settings,
  request(read, message) {
    const { alias } = read.templates.choose(message.usageType);
    // @ts-expect-error: there is no such field.
    read.templates.choose(message.usageType).id;
    const { subject, html } = read.texts.text(message);
    return post(`https://${region(read)}.example.com`).json({ alias, subject, html, sender });
  },
  receipt: (response) => ({ providerMessageId: response.json()?.id }),
});

export const speaking = connector({
  about: { ...about, channel: "sms" },
  settings,
  async send(read, message) {
    const answer = await fetch("https://api.example.com", { body: read.tags.join() });
    return { providerMessageId: answer.headers.get("x-id"), detail: message.recipient };
  },
});

connector({
  // @ts-expect-error: no channel of that name.
  about: { ...about, channel: "fax" },
  settings,
  request: () => post("https://x.example"),
});
