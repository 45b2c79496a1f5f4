// What is to be sent, as the host hands it over.

import { Failure, oneLine } from "./failure.js";
import { hasVariable, Mailbox, withoutControls } from "./mailbox.js";
import { escapeHtml, parsePayload, render } from "./template.js";

/** A value that is shorter is left in a failure's words: they could not be read without it. */
const SHORTEST_SECRET = 4;

/** A text that is ready to be sent. */
export class Content {
  constructor({ subject, body, contentType, text, replyTo, sendFrom }) {
    /** One line. */
    this.subject = subject;
    /** HTML or plain text, as `contentType` says. */
    this.body = body;
    /** `text/html` or `text/plain`. */
    this.contentType = contentType;
    /** Plain text of the same beside an HTML body. */
    this.text = text;
    /** Where answers go. */
    this.replyTo = replyTo;
    /** A display name, a mailbox, or `Name <mailbox>`. */
    this.sendFrom = sendFrom;
  }

  /** The body, where it is HTML. */
  get html() {
    return this.contentType === "text/html" ? this.body : undefined;
  }

  /** The plain text, where there is one. */
  get plain() {
    return this.contentType === "text/html" ? this.text : this.body;
  }
}

/** One message for one recipient. */
export class Message {
  #override;

  constructor({ payload, content, expiresIn, unescapedHtml = false, ...fields }) {
    /** E-mail address, or phone number as the caller gave it. */
    this.recipient = fields.recipient;
    /** One of the nine usage types, or a name that a connector treats as `Generic`. */
    this.usageType = fields.usageType;
    /** Template variables. */
    this.payload = parsePayload(payload);
    /** BCP 47 tag. */
    this.locale = fields.locale;
    /** Address of the person that asked for the message. */
    this.clientIp = fields.clientIp;
    /** The same over all attempts of one message. */
    this.idempotencyKey = fields.idempotencyKey;
    /** Milliseconds until the message expires. */
    this.expiresIn = Number(expiresIn);
    /**
     * The settings' `unescapedHtml`: values stand in HTML as they are, markup included, as in Logto's own
     * connectors.
     */
    this.unescapedHtml = unescapedHtml;
    this.#override = content;
  }

  /** The template, plain text, with this message's variables filled in as they are. */
  render(template) {
    return render(template, this.payload);
  }

  /** The template, HTML, with this message's variables filled in: a value is text there and never markup. */
  renderHtml(template) {
    return this.unescapedHtml ? this.render(template) : render(template, this.payload, escapeHtml);
  }

  /** The text that overrides the settings' templates, with its variables filled in. */
  get content() {
    return this.#override && this.fill(this.#override);
  }

  /** The overriding text's body as plain text with its variables filled in, for short messages. */
  get plainBody() {
    return this.#override && this.render(this.#override.body);
  }

  /** A text with this message's variables filled in; no value becomes markup or an address. */
  fill({ subject, body, contentType, text, replyTo, sendFrom }) {
    const line = (template) => template && oneLine(this.render(template));
    return new Content({
      subject: line(subject),
      body: contentType === "text/html" ? this.renderHtml(body) : this.render(body),
      contentType,
      text: text && this.render(text),
      replyTo: replyTo && this.#mailbox(replyTo, true),
      sendFrom: sendFrom && this.#mailbox(sendFrom, false),
    });
  }

  /** A mailbox or, unless `whole`, a display name on one line: an address is there only where the text has one. */
  #mailbox(text, whole) {
    if (!hasVariable(text)) return oneLine(text);
    const read = Mailbox.filled(text, this.#fill);
    return read.address ? String(read) : (!whole && read.name) || undefined;
  }

  #fill = (template, write) => render(template, this.payload, write);

  /** Who sends: the overriding text's `sendFrom`, else the settings' own mailbox. */
  sender(own) {
    return Mailbox.filled(this.#override?.sendFrom ?? "", this.#fill, own);
  }

  /** Where answers go, where the overriding text says so with an address of its own. */
  get replyTo() {
    const text = this.#override?.replyTo ?? "";
    return (hasVariable(text) ? this.#mailbox(text, true) : withoutControls(text)) || undefined;
  }

  /** Refuses what no connector can send, before any request. */
  check() {
    if (!this.payload) throw new Failure("rejected", "the payload is not a JSON object");
    if (/[\u0000-\u001f\u007f-\u009f]/.test(this.recipient)) {
      throw new Failure("rejected", "the recipient contains control characters");
    }
  }

  /**
   * The words without what their reader must not learn: a provider likes to repeat the recipient, and an
   * echoing one the code.
   */
  conceal(words) {
    const { code, link } = this.payload ?? {};
    const values = [code, link, this.recipient, this.recipient.replace(/^\++/, "")]
      .map((value) => (value === undefined || value === null ? "" : String(value)))
      .filter((value) => value.length >= SHORTEST_SECRET)
      // A code may be a part of the number: it must not cut it in two that stay readable.
      .sort((one, other) => other.length - one.length);
    return values.reduce((text, value) => text.replaceAll(value, "…"), words);
  }
}
