import type { Mailbox } from "./index.js";

/** One mail. Text and HTML together become alternatives of one another. */
export interface Mail {
  /** Who sends: a mailbox, or its text. */
  from: Mailbox | string;
  /** One address. */
  to: string;
  /** Where answers go, where that is not the sender. */
  replyTo?: Mailbox | string | undefined;
  /** Put on one line. */
  subject: string;
  /** The body in HTML. */
  html?: string | undefined;
  /** The body in plain text. */
  text?: string | undefined;
  /** `Date`; now by default. A number counts milliseconds since the Unix epoch. */
  date?: Date | number | undefined;
  /**
   * What makes the `Message-ID` its own, on the sender's domain: with `message.idempotencyKey` all attempts
   * of a message have the same, and a mailbox knows a mail that comes twice. A fresh one by default.
   */
  id?: string | undefined;
}

/**
 * The mail's text (RFC 5322, MIME), with CRLF at the ends of its lines. Only an address beyond ASCII is not
 * ASCII in it. Throws `invalid-settings` where the sender has no mail address, `rejected` where the
 * recipient or the reply address is none.
 */
export function compose(mail: Mail): string;

/**
 * One mail address with its domain in lower-case A-labels; undefined where the text is no address, more
 * than one, or could end an envelope command or a header.
 */
export function address(text: string): string | undefined;
