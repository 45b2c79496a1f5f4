// What an author may write in TypeScript, and what the compiler refuses: checked by tsc, never run.

import {
  type Infer,
  Mailbox,
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
import { compose } from "../sdk/mail.js";
import { Key } from "../sdk/signing.js";
import { sigv4 } from "../sdk/sigv4.js";
import { submit } from "../sdk/smtp.js";
import { Key as HostKey } from "sendbox:connector/signing@0.1.0";

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

export const mailing = connector({
  about: { ...about, channel: "email" },
  settings,
  async send(read, message) {
    const { subject, html, plain } = read.texts.text(message);
    const from = message.sender(Mailbox.parse("Typed <noreply@example.com>"));
    const { recipient: to, replyTo, idempotencyKey: id } = message;
    const mail = compose({ from, to, replyTo, subject, html, text: plain, id });
    const server = { host: "smtp.example.com", port: 465, auth: { user: "u", password: "p" } };
    const envelope = { mailFrom: from.address, rcptTo: [to] };
    // @ts-expect-error: it must say whether TLS begins.
    submit(server, envelope, mail);
    return { detail: submit({ ...server, security: "tls" }, envelope, mail).text };
  },
});

connector({
  // @ts-expect-error: no channel of that name.
  about: { ...about, channel: "fax" },
  settings,
  request: () => post("https://x.example"),
});

export const signed = connector({
  about: { ...about, channel: "sms" },
  settings,
  request: (read, message) => {
    const key = { id: "id", secret: read.region };
    return sigv4(post("https://x.example").json(message.payload), key, {
      region: "eu",
      service: "ses",
    });
  },
});

export const signature = (secret: string): Uint8Array =>
  Key.fromSecret(secret, { prefix: "AWS4" }).derive("day").sign("hmac-sha256", "text");
// @ts-expect-error: a key is made of a secret.
export const key = new Key();

export const ofHost = (secret: string): Uint8Array =>
  HostKey.fromSecret("", secret, "").sign("hmac-sha256", new Uint8Array());
