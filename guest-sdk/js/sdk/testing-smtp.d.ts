import type { Connector, HttpResponse, Message } from "./index.js";
import type { Envelope, Reply } from "./smtp.js";
import type { HttpError, Sent } from "./testing.js";

/** An error of the host's `smtp`. */
export type SmtpError =
  | { tag: "not-supported" | "denied" | "dns" | "connect" | "timeout" | "interrupted" }
  | { tag: "invalid-request" | "tls"; val: string }
  | { tag: "unauthorized" | "rejected" | "deferred"; val: Reply };

/** What came of a send: the mail that was submitted, and the receipt or the failure. */
export interface Submitted {
  submission?: { server: { host: string; port: number }; envelope: Envelope; data: string };
  receipt?: Sent["receipt"];
  failure?: Sent["failure"];
}

/**
 * Sends a message, once, to a mail server that answers with `answer`. A connector that asks for an access token
 * first gets `response`, or is not answered. Import this module before the connector, and the connector with
 * `await import(…)`.
 */
export function submitted(
  connector: Connector,
  settings: object | string,
  message: Message,
  answer?: Reply | SmtpError,
  response?: HttpResponse | HttpError,
): Promise<Submitted>;
